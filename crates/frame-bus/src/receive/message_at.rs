//! Reading one message at a known place.

use crate::client::log::LogContext;
use crate::client::metadata::find_partitions;
use crate::client::{self, properties};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::error::codes::unanswered;
use crate::health::broker::Link;
use crate::message::Message;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a read may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// A client that reads single messages, one at a time; made when it is first needed.
#[derive(Default)]
pub(crate) struct Reader {
    client: Mutex<Option<BaseConsumer<LogContext>>>,
}

/// A place in a topic.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Reader {
    /// The message at this place, or `None` when there is none (any more). Blocks.
    pub(crate) fn read(
        &self,
        config: &BusConfig,
        link: &Arc<Link>,
        place: &Place,
    ) -> Result<Option<Message>, BusError> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match kept.take() {
            Some(client) => client,
            None => client::create(&properties::reader(config), LogContext::new("reader", link))?,
        };
        let outcome = read_with(&client, place);
        // a client that has just failed is not kept
        if outcome.is_ok() {
            *kept = Some(client);
        }
        outcome
    }
}

fn read_with(
    client: &BaseConsumer<LogContext>,
    place: &Place,
) -> Result<Option<Message>, BusError> {
    let Place { topic, partition, offset } = place;
    let deadline = Instant::now() + PATIENCE;
    if !find_partitions(client, topic, PATIENCE)?
        .is_some_and(|partitions| partitions.contains(partition))
    {
        return Ok(None);
    }
    let (low, high) = client.fetch_watermarks(topic, *partition, PATIENCE).map_err(unanswered)?;
    if *offset < low || *offset >= high {
        return Ok(None);
    }
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(unanswered)?;
    client.assign(&list).map_err(unanswered)?;
    let found = poll_for(client, place, deadline);
    client.unassign().map_err(unanswered)?;
    found
}

fn poll_for(
    client: &BaseConsumer<LogContext>,
    place: &Place,
    deadline: Instant,
) -> Result<Option<Message>, BusError> {
    while Instant::now() < deadline {
        match client.poll(POLL) {
            // what an earlier assignment had prefetched may come first
            Some(Ok(message))
                if (message.topic(), message.partition())
                    != (place.topic.as_str(), place.partition) => {}
            Some(Ok(message)) if message.offset() < place.offset => {}
            Some(Ok(message)) => {
                return Ok((message.offset() == place.offset).then(|| Message::copy_of(&message)));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) if partition == place.partition => {
                return Ok(None);
            }
            Some(Err(_)) | None => {}
        }
    }
    Err(BusError::BrokerAway { reason: "the message did not come in time".into() })
}
