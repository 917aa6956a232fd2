//! OffsetForLeaderEpoch: where the records of a leader epoch end, so that a client can tell whether
//! it has seen some that are lost.

use super::{Call, check_epoch};
use crate::node::Node;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

pub(super) fn answer(
    call: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topic = |topic: OffsetForLeaderTopic| {
        let partitions =
            topic.partitions.iter().map(|wanted| find(call.node, &topic.topic, wanted)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    };
    OffsetForLeaderEpochResponse::default()
        .with_topics(request.topics.into_iter().map(topic).collect())
}

fn find(node: &Node, topic: &str, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
    let result = EpochEndOffset::default()
        .with_partition(wanted.partition)
        .with_leader_epoch(-1)
        .with_end_offset(-1);
    let Some(partition) = node.topics.partition(topic, wanted.partition) else {
        return result.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    if let Err(error) = check_epoch(&partition, wanted.current_leader_epoch) {
        return result.with_error_code(error.code());
    }
    match partition.end_of_epoch(wanted.leader_epoch) {
        Some((epoch, end)) => result.with_leader_epoch(epoch).with_end_offset(end),
        None => result,
    }
}
