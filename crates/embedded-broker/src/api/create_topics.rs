//! CreateTopics.

use super::Call;
use crate::connection::Hangup;
use crate::node::Node;
use crate::topic_config::TopicConfig;
use crate::topics::{Topic, TopicError};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use tracing::info;

/// Of topics that leave the number of partitions to the broker; Kafka's default.
const DEFAULT_PARTITIONS: usize = 1;
/// Where a setting comes from, in Kafka's numbers.
pub(super) const SOURCE_TOPIC: i8 = 1;
pub(super) const SOURCE_DEFAULT: i8 = 5;

/// Why a topic was not created, with the text that the client shows.
type ErrorReply = (ResponseError, String);

pub(super) async fn answer(
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Hangup> {
    let version = call.version;
    call.node
        .blocking(move |node| {
            let create = |wanted: &CreatableTopic| match create(node, wanted, request.validate_only)
            {
                Ok(created) => accept(node, wanted, created, version),
                Err((error, message)) => CreatableTopicResult::default()
                    .with_name(wanted.name.clone())
                    .with_error_code(error.code())
                    .with_error_message(Some(StrBytes::from_string(message))),
            };
            CreateTopicsResponse::default().with_topics(request.topics.iter().map(create).collect())
        })
        .await
}

/// What was created, or would have been: partitions, settings, and the topic itself.
struct Created {
    partitions: usize,
    config: TopicConfig,
    topic: Option<Arc<Topic>>,
}

fn create(
    node: &Node,
    wanted: &CreatableTopic,
    validate_only: bool,
) -> Result<Created, ErrorReply> {
    let partitions = count_partitions(wanted)?;
    let mut config = TopicConfig::default();
    for setting in &wanted.configs {
        let set = config.set(&setting.name, setting.value.as_deref());
        set.map_err(|invalid| (ResponseError::InvalidConfig, invalid.to_string()))?;
    }
    let refuse = |error: TopicError| (code(&error), error.to_string());
    if validate_only {
        node.topics.check_new(&wanted.name, partitions).map_err(refuse)?;
        return Ok(Created { partitions, config, topic: None });
    }
    let topic = node.topics.create(&wanted.name, partitions, config.clone()).map_err(refuse)?;
    info!(topic = %wanted.name.0, partitions, "topic created");
    Ok(Created { partitions, config, topic: Some(topic) })
}

fn count_partitions(wanted: &CreatableTopic) -> Result<usize, ErrorReply> {
    if !wanted.assignments.is_empty() {
        return Err((
            ResponseError::InvalidReplicaAssignment,
            "there is one broker, which has all partitions".into(),
        ));
    }
    if !matches!(wanted.replication_factor, -1 | 1) {
        return Err((
            ResponseError::InvalidReplicationFactor,
            "there is one broker: the replication factor is 1".into(),
        ));
    }
    if wanted.num_partitions == -1 {
        return Ok(DEFAULT_PARTITIONS);
    }
    let invalid = TopicError::InvalidPartitions;
    usize::try_from(wanted.num_partitions).map_err(|_| (code(&invalid), invalid.to_string()))
}

/// The error code of a topic that is not changed.
pub(super) fn code(error: &TopicError) -> ResponseError {
    match error {
        TopicError::InvalidName => ResponseError::InvalidTopicException,
        TopicError::Exists => ResponseError::TopicAlreadyExists,
        TopicError::Unknown => ResponseError::UnknownTopicOrPartition,
        TopicError::InvalidPartitions | TopicError::TooManyPartitions => {
            ResponseError::InvalidPartitions
        }
        TopicError::Storage(_) => ResponseError::KafkaStorageError,
    }
}

fn accept(
    node: &Node,
    wanted: &CreatableTopic,
    created: Created,
    version: i16,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(wanted.name.clone());
    // older versions say no more than that it worked
    if version < 5 {
        return result;
    }
    let configs = created.config.describe(&node.config).into_iter().map(|setting| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(StrBytes::from_string(setting.value)))
            .with_config_source(if setting.overridden { SOURCE_TOPIC } else { SOURCE_DEFAULT })
    });
    result
        .with_topic_id(created.topic.map(|topic| topic.id).unwrap_or_default())
        .with_num_partitions(i32::try_from(created.partitions).unwrap_or(i32::MAX))
        .with_replication_factor(1)
        .with_configs(Some(configs.collect()))
}
