//! What the error codes of librdkafka mean to whoever called it.

use crate::error::BusError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Whether an error says that the broker does not allow something.
pub(crate) fn is_refused(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}

/// Whether an error only says that a broker cannot be reached at the moment.
pub(crate) fn is_transient(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::NodeUpdate
            | RDKafkaErrorCode::BrokerDestroy
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::NotCoordinator
    )
}

/// A question that was not answered.
pub(crate) fn unanswered(error: KafkaError) -> BusError {
    let reason = error.to_string();
    match error.rdkafka_error_code() {
        Some(code) if is_refused(code) => BusError::NotAllowed { what: reason },
        _ => BusError::BrokerAway { reason },
    }
}
