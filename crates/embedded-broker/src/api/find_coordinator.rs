//! FindCoordinator: every group's coordinator is this broker.

use super::{Call, NODE_ID};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

/// Key type of groups; 1 is transactions, which are not on offer.
const GROUP: i8 = 0;

pub(super) fn answer(call: &Call<'_>, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let found = request.key_type == GROUP;
    let (host, port) = call.advertised();
    let error = if found { 0 } else { ResponseError::InvalidRequest.code() };
    let message =
        (!found).then(|| StrBytes::from_static_str("this broker coordinates groups only"));
    let node = BrokerId(if found { NODE_ID } else { -1 });
    if call.version >= 4 {
        let coordinator = |key| {
            Coordinator::default()
                .with_key(key)
                .with_node_id(node)
                .with_host(host.clone())
                .with_port(port)
                .with_error_code(error)
                .with_error_message(message.clone())
        };
        let coordinators = request.coordinator_keys.into_iter().map(coordinator).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    FindCoordinatorResponse::default()
        .with_node_id(node)
        .with_host(host)
        .with_port(port)
        .with_error_code(error)
        .with_error_message(message)
}
