//! OffsetCommit: remembers how far a group has come.

use super::Call;
use crate::connection::Hangup;
use crate::group::Identified;
use crate::node::Node;
use crate::offsets::Committed;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use tracing::error;

/// Kafka's limit for what a client may add to a commit.
const MAX_METADATA_BYTES: usize = 4096;

pub(super) async fn answer(
    call: &Call<'_>,
    request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Hangup> {
    let who = Identified {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        generation: request.generation_id_or_member_epoch,
    };
    match call.node.groups.may_commit(&request.group_id, &who) {
        Ok(()) => call.node.blocking(move |node| commit(node, &request)).await,
        Err(error) => Ok(respond(&request, |_, _| error.code())),
    }
}

fn commit(node: &Node, request: &OffsetCommitRequest) -> OffsetCommitResponse {
    let mut commits = Vec::new();
    for topic in &request.topics {
        let Some(known) = node.topics.get(&topic.name) else { continue };
        for partition in
            topic.partitions.iter().filter(|partition| check(node, &topic.name, partition) == 0)
        {
            let log = usize::try_from(partition.partition_index)
                .ok()
                .and_then(|index| known.partitions.get(index));
            let committed = Committed {
                // a group that has read up to lost records has nothing left to read before the next
                // ones
                offset: log.map_or(partition.committed_offset, |log| {
                    log.settle(partition.committed_offset)
                }),
                topic_id: known.id,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
            };
            commits.push((topic.name.to_string(), partition.partition_index, committed));
        }
    }
    match node.offsets.commit(&request.group_id, commits) {
        Ok(()) => respond(request, |topic, partition| check(node, topic, partition)),
        Err(error) => {
            error!(group = %request.group_id.0, %error, "cannot keep committed offsets");
            respond(request, |_, _| ResponseError::CoordinatorNotAvailable.code())
        }
    }
}

fn check(node: &Node, topic: &str, partition: &OffsetCommitRequestPartition) -> i16 {
    let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > MAX_METADATA_BYTES {
        ResponseError::OffsetMetadataTooLarge.code()
    } else if partition.committed_offset < 0 {
        ResponseError::InvalidRequest.code()
    } else if node.topics.partition(topic, partition.partition_index).is_none() {
        ResponseError::UnknownTopicOrPartition.code()
    } else {
        0
    }
}

fn respond(
    request: &OffsetCommitRequest,
    code: impl Fn(&str, &OffsetCommitRequestPartition) -> i16,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let error = code(&topic.name, partition);
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}
