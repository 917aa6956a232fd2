//! JoinGroup: waits until the next generation of a group is known.

use super::Call;
use crate::connection::Hangup;
use crate::group::{JoinCall, JoinRefusal, Joined, JoinedMember};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// A member is given up after at least and at most this, in ms. The upper bound is Kafka's default;
/// the lower one is far below Kafka's, for tests.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<i32> = 50..=1_800_000;
/// A rebalance is waited for at most this long, in ms: a day, the largest `max.poll.interval.ms` of
/// librdkafka.
const LONGEST_REBALANCE: i32 = 86_400_000;

pub(super) async fn answer(
    call: &Call<'_>,
    request: JoinGroupRequest,
) -> Result<JoinGroupResponse, Hangup> {
    if request.group_id.is_empty() {
        return Ok(refuse(ResponseError::InvalidGroupId, request.member_id));
    }
    if !SESSION_TIMEOUTS.contains(&request.session_timeout_ms) {
        return Ok(refuse(ResponseError::InvalidSessionTimeout, request.member_id));
    }
    let member_id = request.member_id.clone();
    let answer = call.node.groups.join(&request.group_id, join_call(call, &request));
    tokio::select! {
        () = call.peer.gone.cancelled() => Err(Hangup::Stopping),
        answer = answer => Ok(match answer {
            Ok(Ok(joined)) => respond(joined),
            Ok(Err(JoinRefusal { error, member_id })) => refuse(error, StrBytes::from_string(member_id)),
            // the same member has asked again in the meantime
            Err(_) => refuse(ResponseError::RebalanceInProgress, member_id),
        }),
    }
}

fn join_call(call: &Call<'_>, request: &JoinGroupRequest) -> JoinCall {
    let millis =
        |ms: i32| Duration::from_millis(u64::from(ms.clamp(0, LONGEST_REBALANCE).unsigned_abs()));
    let session_timeout = millis(request.session_timeout_ms);
    // version 0 has one timeout for both
    let rebalance_timeout = if request.rebalance_timeout_ms > 0 {
        millis(request.rebalance_timeout_ms)
    } else {
        session_timeout
    };
    // copied, because a slice would keep the whole request in memory
    let protocols = request
        .protocols
        .iter()
        .map(|protocol| (protocol.name.to_string(), Bytes::copy_from_slice(&protocol.metadata)));
    JoinCall {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        client_id: call.client_id.clone(),
        client_host: call.peer.host.clone(),
        session_timeout,
        rebalance_timeout,
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.collect(),
        knows_member_id_required: call.version >= 4,
    }
}

fn respond(joined: Joined) -> JoinGroupResponse {
    let member = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(StrBytes::from_string(member.member_id))
            .with_group_instance_id(member.instance_id.map(StrBytes::from_string))
            .with_metadata(member.metadata)
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(StrBytes::from_string(joined.protocol_type)))
        .with_protocol_name(Some(StrBytes::from_string(joined.protocol)))
        .with_leader(StrBytes::from_string(joined.leader))
        .with_member_id(StrBytes::from_string(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}

fn refuse(error: ResponseError, member_id: StrBytes) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_type(Some(StrBytes::default()))
        .with_protocol_name(Some(StrBytes::default()))
        .with_member_id(member_id)
}
