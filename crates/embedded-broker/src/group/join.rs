//! A member joins, or joins again.

use super::member::{JoinCall, JoinRefusal, JoinReply, Member};
use super::state::{Group, Phase};
use kafka_protocol::ResponseError;
use std::time::Instant;
use uuid::Uuid;

/// A group of ours has a handful of members; this keeps a client gone wild from filling the memory.
const MAX_MEMBERS: usize = 1000;

impl Group {
    /// Takes a request to join. The answer comes through `reply`, when everybody has joined.
    pub(super) fn join(&mut self, call: JoinCall, reply: JoinReply, now: Instant) {
        let member_id = call.member_id.clone();
        let refuse = |reply: JoinReply, error, member_id| {
            let _ = reply.send(Err(JoinRefusal { error, member_id }));
        };
        if let Err(error) = self.check_protocols(&call) {
            return refuse(reply, error, member_id);
        }
        if !call.member_id.is_empty() {
            return match self.check_known(&call) {
                Ok(()) if self.members.contains_key(&member_id) => self.rejoin(call, reply, now),
                Ok(()) => self.add(member_id, call, reply, now),
                Err(error) => refuse(reply, error, member_id),
            };
        }
        if self.members.len() + self.pending.len() >= MAX_MEMBERS {
            return refuse(reply, ResponseError::GroupMaxSizeReached, member_id);
        }
        let prefix = call.instance_id.as_deref().unwrap_or(&call.client_id);
        let new_id = format!("{prefix}-{}", Uuid::now_v7());
        let previous =
            call.instance_id.as_ref().and_then(|instance| self.statics.get(instance)).cloned();
        match previous {
            Some(previous) => self.replace(&previous, new_id, call, reply, now),
            None if call.instance_id.is_none() && call.knows_member_id_required => {
                self.pending.insert(new_id.clone(), now + call.session_timeout);
                refuse(reply, ResponseError::MemberIdRequired, new_id);
            }
            None => self.add(new_id, call, reply, now),
        }
    }

    /// A group works only if all its members have a strategy in common.
    fn check_protocols(&self, call: &JoinCall) -> Result<(), ResponseError> {
        let others = || {
            self.members.iter().filter(|(id, _)| **id != call.member_id).map(|(_, member)| member)
        };
        let common = |name: &str| others().all(|member| member.supports(name));
        let same_type = self.members.is_empty() || self.protocol_type == call.protocol_type;
        let fits = same_type
            && !call.protocol_type.is_empty()
            && call.protocols.iter().any(|(name, _)| common(name));
        if fits { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    fn check_known(&self, call: &JoinCall) -> Result<(), ResponseError> {
        if let Some(instance) = &call.instance_id {
            return match self.statics.get(instance) {
                Some(current) if *current == call.member_id => Ok(()),
                Some(_) => Err(ResponseError::FencedInstanceId),
                None => Err(ResponseError::UnknownMemberId),
            };
        }
        let known = self.members.contains_key(&call.member_id)
            || self.pending.contains_key(&call.member_id);
        if known { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn add(&mut self, member_id: String, call: JoinCall, reply: JoinReply, now: Instant) {
        self.pending.remove(&member_id);
        if self.members.is_empty() {
            self.protocol_type.clone_from(&call.protocol_type);
        }
        if let Some(instance) = &call.instance_id {
            self.statics.insert(instance.clone(), member_id.clone());
        }
        let mut member = Member::new(call, now);
        member.join = Some(reply);
        self.members.insert(member_id, member);
        self.rebalance(now);
    }

    /// Calls for a new generation, or goes on with the call that is out already.
    fn rebalance(&mut self, now: Instant) {
        if self.phase != Phase::Preparing {
            self.prepare(now);
        }
        self.complete_if_due(now);
    }

    fn rejoin(&mut self, call: JoinCall, reply: JoinReply, now: Instant) {
        let member_id = call.member_id.clone();
        let leads = self.leader == member_id;
        let Some(member) = self.members.get_mut(&member_id) else { return };
        let unchanged = member.protocols == call.protocols;
        member.update(call, now);
        // a repeated request whose answer was lost gets it again; a leader that joins a stable
        // group asks for a rebalance
        let repeats = unchanged
            && (self.phase == Phase::Completing || (self.phase == Phase::Stable && !leads));
        if repeats {
            let _ = reply.send(Ok(self.joined(&member_id)));
        } else {
            member.join = Some(reply);
            self.rebalance(now);
        }
    }

    /// A static member has come back under a new id: the old id is fenced off. If nothing else is
    /// new, the generation goes on.
    fn replace(
        &mut self,
        previous: &str,
        new_id: String,
        call: JoinCall,
        reply: JoinReply,
        now: Instant,
    ) {
        let Some(mut member) = self.members.remove(previous) else { return };
        if let Some(old) = member.join.take() {
            let refusal =
                JoinRefusal { error: ResponseError::FencedInstanceId, member_id: previous.into() };
            let _ = old.send(Err(refusal));
        }
        if let Some(old) = member.sync.take() {
            let _ = old.send(Err(ResponseError::FencedInstanceId));
        }
        if let Some(instance) = &call.instance_id {
            self.statics.insert(instance.clone(), new_id.clone());
        }
        let led = self.leader == previous;
        let goes_on = self.phase == Phase::Stable && member.protocols == call.protocols && !led;
        member.update(call, now);
        if !goes_on {
            member.join = Some(reply);
            self.members.insert(new_id, member);
            return self.rebalance(now);
        }
        self.members.insert(new_id.clone(), member);
        let _ = reply.send(Ok(self.joined(&new_id)));
    }
}
