//! Making topics.

use crate::client::log::LogContext;
use crate::client::{self, Inquirer, properties};
use crate::config::BusConfig;
use crate::config::topics::{Cleanup, TopicSpec};
use crate::error::BusError;
use crate::error::codes::{is_refused, is_transient, unanswered};
use crate::health::broker::Link;
use crate::health::outage::Outage;
use crate::health::unready::Readiness;
use backoff::Backoff;
use frame::MAX_MESSAGE_BYTES;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long one question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Makes the topics that are missing and waits until the broker knows all of them.
pub(crate) struct Maker {
    pub(crate) config: BusConfig,
    pub(crate) link: Arc<Link>,
    /// The client to ask with, which is another one after it was replaced.
    pub(crate) inquirer: Box<dyn Fn() -> Arc<Inquirer> + Send + Sync>,
    pub(crate) state: watch::Receiver<Readiness>,
}

/// What one round came to.
enum Round {
    /// All topics are there.
    Complete,
    /// Some were made just now; the broker may need a moment until it knows them.
    Made,
}

impl Maker {
    /// Goes on until every topic is there, something cannot be had at all, or shutdown comes.
    pub(crate) async fn ensure(
        self,
        specs: &[TopicSpec],
        shutdown: &CancellationToken,
    ) -> Result<(), BusError> {
        let maker = Arc::new(self);
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        let mut outage = Outage::default();
        loop {
            let round = tokio::select! {
                round = Arc::clone(&maker).round(specs) => round,
                () = shutdown.cancelled() => return Err(BusError::ShuttingDown),
            };
            match round {
                Ok(Round::Complete) => return Ok(()),
                Ok(Round::Made) => {}
                Err(BusError::BrokerAway { reason }) => {
                    if let Some(since) = outage.failed() {
                        let brokers = &maker.config.brokers;
                        warn!(
                            brokers,
                            reason,
                            seconds = since.as_secs(),
                            "waiting for the broker to have the topics"
                        );
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_delay()) => {}
                () = shutdown.cancelled() => return Err(BusError::ShuttingDown),
            }
        }
    }

    async fn round(self: Arc<Self>, specs: &[TopicSpec]) -> Result<Round, BusError> {
        let mut state = self.state.clone();
        // the monitor asks: no thread of ours need wait for a broker that is away
        if tokio::time::timeout(PATIENCE, state.wait_for(Result::is_ok)).await.is_err()
            && let Err(unready) = &*state.borrow()
        {
            return Err(BusError::BrokerAway { reason: unready.to_string() });
        }
        let existing = self.existing().await?;
        let missing: Vec<&TopicSpec> =
            specs.iter().filter(|spec| !existing.contains_key(&spec.name)).collect();
        if !missing.is_empty() {
            self.make(&missing).await?;
            return Ok(Round::Made);
        }
        for spec in specs {
            warn_if_small(spec, existing[&spec.name]);
        }
        Ok(Round::Complete)
    }

    /// Every topic with the number of its partitions.
    async fn existing(&self) -> Result<HashMap<String, usize>, BusError> {
        let inquirer = (self.inquirer)();
        crate::client::blocking(move || {
            let metadata = inquirer.fetch_metadata(None, PATIENCE).map_err(unanswered)?;
            let usable = metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
            Ok(usable.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
        })
        .await
    }

    async fn make(&self, missing: &[&TopicSpec]) -> Result<(), BusError> {
        let context = LogContext::new("admin", &self.link);
        let admin: AdminClient<LogContext> =
            client::create(&properties::admin(&self.config), context)?;
        let settings: Vec<Vec<(&str, String)>> =
            missing.iter().map(|spec| settings_of(spec)).collect();
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .zip(&settings)
            .map(|(spec, settings)| self.new_topic(spec, settings))
            .collect();
        let options =
            AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let answer = admin.create_topics(&topics, &options).await;
        // dropping it waits for its thread
        tokio::task::spawn_blocking(move || drop(admin));
        for result in answer.map_err(unanswered)? {
            match result {
                Ok(topic) => info!(topic, "topic made"),
                Err((topic, code)) => self.explain(topic, code)?,
            }
        }
        Ok(())
    }

    fn new_topic<'a>(
        &self,
        spec: &'a TopicSpec,
        settings: &'a [(&'a str, String)],
    ) -> NewTopic<'a> {
        let replication = TopicReplication::Fixed(i32::from(self.config.replication_factor));
        let topic = NewTopic::new(&spec.name, spec.partitions, replication);
        settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    }

    /// What a refusal means: nothing (somebody was faster), "later", or "never".
    fn explain(&self, topic: String, code: RDKafkaErrorCode) -> Result<(), BusError> {
        match code {
            RDKafkaErrorCode::TopicAlreadyExists => Ok(()),
            RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidPartitions
            | RDKafkaErrorCode::InvalidConfig
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::UnsupportedVersion => {
                Err(BusError::Topic { topic, reason: code.to_string() })
            }
            // a user cannot tell a topic that it may not see from one that is not there
            _ if is_refused(code) => {
                let who = self.link.who();
                let what = format!(
                    "topic '{topic}': it is not there, or {who} may not see it, and {who} may not \
                     make it: make it with `mlvi topics create` as a user who may, or allow \
                     Describe on it"
                );
                Err(BusError::NotAllowed { what })
            }
            _ if is_transient(code) => Err(BusError::BrokerAway { reason: code.to_string() }),
            // e.g. a replication factor for which not enough brokers have started yet
            _ => Err(BusError::BrokerAway {
                reason: format!("topic '{topic}' cannot be made yet: {code}"),
            }),
        }
    }
}

fn settings_of(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let mut settings = vec![("max.message.bytes", MAX_MESSAGE_BYTES.to_string())];
    match spec.cleanup {
        Cleanup::Delete { retention, retention_bytes } => {
            settings.push(("retention.ms", retention.as_millis().to_string()));
            settings.extend(retention_bytes.map(|bytes| ("retention.bytes", bytes.to_string())));
        }
        Cleanup::Compact { segment_bytes } => {
            settings.push(("cleanup.policy", "compact".into()));
            settings.push(("segment.bytes", segment_bytes.to_string()));
        }
    }
    settings
}

fn warn_if_small(spec: &TopicSpec, partitions: usize) {
    let wanted = usize::try_from(spec.partitions).unwrap_or(0);
    if partitions < wanted {
        let topic = &spec.name;
        // adding partitions moves keys to others: that is for a person to decide
        let mend = "mlvi topics create --grow";
        warn!(
            topic,
            partitions,
            wanted,
            mend,
            "a topic has fewer partitions than the configuration asks for"
        );
    }
}
