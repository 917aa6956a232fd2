//! SyncGroup: waits until the leader of a group has decided who reads what.

use super::Call;
use crate::connection::Hangup;
use crate::group::{Identified, SyncCall, Synced};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn answer(
    call: &Call<'_>,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Hangup> {
    let text = |text: &StrBytes| text.to_string();
    // copied, because a slice would keep the whole request in memory
    let assignments = request
        .assignments
        .iter()
        .map(|given| (text(&given.member_id), Bytes::copy_from_slice(&given.assignment)));
    let sync = SyncCall {
        who: Identified {
            member_id: text(&request.member_id),
            instance_id: request.group_instance_id.as_ref().map(text),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.as_ref().map(text),
        protocol: request.protocol_name.as_ref().map(text),
        assignments: assignments.collect(),
    };
    let answer = call.node.groups.sync(&request.group_id, sync);
    tokio::select! {
        () = call.peer.gone.cancelled() => Err(Hangup::Stopping),
        answer = answer => Ok(match answer {
            Ok(Ok(synced)) => respond(synced),
            Ok(Err(error)) => refuse(error),
            // there is no such group
            Err(_) => refuse(ResponseError::UnknownMemberId),
        }),
    }
}

fn respond(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_protocol_type(Some(StrBytes::from_string(synced.protocol_type)))
        .with_protocol_name(Some(StrBytes::from_string(synced.protocol)))
        .with_assignment(synced.assignment)
}

fn refuse(error: ResponseError) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(error.code())
}
