//! The door to the broker.

use crate::clients::Clients;
use crate::link::Link;
use crate::monitor::{self, States};
use crate::persist::Persistence;
use crate::produce::Record;
use crate::read::Place;
use crate::takes::Followed;
use crate::topics::Maker;
use crate::{
    BusConfig, BusError, Consumer, ConsumerOptions, Lag, Message, Outgoing, SendError, Sent, Tail,
    Threads, TopicSpec, TopicState, dead_letter, inventory, lag,
};
use frame::ResultMessage;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a question waits for a broker that is away.
const ASK_PATIENCE: Duration = Duration::from_secs(2);
/// Topics that cannot be made are tried again after this time: somebody may be mending the broker.
const TOPICS_AGAIN: Duration = Duration::from_secs(5);
/// How long each question for a lag may take.
const LAG_PATIENCE: Duration = Duration::from_secs(5);

/// The way to the broker: a producer, and everything else that is made from the same configuration.
/// Cheap to clone.
///
/// To be used inside a tokio runtime.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    config: BusConfig,
    link: Arc<Link>,
    states: States,
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
        Self::open_on(Threads::default(), config)
    }

    /// The same with threads of the caller's: the bus's monitor, and one for each consumer and
    /// tail.
    ///
    /// # Errors
    /// As [`Bus::open`].
    pub fn open_on(threads: Threads, config: BusConfig) -> Result<Self, BusError> {
        config.security.warn_of_open_password();
        let link = Arc::new(Link::new(config.security.clone(), threads));
        let clients = Arc::new(Clients::new(&config, &link)?);
        let states = monitor::start(&link, &clients, &config.brokers)
            .map_err(|error| BusError::Client(error.to_string()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                link,
                states,
                persistence: Persistence::default(),
                clients,
            }),
        })
    }

    /// Whether the broker answers and lets us do what this bus is used for: it is asked every two
    /// seconds, and at once when a client loses it or is refused. `Err` says what is wrong.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Result<(), String>> {
        self.inner.states.usable.clone()
    }

    /// Whether the topics that [`Bus::topics_in_place`] has found or made are still there: asked
    /// every two seconds. `Err` says which one is missing. While the broker is away it stays as
    /// it was.
    #[must_use]
    pub fn topics_state(&self) -> watch::Receiver<Result<(), String>> {
        self.inner.states.topics.clone()
    }

    /// Whether each consumer of this bus belongs to its group, so that it has the partitions that
    /// it ought to have; with more members than partitions that may be none. `Err` says which
    /// one does not, and since when.
    #[must_use]
    pub fn groups_state(&self) -> watch::Receiver<Result<(), String>> {
        self.inner.states.groups.clone()
    }

    /// Makes the topics that are missing, and waits for the broker as long as it takes. Topics that
    /// are there stay as they are; one with too few partitions is named in a warning.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the broker refuses a topic for good, [`BusError::ShuttingDown`]
    /// when shutdown comes first.
    pub async fn ensure_topics(
        &self,
        specs: &[TopicSpec],
        shutdown: &CancellationToken,
    ) -> Result<(), BusError> {
        let inner = &self.inner;
        let (config, link, inquirer) =
            (inner.config.clone(), Arc::clone(&inner.link), Arc::clone(&inner.clients.inquirer));
        Maker { config, link, inquirer, state: inner.states.reachable.clone() }
            .ensure(specs, shutdown)
            .await
    }

    /// Those of these topics that are there and that the broker lets us see, by name.
    ///
    /// # Errors
    /// [`BusError::BrokerAway`] when the broker does not answer.
    pub async fn topics(&self, names: &[String]) -> Result<Vec<TopicState>, BusError> {
        self.reachable().await?;
        inventory::find(&self.inner.config, &self.inner.link, &self.inner.clients.inquirer, names)
            .await
    }

    /// Gives a topic that has fewer partitions than `spec` wants as many. Messages of one key go to
    /// another partition from then on.
    ///
    /// # Errors
    /// [`BusError::NotAllowed`], [`BusError::Topic`] when the broker refuses,
    /// [`BusError::BrokerAway`] when it does not answer.
    pub async fn grow_topic(&self, spec: &TopicSpec) -> Result<(), BusError> {
        self.reachable().await?;
        inventory::grow(&self.inner.config, &self.inner.link, spec).await
    }

    /// The same as [`Bus::ensure_topics`] until it succeeds: a topic that the broker refuses may be
    /// mended while the unit waits. Each outcome is reported. `false` when shutdown came first.
    /// From then on [`Bus::topics_state`] watches over them, and [`Bus::state`] also says whether
    /// the producer can send.
    pub async fn topics_in_place(
        &self,
        specs: &[TopicSpec],
        shutdown: &CancellationToken,
        report: impl Fn(Result<(), String>),
    ) -> bool {
        let mut told = None;
        loop {
            match self.ensure_topics(specs, shutdown).await {
                Ok(()) => {
                    self.inner.link.need(specs.iter().map(|spec| spec.name.clone()));
                    if self.topics_were_seen(shutdown).await {
                        report(Ok(()));
                        return true;
                    }
                }
                Err(BusError::ShuttingDown) => return false,
                Err(error) => {
                    let reason = error.to_string();
                    if told.replace(reason.clone()).as_ref() != Some(&reason) {
                        tracing::error!(%error, "the topics are not as they should be, trying again");
                    }
                    report(Err(reason));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TOPICS_AGAIN) => {}
                () = shutdown.cancelled() => return false,
            }
        }
    }

    /// Whether the monitor has looked at the needed topics, and at the producer, within a while.
    async fn topics_were_seen(&self, shutdown: &CancellationToken) -> bool {
        let mut seen = self.topics_state();
        let seen = tokio::time::timeout(TOPICS_AGAIN, seen.wait_for(Result::is_ok));
        shutdown
            .run_until_cancelled(seen)
            .await
            .is_some_and(|seen| seen.is_ok_and(|seen| seen.is_ok()))
    }

    /// Sends once; `Ok` only after the acknowledgement of all in-sync replicas, at the latest after
    /// [`BusConfig::send_timeout`]. Dropping the future does not take the message back.
    ///
    /// # Errors
    /// Each case of [`SendError`]; after [`SendError::BrokerAway`] the message may have arrived all
    /// the same.
    pub async fn send(&self, out: Outgoing) -> Result<Sent, SendError> {
        self.inner.clients.producer.send(&Arc::new(out.into())).await
    }

    /// Sends, and tries again with growing pauses until the broker acknowledges or shutdown comes.
    /// A message may arrive more than once when an acknowledgement was lost. After shutdown
    /// there is still one attempt, unless the broker is known to be away.
    ///
    /// # Errors
    /// [`SendError::ShuttingDown`], or what makes every attempt useless: [`SendError::TooLarge`],
    /// [`SendError::Fatal`].
    pub async fn send_persistently(
        &self,
        out: Outgoing,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        self.persist(out.into(), shutdown).await
    }

    /// Sends a message that cannot be processed to a topic of such, persistently: the original key,
    /// bytes and headers, plus the reason ([`frame::headers::ERROR`]) and where it was read. A
    /// foreign message with such large headers that the reason does not fit any more is logged
    /// and dropped (`None`), because it must not come again for ever.
    ///
    /// # Errors
    /// [`SendError::ShuttingDown`] and [`SendError::Fatal`].
    pub async fn dead_letter(
        &self,
        topic: &str,
        message: &Message,
        reason: &str,
        shutdown: &CancellationToken,
    ) -> Result<Option<Sent>, SendError> {
        let Message { key, payload, .. } = message;
        let headers = dead_letter::headers_of(message, reason);
        let record =
            Record { topic: topic.to_owned(), key: key.clone(), headers, payload: payload.clone() };
        match self.persist(record, shutdown).await {
            Err(error @ SendError::TooLarge { .. }) => {
                let Message { topic, partition, offset, .. } = message;
                tracing::error!(topic, partition, offset, %error, reason, "dead letter dropped");
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Sends a frame's result, persistently.
    ///
    /// # Errors
    /// Those of [`Bus::send_persistently`].
    pub async fn send_result(
        &self,
        topic: &str,
        message: ResultMessage,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let ResultMessage { key, headers, result } = message;
        self.send_persistently(
            Outgoing { topic: topic.into(), key, headers, payload: result.to_json() },
            shutdown,
        )
        .await
    }

    /// Joins a consumer group. Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn consumer(&self, options: ConsumerOptions) -> Result<Consumer, BusError> {
        self.join(options, Followed::Nothing)
    }

    /// The same, with notes of what was taken up without an end.
    pub(crate) fn join(
        &self,
        options: ConsumerOptions,
        followed: Followed,
    ) -> Result<Consumer, BusError> {
        Consumer::join(&self.inner.config, &self.inner.link, options, followed)
    }

    /// Reads all partitions of a topic from `since` on, by the messages' own timestamps, and
    /// follows them; without a group, so that every process that does this sees every message.
    /// Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn tail(&self, topic: &str, since: frame::Timestamp) -> Result<Tail, BusError> {
        Tail::start(&self.inner.config, &self.inner.link, topic, since)
    }

    /// The message at this place, or `None` when there is none there (any more). Reads of one bus
    /// come one after the other.
    ///
    /// # Errors
    /// [`BusError::BrokerAway`] when it does not answer within ten seconds.
    pub async fn read_one(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<Message>, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let place = Place { topic: topic.to_owned(), partition, offset };
        blocking(move || inner.clients.reader.read(&inner.config, &inner.link, &place)).await
    }

    /// How far a group is behind, from its committed offsets and the partitions' ends.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the topic is not there, [`BusError::BrokerAway`] when the broker
    /// does not answer within five seconds.
    pub async fn lag(&self, group: &str, topic: &str) -> Result<Lag, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let (group, topic) = (group.to_owned(), topic.to_owned());
        blocking(move || {
            let inquirer = inner.clients.lag_inquirer(&inner.config, &inner.link, &group)?;
            lag::measure(&inquirer, &group, &topic, LAG_PATIENCE)
        })
        .await
    }

    /// Waits until everything that was handed to [`Bus::send`] is acknowledged or has failed, at
    /// most this long.
    pub async fn close(&self, timeout: Duration) {
        let inner = Arc::clone(&self.inner);
        let flushed = blocking(move || {
            inner
                .clients
                .producer
                .flush(timeout)
                .map_err(|error| BusError::Fatal(error.to_string()))
        })
        .await;
        if let Err(error) = flushed {
            warn!(%error, "not every message was acknowledged before the end");
        }
    }

    /// Questions are asked only of a broker that answers, so that no thread is kept waiting for one
    /// that does not.
    async fn reachable(&self) -> Result<(), BusError> {
        let mut state = self.inner.states.reachable.clone();
        let answers = tokio::time::timeout(ASK_PATIENCE, state.wait_for(Result::is_ok))
            .await
            .is_ok_and(|answer| answer.is_ok());
        match &*state.borrow() {
            Err(reason) if !answers => Err(BusError::BrokerAway { reason: reason.clone() }),
            _ => Ok(()),
        }
    }

    async fn persist(
        &self,
        record: Record,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let inner = &self.inner;
        inner
            .persistence
            .send(&inner.clients.producer, &Arc::new(record), &inner.states.reachable, shutdown)
            .await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.stop();
    }
}

/// Runs a blocking call on a thread for such.
pub(crate) async fn blocking<T, F>(call: F) -> Result<T, BusError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, BusError> + Send + 'static,
{
    tokio::task::spawn_blocking(call)
        .await
        .unwrap_or_else(|error| Err(BusError::Fatal(error.to_string())))
}
