//! DescribeGroups: who is in a group and reads what.

use super::Call;
use crate::group::Description;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

pub(super) fn answer(call: &Call<'_>, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|id| match call.node.groups.describe(&id) {
        Some(group) => describe(id, group),
        None if call.node.offsets.partitions_of(&id).is_empty() => DescribedGroup::default()
            .with_group_id(id)
            .with_group_state(StrBytes::from_static_str("Dead")),
        None => DescribedGroup::default()
            .with_group_id(id)
            .with_group_state(StrBytes::from_static_str("Empty")),
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe(id: GroupId, group: Description) -> DescribedGroup {
    let members = group.members.into_iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(StrBytes::from_string(member.member_id))
            .with_group_instance_id(member.instance_id.map(StrBytes::from_string))
            .with_client_id(StrBytes::from_string(member.client_id))
            .with_client_host(StrBytes::from_string(format!("/{}", member.client_host)))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    });
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(StrBytes::from_static_str(group.phase.name()))
        .with_protocol_type(StrBytes::from_string(group.protocol_type))
        .with_protocol_data(StrBytes::from_string(group.protocol))
        .with_members(members.collect())
}
