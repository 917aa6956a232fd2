//! The door to the broker.

use crate::clients::Clients;
use crate::link::Link;
use crate::monitor::{self, Reachable};
use crate::persist::Persistence;
use crate::produce::Record;
use crate::read::Place;
use crate::topics::Maker;
use crate::{
    BusConfig, BusError, Consumer, ConsumerOptions, Lag, Message, Outgoing, SendError, Sent, Tail, TopicSpec, dead_letter, lag,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a question waits for a broker that is away.
const ASK_PATIENCE: Duration = Duration::from_secs(2);
/// How long each question for a lag may take.
const LAG_PATIENCE: Duration = Duration::from_secs(5);

/// The way to the broker: a producer, and everything else that is made from the same configuration. Cheap to clone.
///
/// To be used inside a tokio runtime.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    config: BusConfig,
    link: Arc<Link>,
    state: watch::Receiver<Reachable>,
    persistence: Persistence,
    clients: Arc<Clients>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("brokers", &self.inner.config.brokers).finish_non_exhaustive()
    }
}

impl Bus {
    /// Opens it. Never waits for the broker: a monitor begins to ask for it, see [`Bus::state`].
    ///
    /// # Errors
    /// When a client refuses its configuration.
    pub fn open(config: BusConfig) -> Result<Self, BusError> {
        let link = Arc::new(Link::default());
        let clients = Arc::new(Clients::new(&config, &link)?);
        let state = monitor::start(&link, &clients, &config.brokers).map_err(|error| BusError::Client(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner { config, link, state, persistence: Persistence::default(), clients }) })
    }

    /// Whether the broker answers: it is asked every two seconds, and at once when a client loses it. `Err` says why it does not.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Result<(), String>> {
        self.inner.state.clone()
    }

    /// Makes the topics that are missing, and waits for the broker as long as it takes. Topics that are there stay as they are; one
    /// with too few partitions is named in a warning.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the broker refuses a topic for good, [`BusError::ShuttingDown`] when shutdown comes first.
    pub async fn ensure_topics(&self, specs: &[TopicSpec], shutdown: &CancellationToken) -> Result<(), BusError> {
        let inner = &self.inner;
        let (config, link, inquirer) = (inner.config.clone(), Arc::clone(&inner.link), Arc::clone(&inner.clients.inquirer));
        Maker { config, link, inquirer, state: inner.state.clone() }.ensure(specs, shutdown).await
    }

    /// Sends once; `Ok` only after the acknowledgement of all in-sync replicas, at the latest after
    /// [`BusConfig::send_timeout`]. Dropping the future does not take the message back.
    ///
    /// # Errors
    /// Each case of [`SendError`]; after [`SendError::BrokerAway`] the message may have arrived all the same.
    pub async fn send(&self, out: Outgoing) -> Result<Sent, SendError> {
        self.inner.clients.producer.send(Record::of(&out)).await
    }

    /// Sends, and tries again with growing pauses until the broker acknowledges or shutdown comes. A message may arrive more than
    /// once when an acknowledgement was lost. After shutdown there is still one attempt, unless the broker is known to be away.
    ///
    /// # Errors
    /// [`SendError::ShuttingDown`], or what makes every attempt useless: [`SendError::TooLarge`], [`SendError::Fatal`].
    pub async fn send_persistently(&self, out: Outgoing, shutdown: &CancellationToken) -> Result<Sent, SendError> {
        self.persist(Record::of(&out), shutdown).await
    }

    /// Sends a message that cannot be processed to a topic of such, persistently: the original key, bytes and headers, plus the
    /// reason ([`frame::headers::ERROR`]) and where it was read.
    ///
    /// # Errors
    /// Those of [`Bus::send_persistently`].
    pub async fn dead_letter(
        &self,
        topic: &str,
        message: &Message,
        reason: &str,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let headers = dead_letter::headers_of(message, reason);
        let record = Record { topic, key: message.key.as_deref(), headers: &headers, payload: &message.payload };
        self.persist(record, shutdown).await
    }

    /// Joins a consumer group. Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn consumer(&self, options: ConsumerOptions) -> Result<Consumer, BusError> {
        Consumer::join(&self.inner.config, &self.inner.link, options)
    }

    /// Reads all partitions of a topic from `since` on, by the messages' own timestamps, and follows them; without a group, so
    /// that every process that does this sees every message. Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn tail(&self, topic: &str, since: frame::Timestamp) -> Result<Tail, BusError> {
        Tail::start(&self.inner.config, &self.inner.link, topic, since)
    }

    /// The message at this place, or `None` when there is none there (any more). Reads of one bus come one after the other.
    ///
    /// # Errors
    /// [`BusError::BrokerAway`] when it does not answer within ten seconds.
    pub async fn read_one(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<Message>, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let place = Place { topic: topic.to_owned(), partition, offset };
        blocking(move || inner.clients.reader.read(&inner.config, &inner.link, &place)).await
    }

    /// How far a group is behind, from its committed offsets and the partitions' ends.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the topic is not there, [`BusError::BrokerAway`] when the broker does not answer within five seconds.
    pub async fn lag(&self, group: &str, topic: &str) -> Result<Lag, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let (group, topic) = (group.to_owned(), topic.to_owned());
        blocking(move || {
            let inquirer = inner.clients.lag_inquirer(&inner.config, &inner.link, &group)?;
            lag::measure(&inquirer, &topic, LAG_PATIENCE)
        })
        .await
    }

    /// Waits until everything that was handed to [`Bus::send`] is acknowledged or has failed, at most this long.
    pub async fn close(&self, timeout: Duration) {
        let inner = Arc::clone(&self.inner);
        let flushed =
            blocking(move || inner.clients.producer.flush(timeout).map_err(|error| BusError::Fatal(error.to_string()))).await;
        if let Err(error) = flushed {
            warn!(%error, "not every message was acknowledged before the end");
        }
    }

    /// Questions are asked only of a broker that answers, so that no thread is kept waiting for one that does not.
    async fn reachable(&self) -> Result<(), BusError> {
        let mut state = self.state();
        let answers = tokio::time::timeout(ASK_PATIENCE, state.wait_for(Result::is_ok)).await.is_ok_and(|answer| answer.is_ok());
        match &*state.borrow() {
            Err(reason) if !answers => Err(BusError::BrokerAway { reason: reason.clone() }),
            _ => Ok(()),
        }
    }

    async fn persist(&self, record: Record<'_>, shutdown: &CancellationToken) -> Result<Sent, SendError> {
        let inner = &self.inner;
        inner.persistence.send(&inner.clients.producer, record, &inner.state, shutdown).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.stop();
    }
}

impl<'a> Record<'a> {
    fn of(out: &'a Outgoing) -> Self {
        Self { topic: &out.topic, key: Some(out.key.as_bytes()), headers: &out.headers, payload: &out.payload }
    }
}

/// Runs a blocking call on a thread for such.
pub(crate) async fn blocking<T, F>(call: F) -> Result<T, BusError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, BusError> + Send + 'static,
{
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(BusError::Fatal(error.to_string())))
}
