//! Which topics there are, and giving them more partitions: questions of a person, not of a unit.

use crate::client::log::LogContext;
use crate::client::{self, Inquirer, properties};
use crate::config::BusConfig;
use crate::config::topics::TopicSpec;
use crate::error::BusError;
use crate::error::codes::{is_refused, unanswered};
use crate::health::broker::Link;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long one question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many brokers keep each partition.
    pub replicas: usize,
    /// Its settings by Kafka's names, e.g. `max.message.bytes`; none where this user may not see
    /// them.
    pub settings: BTreeMap<String, String>,
}

/// Those of these topics that are there and that the broker lets us see.
pub(crate) async fn find(
    config: &BusConfig,
    link: &Arc<Link>,
    inquirer: &Arc<Inquirer>,
    names: &[String],
) -> Result<Vec<TopicState>, BusError> {
    let (inquirer, wanted) = (Arc::clone(inquirer), names.to_vec());
    let mut topics: Vec<TopicState> = crate::client::blocking(move || {
        let metadata = inquirer.fetch_metadata(None, PATIENCE).map_err(unanswered)?;
        let usable = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        let usable = usable.filter(|topic| wanted.iter().any(|name| name == topic.name()));
        let state = |topic: &rdkafka::metadata::MetadataTopic| TopicState {
            name: topic.name().to_owned(),
            partitions: topic.partitions().len(),
            replicas: topic
                .partitions()
                .iter()
                .map(|partition| partition.replicas().len())
                .min()
                .unwrap_or(0),
            settings: BTreeMap::new(),
        };
        Ok(usable.map(state).collect())
    })
    .await?;
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    if topics.is_empty() {
        return Ok(topics);
    }
    let admin = admin(config, link)?;
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let asked: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let answer = admin.describe_configs(&asked, &options()).await;
    put_away(admin);
    for resource in answer.map_err(unanswered)?.into_iter().flatten() {
        let topic = topics
            .iter_mut()
            .find(|topic| resource.specifier == OwnedResourceSpecifier::Topic(topic.name.clone()));
        if let Some(topic) = topic {
            topic.settings = resource
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
        }
    }
    Ok(topics)
}

/// Gives a topic as many partitions as are asked for.
pub(crate) async fn grow(
    config: &BusConfig,
    link: &Arc<Link>,
    spec: &TopicSpec,
) -> Result<(), BusError> {
    let admin = admin(config, link)?;
    let wanted = usize::try_from(spec.partitions).unwrap_or(0);
    let answer =
        admin.create_partitions(&[NewPartitions::new(&spec.name, wanted)], &options()).await;
    put_away(admin);
    for result in answer.map_err(unanswered)? {
        match result {
            Ok(_) => {}
            Err((topic, code)) if is_refused(code) => {
                let what = format!(
                    "{} may not add partitions to topic '{topic}' (operation Alter)",
                    link.who()
                );
                return Err(BusError::NotAllowed { what });
            }
            Err((topic, code @ RDKafkaErrorCode::RequestTimedOut)) => {
                return Err(BusError::BrokerAway { reason: format!("topic '{topic}': {code}") });
            }
            Err((topic, code)) => return Err(BusError::Topic { topic, reason: code.to_string() }),
        }
    }
    Ok(())
}

fn admin(config: &BusConfig, link: &Arc<Link>) -> Result<AdminClient<LogContext>, BusError> {
    client::create(&properties::admin(config), LogContext::new("admin", link))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// Dropping a client waits for its thread.
fn put_away(admin: AdminClient<LogContext>) {
    tokio::task::spawn_blocking(move || drop(admin));
}
