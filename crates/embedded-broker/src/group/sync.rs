//! A member asks for its assignment; the leader brings everybody's.

use super::member::{SyncCall, SyncReply};
use super::state::{Group, Phase};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use std::time::Instant;

impl Group {
    /// The answer comes through `reply`, when the leader has decided.
    pub(super) fn sync(&mut self, call: SyncCall, reply: SyncReply, now: Instant) {
        let phase = self.phase;
        let consistent = call.protocol.as_ref().is_none_or(|name| *name == self.protocol)
            && call.protocol_type.as_ref().is_none_or(|name| *name == self.protocol_type);
        let refusal = match self.identify(&call.who) {
            Err(error) => Some(error),
            Ok(_) if phase == Phase::Preparing => Some(ResponseError::RebalanceInProgress),
            Ok(_) if !consistent => Some(ResponseError::InconsistentGroupProtocol),
            Ok(member) => {
                member.alive(now);
                None
            }
        };
        if let Some(error) = refusal {
            let _ = reply.send(Err(error));
            return;
        }
        let Some(member) = self.members.get_mut(&call.who.member_id) else { return };
        if phase == Phase::Stable {
            let assignment = member.assignment.clone();
            let _ = reply.send(Ok(self.synced(assignment)));
            return;
        }
        member.sync = Some(reply);
        if call.who.member_id == self.leader {
            self.assign(call.assignments.into_iter().collect(), now);
        }
    }

    fn assign(&mut self, mut assignments: HashMap<String, Bytes>, now: Instant) {
        self.phase = Phase::Stable;
        let template = self.synced(Bytes::new());
        for (id, member) in &mut self.members {
            member.assignment = assignments.remove(id).unwrap_or_default();
            if let Some(reply) = member.sync.take() {
                member.alive(now);
                let synced =
                    super::Synced { assignment: member.assignment.clone(), ..template.clone() };
                let _ = reply.send(Ok(synced));
            }
        }
    }
}
