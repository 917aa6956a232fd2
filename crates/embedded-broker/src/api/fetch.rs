//! Fetch: reads batches, and waits for them.

use super::{Call, check_epoch};
use crate::connection::Hangup;
use crate::log::{OutOfRange, Partition, Stretch, Waiter};
use crate::node::Node;
use crate::topics::Topic;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, TopicName};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::error;
use uuid::Uuid;

/// An answer is in memory as a whole, once for each connection: a client may ask for less, but not
/// for more. A little above Kafka's default for `fetch.max.bytes`, 50 MiB, so that clients as they
/// come are not held back.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// So much is read at once where it is in the page cache: as much as a client of ours fetches of a
/// partition, in less than a tenth of a millisecond.
const INLINE_BYTES: usize = 512 * 1024;

/// What a request asks of one partition, and the partition if there is one.
struct Wanted {
    topic: TopicName,
    topic_id: Uuid,
    request: FetchPartition,
    partition: Result<Arc<Partition>, ResponseError>,
}

pub(super) async fn answer(
    call: &Call<'_>,
    request: FetchRequest,
) -> Result<FetchResponse, Hangup> {
    // sessions are not on offer: one that a client believes to have must have been another broker's
    if request.session_id != 0 || request.session_epoch > 0 {
        return Ok(
            FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code())
        );
    }
    let deadline =
        Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let min_bytes = u64::try_from(request.min_bytes).unwrap_or(0).min(MAX_RESPONSE_BYTES as u64);
    let waiter = Waiter::default();
    let wanted = loop {
        let wanted = look_up(call.node, &request, call.version);
        // registered before reading, so that an append in between is not missed
        wanted
            .iter()
            .filter_map(|wanted| wanted.partition.as_ref().ok())
            .for_each(|partition| partition.register(&waiter));
        if is_due(&wanted, min_bytes) || Instant::now() >= deadline {
            break wanted;
        }
        tokio::select! {
            () = waiter.woken() => {}
            () = tokio::time::sleep_until(deadline) => break wanted,
            () = call.peer.gone.cancelled() => break wanted,
        }
    };
    let stretches = pick(&wanted, usize::try_from(request.max_bytes).unwrap_or(0));
    // most answers are empty, or what was written a moment ago: moving them to a thread that may be
    // blocked, and back, would take longer than they do
    if let Some(records) = read_from_cache(&stretches) {
        return Ok(respond(wanted, records));
    }
    let read = |stretch: Result<Stretch, OutOfRange>| stretch.map(|stretch| stretch.read());
    let read = move |_: &_| stretches.into_iter().map(|stretch| stretch.map(read)).collect();
    let records = call.node.blocking(read).await?;
    Ok(respond(wanted, records))
}

/// What is read of each partition, if anything is.
type Records = Option<Result<io::Result<Vec<u8>>, OutOfRange>>;

/// Everything that was picked, if it is little and needs no disk.
fn read_from_cache(stretches: &[Option<Result<Stretch, OutOfRange>>]) -> Option<Vec<Records>> {
    let picked = stretches.iter().flatten().flatten();
    if picked.map(Stretch::len).sum::<usize>() > INLINE_BYTES {
        return None;
    }
    let read = |stretch: &Option<Result<Stretch, OutOfRange>>| match stretch {
        None => Some(None),
        Some(Err(OutOfRange)) => Some(Some(Err(OutOfRange))),
        Some(Ok(stretch)) => stretch.read_from_cache().map(|bytes| Some(Ok(Ok(bytes)))),
    };
    stretches.iter().map(read).collect()
}

/// From version 13 on topics are named by id alone.
fn look_up(node: &Node, request: &FetchRequest, version: i16) -> Vec<Wanted> {
    let of_topic = |topic: &FetchTopic| {
        let (found, missing) = match version {
            13.. => (node.topics.by_id(topic.topic_id), ResponseError::UnknownTopicId),
            _ => (node.topics.get(&topic.topic), ResponseError::UnknownTopicOrPartition),
        };
        let (name, topic_id) = (topic.topic.clone(), topic.topic_id);
        topic.partitions.clone().into_iter().map(move |request| {
            let partition =
                found.as_ref().ok_or(missing).and_then(|topic| readable(topic, &request));
            Wanted { topic: name.clone(), topic_id, request, partition }
        })
    };
    request.topics.iter().flat_map(of_topic).collect()
}

/// The partition that is asked for, if the client knows of its present leader epoch.
fn readable(topic: &Topic, request: &FetchPartition) -> Result<Arc<Partition>, ResponseError> {
    let partition =
        usize::try_from(request.partition).ok().and_then(|index| topic.partitions.get(index));
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_epoch(partition, request.current_leader_epoch).map(|()| Arc::clone(partition))
}

/// Where the records of the client's last epoch really end, if it has read further than that (from
/// version 12 on).
fn diverging(wanted: &Wanted, partition: &Partition) -> Option<EpochEndOffset> {
    let last = wanted.request.last_fetched_epoch;
    if last < 0 {
        return None;
    }
    let (epoch, end) = partition.end_of_epoch(last)?;
    let diverges = epoch < last || end < wanted.request.fetch_offset;
    diverges.then(|| EpochEndOffset::default().with_epoch(epoch).with_end_offset(end))
}

