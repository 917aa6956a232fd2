//! All groups, and the clock that drives them.

use super::member::{Identified, JoinCall, JoinRefusal, Joined, SyncCall, Synced};
use super::state::{Description, Group};
use crate::files::lock;
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Groups have names that clients choose; this many at a time is a mistake.
const MAX_GROUPS: usize = 10_000;
/// The clock rests this long at most when nothing is due, and at least this long between two
/// checks.
const LONGEST_REST: Duration = Duration::from_secs(3600);
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// See the module.
pub(crate) struct Coordinator {
    groups: Mutex<HashMap<String, Group>>,
    rebalance_delay: Duration,
    /// Something is due earlier than the clock knows.
    changed: Notify,
}

impl Coordinator {
    pub(crate) fn new(rebalance_delay: Duration) -> Self {
        Self { groups: Mutex::default(), rebalance_delay, changed: Notify::new() }
    }

    /// Drives the groups by the clock; never returns.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.tick(Instant::now());
            let rest =
                next.map_or(LONGEST_REST, |next| next.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = tokio::time::sleep(rest.max(SHORTEST_REST)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn tick(&self, now: Instant) -> Option<Instant> {
        let mut groups = lock(&self.groups);
        groups.values_mut().for_each(|group| group.tick(now));
        groups.retain(|_, group| !group.is_idle());
        groups.values().filter_map(|group| group.next_tick(now)).min()
    }

    fn with<T>(&self, group: &str, act: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let result = lock(&self.groups).get_mut(group).map(act);
        self.changed.notify_one();
        result
    }

    /// Starts to join; the answer may take as long as a rebalance does.
    pub(crate) fn join(
        &self,
        group: &str,
        call: JoinCall,
    ) -> oneshot::Receiver<Result<Joined, JoinRefusal>> {
        let now = Instant::now();
        let (reply, answer) = oneshot::channel();
        let mut groups = lock(&self.groups);
        if groups.len() >= MAX_GROUPS && !groups.contains_key(group) {
            let _ = reply.send(Err(JoinRefusal {
                error: ResponseError::GroupMaxSizeReached,
                member_id: call.member_id,
            }));
            return answer;
        }
        let group =
            groups.entry(group.into()).or_insert_with(|| Group::new(now, self.rebalance_delay));
        group.join(call, reply, now);
        drop(groups);
        self.changed.notify_one();
        answer
    }

    /// Asks for the assignment; the answer comes when the leader has decided.
    pub(crate) fn sync(
        &self,
        group: &str,
        call: SyncCall,
    ) -> oneshot::Receiver<Result<Synced, ResponseError>> {
        let (reply, answer) = oneshot::channel();
        // without the group the reply is dropped with the closure, which the handler reads as an
        // unknown member
        self.with(group, |group| group.sync(call, reply, Instant::now()));
        answer
    }

    pub(crate) fn heartbeat(&self, group: &str, who: &Identified) -> Result<(), ResponseError> {
        let beat =
            lock(&self.groups).get_mut(group).map(|group| group.heartbeat(who, Instant::now()));
        beat.unwrap_or(Err(ResponseError::UnknownMemberId))
    }

    pub(crate) fn leave(
        &self,
        group: &str,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        let left = self.with(group, |group| group.leave(member_id, instance_id, Instant::now()));
        left.unwrap_or(Err(ResponseError::UnknownMemberId))
    }

    /// Whether a commit is to be taken. A group that is not there has no members, which a client
    /// outside of it may use.
    pub(crate) fn may_commit(&self, group: &str, who: &Identified) -> Result<(), ResponseError> {
        let now = Instant::now();
        let mut groups = lock(&self.groups);
        match groups.get_mut(group) {
            Some(group) => group.may_commit(who, now),
            None => Group::new(now, self.rebalance_delay).may_commit(who, now),
        }
    }

    /// The group as it is now; `None` when nobody is in it.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        lock(&self.groups).get(group).filter(|group| !group.members.is_empty()).map(Group::describe)
    }

    /// The groups that somebody is in.
    pub(crate) fn list(&self) -> Vec<(String, Description)> {
        let groups = lock(&self.groups);
        let alive = groups.iter().filter(|(_, group)| !group.members.is_empty());
        alive.map(|(name, group)| (name.clone(), group.describe())).collect()
    }
}
