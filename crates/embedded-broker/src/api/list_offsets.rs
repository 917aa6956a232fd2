//! ListOffsets: where a log begins and ends, and where a time is in it.

use super::{Call, check_epoch};
use crate::connection::Hangup;
use crate::log::{FoundTime, Partition};
use crate::node::Node;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use std::io;
use tracing::error;

/// Times that are none.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const NEWEST: i64 = -3;

pub(super) async fn answer(
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Hangup> {
    let version = call.version;
    call.node
        .blocking(move |node| {
            let topic = |topic: ListOffsetsTopic| {
                let partitions = topic
                    .partitions
                    .iter()
                    .map(|wanted| list(node, &topic.name, wanted, version))
                    .collect();
                ListOffsetsTopicResponse::default()
                    .with_name(topic.name)
                    .with_partitions(partitions)
            };
            ListOffsetsResponse::default()
                .with_topics(request.topics.into_iter().map(topic).collect())
        })
        .await
}

fn list(
    node: &Node,
    topic: &str,
    wanted: &ListOffsetsPartition,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(wanted.partition_index)
        .with_offset(-1)
        .with_timestamp(-1)
        .with_leader_epoch(-1);
    let Some(partition) = node.topics.partition(topic, wanted.partition_index) else {
        return response.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    if let Err(error) = check_epoch(&partition, wanted.current_leader_epoch) {
        return response.with_error_code(error.code());
    }
    let epoch = |offset| if version >= 4 { partition.epoch_at(offset) } else { -1 };
    match find(&partition, wanted.timestamp) {
        Ok(Some(found)) => response
            .with_offset(found.offset)
            .with_timestamp(found.timestamp)
            .with_leader_epoch(epoch(found.offset)),
        Ok(None) => response,
        Err(error) => {
            error!(topic, partition = wanted.partition_index, %error, "cannot read a log");
            response.with_error_code(ResponseError::KafkaStorageError.code())
        }
    }
}

fn find(partition: &Partition, timestamp: i64) -> io::Result<Option<FoundTime>> {
    let (start, end) = partition.offsets();
    match timestamp {
        LATEST => Ok(Some(FoundTime { offset: end, timestamp: -1 })),
        EARLIEST => Ok(Some(FoundTime { offset: start, timestamp: -1 })),
        NEWEST => partition.find_newest(),
        timestamp => partition.find_time(timestamp),
    }
}