/// Whether the answer need not wait: there is enough to read, or something is wrong.
fn is_due(wanted: &[Wanted], min_bytes: u64) -> bool {
    let mut available = 0;
    for wanted in wanted {
        let Ok(partition) = &wanted.partition else { return true };
        match partition.bytes_from(wanted.request.fetch_offset) {
            Ok(_) if diverging(wanted, partition).is_some() => return true,
            Ok(bytes) => {
                available +=
                    bytes.min(u64::try_from(wanted.request.partition_max_bytes).unwrap_or(0))
            }
            Err(OutOfRange) => return true,
        }
    }
    available >= min_bytes
}

/// Chooses what to read: at most `max_bytes` together, and never more than [`MAX_RESPONSE_BYTES`],
/// but the first batch there is whatever its size, so that readers go on.
fn pick(wanted: &[Wanted], max_bytes: usize) -> Vec<Option<Result<Stretch, OutOfRange>>> {
    let mut left = max_bytes.min(MAX_RESPONSE_BYTES);
    let mut nothing_yet = true;
    let pick = |wanted: &Wanted| {
        let limit = usize::try_from(wanted.request.partition_max_bytes).unwrap_or(0).min(left);
        let partition = wanted
            .partition
            .as_ref()
            .ok()
            .filter(|partition| diverging(wanted, partition).is_none())?;
        let stretch =
            partition.stretch(wanted.request.fetch_offset, limit, nothing_yet).transpose()?;
        if let Ok(stretch) = &stretch {
            left = left.saturating_sub(stretch.len());
            nothing_yet = false;
        }
        Some(stretch)
    };
    wanted.iter().map(pick).collect()
}

fn respond(wanted: Vec<Wanted>, records: Vec<Records>) -> FetchResponse {
    let mut topics = Vec::<FetchableTopicResponse>::new();
    for (wanted, records) in wanted.into_iter().zip(records) {
        let data = data_of(&wanted, records);
        match topics.last_mut() {
            Some(topic) if (&topic.topic, topic.topic_id) == (&wanted.topic, wanted.topic_id) => {
                topic.partitions.push(data)
            }
            _ => {
                let topic = FetchableTopicResponse::default()
                    .with_topic(wanted.topic)
                    .with_topic_id(wanted.topic_id);
                topics.push(topic.with_partitions(vec![data]));
            }
        }
    }
    FetchResponse::default().with_responses(topics)
}

fn data_of(wanted: &Wanted, records: Records) -> PartitionData {
    let data = PartitionData::default()
        .with_partition_index(wanted.request.partition)
        .with_preferred_read_replica(BrokerId(-1))
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()));
    let failed = |data: PartitionData, error: ResponseError| {
        data.with_error_code(error.code())
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
    };
    let partition = match &wanted.partition {
        Ok(partition) => partition,
        Err(error) => return failed(data, *error),
    };
    let records = match records {
        None => Bytes::new(),
        Some(Err(OutOfRange)) => return failed(data, ResponseError::OffsetOutOfRange),
        Some(Ok(Ok(bytes))) => bytes.into(),
        Some(Ok(Err(error))) => {
            error!(topic = %wanted.topic.0, partition = wanted.request.partition, %error, "cannot read a log");
            return failed(data, ResponseError::KafkaStorageError);
        }
    };
    let data = match diverging(wanted, partition) {
        Some(diverging) => data.with_diverging_epoch(diverging),
        None => data,
    };
    let (start, end) = partition.offsets();
    data.with_high_watermark(end)
        .with_last_stable_offset(end)
        .with_log_start_offset(start)
        .with_records(Some(records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogOptions;
    use crate::log::testing::{KEEP_ALL, one};

    #[test]
    fn an_answer_is_bounded_whatever_the_client_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let batch = one(1, 10 << 20);
        let open = |index: i32| {
            let options = LogOptions { max_batch_bytes: batch.len(), ..KEEP_ALL };
            let partition =
                Arc::new(Partition::open(dir.path().join(index.to_string()), options).unwrap());
            for _ in 0..4 {
                partition.append(&batch).unwrap();
            }
            let request = FetchPartition::default()
                .with_partition(index)
                .with_partition_max_bytes(i32::MAX)
                .with_last_fetched_epoch(-1);
            Wanted {
                topic: TopicName::default(),
                topic_id: Uuid::nil(),
                request,
                partition: Ok(partition),
            }
        };
        let wanted: Vec<_> = (0..2).map(open).collect();
        let picked: Vec<_> = pick(&wanted, usize::MAX)
            .into_iter()
            .map(|stretch| stretch.unwrap().unwrap().len())
            .collect();
        assert_eq!(
            picked,
            [4 * batch.len(), 2 * batch.len()],
            "all eight batches are more than 64 MiB"
        );
    }
}
