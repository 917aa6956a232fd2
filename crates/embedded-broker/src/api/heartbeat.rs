//! Heartbeat: a member is alive, and learns whether it has to join again.

use super::Call;
use crate::group::Identified;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

pub(super) fn answer(call: &Call<'_>, request: HeartbeatRequest) -> HeartbeatResponse {
    let who = Identified {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        generation: request.generation_id,
    };
    let error = call
        .node
        .groups
        .heartbeat(&request.group_id, &who)
        .map_or_else(|error| error.code(), |()| 0);
    HeartbeatResponse::default().with_error_code(error)
}
