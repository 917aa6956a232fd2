//! What retention removed before it was stored.

use frame_bus::{Lag, Message};
use std::collections::HashMap;

/// The next offset that is expected of each partition.
#[derive(Debug, Default)]
pub(crate) struct Gaps(HashMap<i32, i64>);

impl Gaps {
    /// Notes a message that was taken. `true`: it does not follow the one before, because messages
    /// are gone, or because another replica had the partition meanwhile; committed offsets tell.
    pub(crate) fn take(&mut self, message: &Message) -> bool {
        let next = message.offset + 1;
        let expected = self.0.insert(message.partition, next);
        expected.is_none_or(|expected| expected < message.offset)
    }

    /// How many messages before this one the group has not finished, and never will. A group that
    /// never committed starts with the earliest.
    pub(crate) fn lost_before(message: &Message, group: &Lag) -> u64 {
        let of = group.partitions.iter().find(|of| of.partition == message.partition);
        let committed = of.and_then(|of| of.committed).unwrap_or(message.offset);
        // what stands between, if anything still does, is in our hands
        let low = of.map_or(message.offset, |of| of.low.min(message.offset));
        u64::try_from(low - committed).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_bus::PartitionLag;

    fn message(offset: i64) -> Message {
        Message {
            topic: "results".into(),
            partition: 2,
            offset,
            key: None,
            payload: Vec::new(),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    fn lag(committed: Option<i64>, low: i64) -> Lag {
        let partitions = vec![PartitionLag { partition: 2, committed, low, high: 100 }];
        Lag { messages: 0, partitions }
    }

    #[test]
    fn only_what_does_not_follow_is_asked_about() {
        let mut gaps = Gaps::default();
        assert!(gaps.take(&message(5)), "nothing is known of the partition");
        assert!(!gaps.take(&message(6)));
        assert!(!gaps.take(&message(6)), "what comes again is no gap");
        assert!(!gaps.take(&message(7)));
        assert!(gaps.take(&message(20)));
    }

    #[test]
    fn what_lies_between_the_commit_and_the_earliest_message_is_lost() {
        assert_eq!(Gaps::lost_before(&message(20), &lag(Some(8), 20)), 12);
        assert_eq!(Gaps::lost_before(&message(20), &lag(Some(8), 10)), 2);
        assert_eq!(Gaps::lost_before(&message(20), &lag(Some(20), 3)), 0);
        assert_eq!(Gaps::lost_before(&message(20), &lag(None, 20)), 0);
        assert_eq!(Gaps::lost_before(&message(20), &Lag::default()), 0);
    }
}
