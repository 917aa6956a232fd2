//! Signs of life, goodbyes, and who may commit offsets.

use super::member::Identified;
use super::state::{Group, Phase};
use kafka_protocol::ResponseError;
use std::time::Instant;

impl Group {
    /// A sign of life; tells the member when it has to join again.
    pub(super) fn heartbeat(
        &mut self,
        who: &Identified,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let phase = self.phase;
        self.identify(who)?.alive(now);
        if phase == Phase::Preparing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Whether this member may commit now. Generation −1 without a member id is a client outside of
    /// the group protocol: it may, as long as nobody is in the group.
    pub(super) fn may_commit(
        &mut self,
        who: &Identified,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if who.generation < 0 && who.member_id.is_empty() && who.instance_id.is_none() {
            return if self.members.is_empty() {
                Ok(())
            } else {
                Err(ResponseError::UnknownMemberId)
            };
        }
        let phase = self.phase;
        self.identify(who)?.alive(now);
        if phase == Phase::Completing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member leaves; a static one may name itself by its lasting name alone.
    pub(super) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let leaving = match instance_id {
            Some(instance) => match self.statics.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if !member_id.is_empty() && current != member_id => {
                    return Err(ResponseError::FencedInstanceId);
                }
                Some(current) => current.clone(),
            },
            None => member_id.to_owned(),
        };
        if self.pending.remove(&leaving).is_some() {
            self.complete_if_due(now);
            return Ok(());
        }
        if !self.members.contains_key(&leaving) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&leaving, now);
        Ok(())
    }
}
