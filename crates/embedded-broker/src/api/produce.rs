//! Produce: appends batches.

use super::{Call, reply};
use crate::connection::Hangup;
use crate::disk::is_full;
use crate::log::{AppendError, BatchError, SequenceError};
use crate::node::Node;
use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use tracing::{debug, error};

pub(super) async fn answer(
    call: &Call<'_>,
    request: ProduceRequest,
) -> Result<Option<BytesMut>, Hangup> {
    let acks = request.acks;
    let response = if request.transactional_id.is_some() {
        refuse_all(request, ResponseError::InvalidTxnState)
    } else if !(-1..=1).contains(&acks) {
        refuse_all(request, ResponseError::InvalidRequiredAcks)
    } else {
        call.node.blocking(move |node| append_all(node, request)).await?
    };
    // with acks=0 the client does not listen
    if acks == 0 { Ok(None) } else { reply::encode(call, response).await.map(Some) }
}

fn append_all(node: &Node, request: ProduceRequest) -> ProduceResponse {
    respond(request, |topic, data| append(node, topic, data))
}

fn refuse_all(request: ProduceRequest, error: ResponseError) -> ProduceResponse {
    respond(request, |_, data| refusal(data.index, error, None))
}

fn respond(
    request: ProduceRequest,
    mut each: impl FnMut(&str, PartitionProduceData) -> PartitionProduceResponse,
) -> ProduceResponse {
    let topic = |topic: TopicProduceData| {
        let partitions =
            topic.partition_data.into_iter().map(|data| each(&topic.name, data)).collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    };
    ProduceResponse::default().with_responses(request.topic_data.into_iter().map(topic).collect())
}

fn append(node: &Node, topic: &str, data: PartitionProduceData) -> PartitionProduceResponse {
    let Some(partition) = node.topics.partition(topic, data.index) else {
        return refusal(data.index, ResponseError::UnknownTopicOrPartition, None);
    };
    let records = data.records.unwrap_or_default();
    let used = || node.topics.partitions().iter().map(|partition| partition.bytes()).sum();
    let appended = node.disk.check(records.len(), used).map_err(AppendError::Storage);
    match appended.and_then(|()| partition.append(&records)).inspect(|_| node.disk.has_space()) {
        Ok(appended) => PartitionProduceResponse::default()
            .with_index(data.index)
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(appended.log_start),
        Err(reason) => {
            match &reason {
                AppendError::Storage(error) if is_full(error) => node.disk.is_full_now(),
                AppendError::Storage(error) => {
                    error!(topic, partition = data.index, %error, "cannot append")
                }
                _ => debug!(topic, partition = data.index, %reason, "refused a batch"),
            }
            refusal(data.index, code(&reason), Some(reason.to_string()))
        }
    }
}

fn code(reason: &AppendError) -> ResponseError {
    match reason {
        AppendError::TooLarge { .. } => ResponseError::MessageTooLarge,
        AppendError::Batch(BatchError::Crc | BatchError::Truncated) => {
            ResponseError::CorruptMessage
        }
        AppendError::Batch(BatchError::Format(_)) => ResponseError::UnsupportedForMessageFormat,
        AppendError::Batch(BatchError::Inconsistent | BatchError::NoKey) => {
            ResponseError::InvalidRecord
        }
        AppendError::Batch(BatchError::Compressed) => ResponseError::UnsupportedCompressionType,
        AppendError::Batch(BatchError::Transactional) => ResponseError::InvalidTxnState,
        AppendError::Sequence(SequenceError::OutOfOrder) => ResponseError::OutOfOrderSequenceNumber,
        AppendError::Sequence(SequenceError::OldEpoch) => ResponseError::InvalidProducerEpoch,
        AppendError::Deleted => ResponseError::UnknownTopicOrPartition,
        // librdkafka repeats a storage error in silence until the message's time is over; this it
        // hands back at once
        AppendError::Storage(error) if is_full(error) => ResponseError::ThrottlingQuotaExceeded,
        AppendError::Storage(_) => ResponseError::KafkaStorageError,
    }
}

fn refusal(index: i32, error: ResponseError, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_error_message(message.map(StrBytes::from_string))
}
