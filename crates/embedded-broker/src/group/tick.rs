//! What happens by the clock alone: sessions that end, rebalances that are not waited for any
//! longer.

use super::state::{Group, Phase};
use std::time::{Duration, Instant};

/// A client that goes away while it waits for an answer is noticed this late.
const LOST_WAITER_CHECK: Duration = Duration::from_millis(250);

impl Group {
    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.pending.retain(|_, expires| now < *expires);
        let overdue = self.phase == Phase::Completing && now >= self.deadline;
        let is_dead = |member: &super::member::Member| {
            let silent = !member.is_waiting() && now >= member.expires;
            silent || (overdue && member.sync.is_none() && member.instance_id.is_none())
        };
        let dead: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| is_dead(member))
            .map(|(id, _)| id.clone())
            .collect();
        for id in dead {
            tracing::info!(member_id = %id, generation = self.generation, "a group member has \
                gone");
            self.remove(&id, now);
        }
        self.complete_if_due(now);
    }

    /// When to tick next, at the latest.
    pub(super) fn next_tick(&self, now: Instant) -> Option<Instant> {
        let sessions = self.members.values().map(|member| {
            if member.is_waiting() { now + LOST_WAITER_CHECK } else { member.expires }
        });
        let phase = match self.phase {
            Phase::Preparing if now < self.earliest => Some(self.earliest),
            Phase::Preparing | Phase::Completing => Some(self.deadline),
            Phase::Empty | Phase::Stable => None,
        };
        sessions.chain(phase).chain(self.pending.values().copied()).min()
    }
}
