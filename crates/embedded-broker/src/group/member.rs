//! A member of a group, and what members and coordinator say to each other.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How a member names itself in every request but its first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identified {
    pub(crate) member_id: String,
    /// The lasting name of a static member.
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
}

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct JoinCall {
    /// Empty for a member that has none yet.
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    /// Assignment strategies with the member's metadata for each, the preferred one first.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Whether the client can be told its id first and come again with it (KIP-394).
    pub(crate) knows_member_id_required: bool,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

/// A generation that a member is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// All members for the leader, none for the others.
    pub(crate) members: Vec<JoinedMember>,
}

/// Why a member is not part of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRefusal {
    pub(crate) error: ResponseError,
    /// The id to come again with, where the error says so.
    pub(crate) member_id: String,
}

/// A request for the member's assignment; the leader's brings everybody's.
#[derive(Debug, Clone)]
pub(crate) struct SyncCall {
    pub(crate) who: Identified,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) assignments: Vec<(String, Bytes)>,
}

/// A member's assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(super) type JoinReply = oneshot::Sender<Result<Joined, JoinRefusal>>;
pub(super) type SyncReply = oneshot::Sender<Result<Synced, ResponseError>>;

/// What the coordinator keeps of a member.
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// Dead after this, unless it is waiting for an answer.
    pub(super) expires: Instant,
    pub(super) join: Option<JoinReply>,
    pub(super) sync: Option<SyncReply>,
}

impl Member {
    pub(super) fn new(call: JoinCall, now: Instant) -> Self {
        Self {
            instance_id: call.instance_id,
            client_id: call.client_id,
            client_host: call.client_host,
            session_timeout: call.session_timeout,
            rebalance_timeout: call.rebalance_timeout,
            protocols: call.protocols,
            assignment: Bytes::new(),
            expires: now + call.session_timeout,
            join: None,
            sync: None,
        }
    }

    /// Takes over what a member says when it joins again.
    pub(super) fn update(&mut self, call: JoinCall, now: Instant) {
        self.client_id = call.client_id;
        self.client_host = call.client_host;
        self.session_timeout = call.session_timeout;
        self.rebalance_timeout = call.rebalance_timeout;
        self.protocols = call.protocols;
        self.alive(now);
    }

    /// Starts the session anew.
    pub(super) fn alive(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }

    /// Whether it has joined the rebalance that is going on, and its client is still there to hear
    /// the answer.
    pub(super) fn has_joined(&self) -> bool {
        self.join.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    /// Whether it waits for an answer, so that it cannot send heartbeats.
    pub(super) fn is_waiting(&self) -> bool {
        self.has_joined() || self.sync.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }
}
