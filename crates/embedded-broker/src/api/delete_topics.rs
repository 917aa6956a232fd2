//! DeleteTopics: with messages and committed offsets.

use super::Call;
use super::create_topics::code;
use crate::connection::Hangup;
use crate::node::Node;
use crate::topics::{Topic, TopicError};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use tracing::{error, info};

/// From version 6 on topics may be named by id.
pub(super) async fn answer(
    call: &Call<'_>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Hangup> {
    call.node
        .blocking(move |node| {
            let by_name = request
                .topic_names
                .into_iter()
                .map(|name| DeleteTopicState::default().with_name(Some(name)));
            let wanted = by_name.chain(request.topics);
            DeleteTopicsResponse::default()
                .with_responses(wanted.map(|wanted| respond(node, wanted)).collect())
        })
        .await
}

fn respond(node: &Node, wanted: DeleteTopicState) -> DeletableTopicResult {
    let by_id = wanted.name.is_none();
    let name = wanted.name.or_else(|| {
        let topic = node.topics.by_id(wanted.topic_id)?;
        Some(TopicName(StrBytes::from_string(topic.name.clone())))
    });
    let deleted = name.as_ref().map_or(Err(TopicError::Unknown), |name| delete(node, name));
    let result = DeletableTopicResult::default().with_topic_id(wanted.topic_id);
    match deleted {
        Ok(topic) => result.with_name(name).with_topic_id(topic.id),
        Err(TopicError::Unknown) if by_id => {
            result.with_name(None).with_error_code(ResponseError::UnknownTopicId.code())
        }
        Err(error) => result.with_name(name).with_error_code(code(&error).code()),
    }
}

fn delete(node: &Node, name: &str) -> Result<Arc<Topic>, TopicError> {
    let deleted = node.topics.delete(name);
    // it may be gone although its files are not; whoever creates it anew begins without offsets
    if !matches!(deleted, Err(TopicError::Unknown)) && node.topics.get(name).is_none() {
        info!(topic = name, "topic deleted");
        if let Err(error) = node.offsets.forget_topic(name) {
            error!(topic = name, %error, "cannot forget the offsets of a deleted topic");
        }
    }
    deleted
}
