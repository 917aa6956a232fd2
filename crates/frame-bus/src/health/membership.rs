//! Whether a member has the partitions that it ought to have.

use crate::health::unready::{Readiness, Unready};
use rdkafka::statistics::ConsumerGroup;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// A member that joins again, as in every rebalance, is out of its group for a moment.
const GRACE: Duration = Duration::from_secs(5);

/// Which group, and which topic.
pub(crate) type Seat = (String, String);

/// The groups to which the consumers of one bus belong, or want to.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<Seat, Membership>);

#[derive(Debug)]
struct Membership {
    /// Since when it is no member; `None` while it is one.
    out: Option<Out>,
    was_member: bool,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    since: Instant,
    time: SystemTime,
}

impl Out {
    fn now() -> Self {
        Self { since: Instant::now(), time: SystemTime::now() }
    }
}

impl Groups {
    /// A consumer begins to join.
    pub(crate) fn joins(&mut self, seat: Seat) {
        self.0.insert(seat, Membership { out: Some(Out::now()), was_member: false });
    }

    /// A consumer is closed.
    pub(crate) fn leaves(&mut self, seat: &Seat) {
        self.0.remove(seat);
    }

    /// What the client tells of itself once a second. `true` when that is news.
    ///
    /// A member of a stable group has what the group gives it: that may be nothing, where
    /// there are more members than partitions. One that is still joining, or has lost its seat,
    /// ought to have some.
    pub(crate) fn tells(&mut self, seat: &Seat, group: &ConsumerGroup) -> bool {
        let is_member = group.join_state == "steady" || group.assignment_size > 0;
        let Some(membership) = self.0.get_mut(seat) else { return false };
        let news = membership.out.is_none() != is_member;
        match is_member {
            true => (membership.out, membership.was_member) = (None, true),
            false => drop(membership.out.get_or_insert_with(Out::now)),
        }
        news
    }

    /// The group has given it what it gets, which its client tells of a second later. `true` when
    /// that is news.
    pub(crate) fn is_given(&mut self, seat: &Seat) -> bool {
        let Some(membership) = self.0.get_mut(seat) else { return false };
        membership.was_member = true;
        membership.out.take().is_some()
    }

    /// Whether each consumer is a member of its group, or since when one is not.
    pub(crate) fn state(&self) -> Readiness {
        if self.0.is_empty() {
            return Err(Unready::NoGroup);
        }
        let missing = self.0.iter().find_map(|((group, topic), membership)| {
            let out = membership.out?;
            let counts = !membership.was_member || out.since.elapsed() >= GRACE;
            counts.then(|| Unready::NotInGroup {
                group: group.clone(),
                topic: topic.clone(),
                since: humantime::format_rfc3339_seconds(out.time).to_string(),
            })
        });
        missing.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(join_state: &str, assignment_size: i32) -> ConsumerGroup {
        ConsumerGroup { join_state: join_state.into(), assignment_size, ..ConsumerGroup::default() }
    }

    #[test]
    fn a_surplus_member_is_ready_and_a_lost_member_is_not() {
        let seat = ("g".to_owned(), "t".to_owned());
        let mut groups = Groups::default();
        assert!(groups.state().is_err());
        groups.joins(seat.clone());
        assert!(!groups.tells(&seat, &group("wait-join", 0)));
        let text = groups.state().unwrap_err().to_string();
        assert!(text.starts_with("no partitions of topic 't' since 2"), "{text}");
        assert!(groups.tells(&seat, &group("steady", 0)));
        assert_eq!(groups.state(), Ok(()), "there may be more members than partitions");
        assert!(!groups.tells(&seat, &group("steady", 2)));
        assert!(!groups.tells(&seat, &group("wait-sync", 2)));
        assert_eq!(groups.state(), Ok(()), "a cooperative rebalance takes nothing away at first");
        assert!(groups.tells(&seat, &group("init", 0)));
        assert_eq!(groups.state(), Ok(()), "it may be back in a moment");
        let out = groups.0.get_mut(&seat).unwrap().out.as_mut().unwrap();
        out.since = Instant::now().checked_sub(GRACE).unwrap();
        let text = groups.state().unwrap_err().to_string();
        assert!(text.ends_with("group 'g' is being joined"), "{text}");
        assert!(groups.tells(&seat, &group("steady", 1)));
        assert_eq!(groups.state(), Ok(()));
        groups.leaves(&seat);
        assert!(!groups.tells(&seat, &group("steady", 1)), "it has left");
        assert!(!groups.is_given(&seat), "it has left");
        groups.joins(seat.clone());
        assert!(groups.state().is_err());
        assert!(groups.is_given(&seat) && groups.state().is_ok());
        assert!(!groups.is_given(&seat), "no news");
    }
}
