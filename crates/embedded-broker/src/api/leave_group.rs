//! LeaveGroup: members say goodbye.

use super::Call;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

/// From version 3 on a request names many members, before that one.
pub(super) fn answer(call: &Call<'_>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let leave = |member_id: &str, instance_id: Option<&str>| {
        let left = call.node.groups.leave(&request.group_id, member_id, instance_id);
        left.map_or_else(|error| error.code(), |()| 0)
    };
    if call.version < 3 {
        return LeaveGroupResponse::default().with_error_code(leave(&request.member_id, None));
    }
    let members = request.members.iter().map(|member| {
        let error = leave(&member.member_id, member.group_instance_id.as_deref());
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(error)
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
