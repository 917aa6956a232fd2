//! Metadata: which topics there are, and that this broker leads all of them.

use super::{Call, NODE_ID};
use crate::log::Partition;
use crate::topics::Topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;

pub(super) fn answer(call: &Call<'_>, request: MetadataRequest) -> MetadataResponse {
    let topics = match request.topics {
        // in version 0 an empty list means all, later only null does
        Some(topics) if !(topics.is_empty() && call.version == 0) => {
            topics.into_iter().map(|topic| find(call, topic)).collect()
        }
        _ => call.node.topics.all().iter().map(|topic| describe(topic)).collect(),
    };
    let (host, port) = call.advertised();
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(host)
        .with_port(port);
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_string(call.node.identity.cluster_id.clone())))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn find(call: &Call<'_>, wanted: MetadataRequestTopic) -> MetadataResponseTopic {
    let found = match &wanted.name {
        Some(name) => call.node.topics.get(name),
        None => call.node.topics.by_id(wanted.topic_id),
    };
    if let Some(topic) = found {
        return describe(&topic);
    }
    let error = if wanted.name.is_some() {
        ResponseError::UnknownTopicOrPartition
    } else {
        ResponseError::UnknownTopicId
    };
    // before version 12 a response cannot leave the name out
    let name = if call.version < 12 { Some(wanted.name.unwrap_or_default()) } else { wanted.name };
    MetadataResponseTopic::default()
        .with_name(name)
        .with_topic_id(wanted.topic_id)
        .with_error_code(error.code())
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let partition = |(index, partition): (i32, &Arc<Partition>)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(partition.leader_epoch())
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.clone()))))
        .with_topic_id(topic.id)
        .with_partitions((0..).zip(&topic.partitions).map(partition).collect())
}
