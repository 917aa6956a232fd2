//! Which partitions a topic has.

use crate::error::BusError;
use crate::error::codes::{is_refused, unanswered};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use std::time::Duration;

/// The partitions of a topic, in order; a topic that is not there is an error. Blocks.
pub(crate) fn partitions_of<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    limit: Duration,
) -> Result<Vec<i32>, BusError> {
    match find_partitions(client, topic, limit)? {
        Some(partitions) => Ok(partitions),
        None => Err(BusError::Topic { topic: topic.to_owned(), reason: "it is not there".into() }),
    }
}

/// The partitions of a topic, in order; `None` when it is not there. Blocks.
pub(crate) fn find_partitions<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    limit: Duration,
) -> Result<Option<Vec<i32>>, BusError> {
    let metadata = client.fetch_metadata(Some(topic), limit).map_err(unanswered)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Ok(None);
        }
        // a topic that is just being made, or a broker that has just started: it is there, but
        // nobody can say yet what is in it
        Some(code @ RDKafkaErrorCode::LeaderNotAvailable) => {
            return Err(BusError::BrokerAway { reason: code.to_string() });
        }
        Some(code) if is_refused(code) => {
            return Err(BusError::NotAllowed {
                what: format!("topic '{topic}': the broker does not let this user see it"),
            });
        }
        Some(code) => {
            return Err(BusError::Topic { topic: topic.to_owned(), reason: code.to_string() });
        }
    }
    let mut partitions: Vec<i32> =
        found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect();
    partitions.sort_unstable();
    Ok(if partitions.is_empty() { None } else { Some(partitions) })
}
