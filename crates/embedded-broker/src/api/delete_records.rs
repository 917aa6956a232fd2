//! DeleteRecords: makes the beginning of logs unreadable.

use super::Call;
use crate::connection::Hangup;
use crate::log::OutOfRange;
use crate::node::Node;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use tracing::error;

pub(super) async fn answer(
    call: &Call<'_>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Hangup> {
    call.node
        .blocking(move |node| {
            let topic = |topic: DeleteRecordsTopic| {
                let partitions = topic
                    .partitions
                    .iter()
                    .map(|wanted| delete(node, &topic.name, wanted))
                    .collect();
                DeleteRecordsTopicResult::default()
                    .with_name(topic.name)
                    .with_partitions(partitions)
            };
            DeleteRecordsResponse::default()
                .with_topics(request.topics.into_iter().map(topic).collect())
        })
        .await
}

fn delete(
    node: &Node,
    topic: &str,
    wanted: &DeleteRecordsPartition,
) -> DeleteRecordsPartitionResult {
    let result =
        DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
    let failed =
        |error: ResponseError| result.clone().with_low_watermark(-1).with_error_code(error.code());
    let Some(partition) = node.topics.partition(topic, wanted.partition_index) else {
        return failed(ResponseError::UnknownTopicOrPartition);
    };
    match partition.delete_before(wanted.offset) {
        Ok(Ok(start)) => result.with_low_watermark(start),
        Ok(Err(OutOfRange)) => failed(ResponseError::OffsetOutOfRange),
        Err(error) => {
            error!(topic, partition = wanted.partition_index, %error, "cannot delete records");
            failed(ResponseError::KafkaStorageError)
        }
    }
}
