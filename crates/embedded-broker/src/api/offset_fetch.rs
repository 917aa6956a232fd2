//! OffsetFetch: how far groups have come.

use super::Call;
use crate::node::Node;
use crate::offsets::Committed;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// A topic and the partitions of it that are asked for, or are known.
type Wanted = (TopicName, Vec<i32>);

/// From version 8 on a request names many groups, before that one.
pub(super) fn answer(call: &Call<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if call.version >= 8 {
        let groups = request.groups.into_iter().map(|group| {
            let asked = group.topics.map(|topics| {
                topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
            });
            let topics =
                wanted(call.node, &group.group_id, asked).into_iter().map(|(name, partitions)| {
                    let partitions = partitions.iter().map(|index| {
                        in_group(*index, get(call.node, &group.group_id, &name, *index))
                    });
                    OffsetFetchResponseTopics::default()
                        .with_partitions(partitions.collect())
                        .with_name(name)
                });
            OffsetFetchResponseGroup::default()
                .with_topics(topics.collect())
                .with_group_id(group.group_id)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    // before version 2 there was no way to ask for all
    let asked = request.topics.map(|topics| {
        topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
    });
    let group = request.group_id;
    let topics = wanted(call.node, &group, asked).into_iter().map(|(name, partitions)| {
        let partitions =
            partitions.iter().map(|index| alone(*index, get(call.node, &group, &name, *index)));
        OffsetFetchResponseTopic::default().with_partitions(partitions.collect()).with_name(name)
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

fn wanted(node: &Node, group: &str, asked: Option<Vec<Wanted>>) -> Vec<Wanted> {
    let known = || node.offsets.partitions_of(group).into_iter();
    asked.unwrap_or_else(|| {
        known()
            .map(|(topic, partitions)| (StrBytes::from_string(topic).into(), partitions))
            .collect()
    })
}

fn get(node: &Node, group: &str, topic: &str, index: i32) -> Committed {
    let none = || Committed {
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        topic_id: Uuid::nil(),
    };
    // one that was committed while its topic was being deleted is nobody's
    let id = node.topics.get(topic).map(|topic| topic.id);
    let valid =
        |committed: &Committed| committed.topic_id.is_nil() || Some(committed.topic_id) == id;
    node.offsets.get(group, topic, index).filter(valid).unwrap_or_else(none)
}

fn alone(index: i32, committed: Committed) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(committed.offset)
        .with_committed_leader_epoch(committed.leader_epoch)
        .with_metadata(Some(StrBytes::from_string(committed.metadata)))
}

fn in_group(index: i32, committed: Committed) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(committed.offset)
        .with_committed_leader_epoch(committed.leader_epoch)
        .with_metadata(Some(StrBytes::from_string(committed.metadata)))
}
