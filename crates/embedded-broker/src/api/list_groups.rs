//! ListGroups: groups with members, and groups that have left offsets.

use super::Call;
use crate::group::Phase;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

pub(super) fn answer(call: &Call<'_>, request: ListGroupsRequest) -> ListGroupsResponse {
    let consumer = || "consumer".to_owned(); // only consumers commit offsets
    let left: BTreeMap<_, _> =
        call.node.offsets.groups().into_iter().map(|id| (id, (consumer(), Phase::Empty))).collect();
    let alive = call
        .node
        .groups
        .list()
        .into_iter()
        .map(|(id, group)| (id, (group.protocol_type, group.phase)));
    let all: BTreeMap<_, _> = left.into_iter().chain(alive).collect();
    let wanted = |phase: Phase| {
        request.states_filter.is_empty()
            || request.states_filter.iter().any(|state| state.eq_ignore_ascii_case(phase.name()))
    };
    let groups = all.into_iter().filter(|(_, (_, phase))| wanted(*phase)).map(
        |(id, (protocol_type, phase))| {
            ListedGroup::default()
                .with_group_id(StrBytes::from_string(id).into())
                .with_protocol_type(StrBytes::from_string(protocol_type))
                .with_group_state(StrBytes::from_static_str(phase.name()))
        },
    );
    ListGroupsResponse::default().with_groups(groups.collect())
}
