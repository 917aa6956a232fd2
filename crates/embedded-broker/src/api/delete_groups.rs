//! DeleteGroups: forgets the offsets of groups that nobody is in.

use super::Call;
use crate::connection::Hangup;
use crate::node::Node;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use tracing::error;

pub(super) async fn answer(
    call: &Call<'_>,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, Hangup> {
    call.node
        .blocking(move |node| {
            let results = request.groups_names.into_iter().map(|id| {
                let error = delete(node, &id);
                DeletableGroupResult::default().with_group_id(id).with_error_code(error)
            });
            DeleteGroupsResponse::default().with_results(results.collect())
        })
        .await
}

fn delete(node: &Node, group: &str) -> i16 {
    if node.groups.describe(group).is_some() {
        return ResponseError::NonEmptyGroup.code();
    }
    match node.offsets.forget_group(group) {
        Ok(true) => 0,
        Ok(false) => ResponseError::GroupIdNotFound.code(),
        Err(error) => {
            error!(group, %error, "cannot forget a group");
            ResponseError::CoordinatorNotAvailable.code()
        }
    }
}
