//! CreatePartitions: gives topics more partitions.

use super::Call;
use super::create_topics::code;
use crate::connection::Hangup;
use crate::topics::TopicError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn answer(
    call: &Call<'_>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Hangup> {
    call.node
        .blocking(move |node| {
            let grow = |wanted: CreatePartitionsTopic| {
                let count =
                    usize::try_from(wanted.count).map_err(|_| TopicError::InvalidPartitions);
                let grown = count
                    .and_then(|count| node.topics.grow(&wanted.name, count, request.validate_only));
                let result = CreatePartitionsTopicResult::default().with_name(wanted.name);
                match grown {
                    Ok(()) => result,
                    Err(error) => result
                        .with_error_code(code(&error).code())
                        .with_error_message(Some(StrBytes::from_string(error.to_string()))),
                }
            };
            CreatePartitionsResponse::default()
                .with_results(request.topics.into_iter().map(grow).collect())
        })
        .await
}
