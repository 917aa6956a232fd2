//! The mark under any completion order.

use super::*;
use proptest::prelude::*;

#[test]
fn the_mark_waits_for_the_lowest_unfinished_offset() {
    let mut tracker = OffsetTracker::new();
    let epoch = tracker.assign(0);
    for offset in 5..8 {
        assert_eq!(tracker.delivered(0, offset), epoch);
    }
    tracker.finished(0, epoch, 6);
    tracker.finished(0, epoch, 7);
    assert_eq!(tracker.take_marks(), []);
    tracker.finished(0, epoch, 5);
    assert_eq!(tracker.take_marks(), [(0, 8)]);
    assert_eq!(tracker.take_marks(), []);
}

#[test]
fn gaps_in_offsets_do_not_hold_the_mark_up() {
    let mut tracker = OffsetTracker::new();
    let epoch = tracker.assign(0);
    for offset in [3, 10, 11, 40] {
        tracker.delivered(0, offset);
    }
    tracker.finished(0, epoch, 3);
    assert_eq!(tracker.take_mark(0), Some((0, 10)));
    for offset in [11, 40, 10] {
        tracker.finished(0, epoch, offset);
    }
    assert_eq!(tracker.take_mark(0), Some((0, 41)));
}

#[test]
fn late_acks_of_an_earlier_assignment_are_ignored() {
    let mut tracker = OffsetTracker::new();
    let old = tracker.assign(0);
    tracker.delivered(0, 1);
    tracker.revoke(0);
    tracker.finished(0, old, 1);
    assert!(!tracker.is_current(0, old));
    assert_eq!(tracker.take_marks(), []);
    let new = tracker.assign(0);
    tracker.delivered(0, 1);
    tracker.finished(0, old, 1);
    assert_eq!((tracker.take_marks(), tracker.unfinished()), (vec![], 1));
    tracker.finished(0, new, 1);
    assert_eq!(tracker.take_marks(), [(0, 2)]);
}

#[test]
fn a_redelivered_message_does_not_take_the_mark_back() {
    let mut tracker = OffsetTracker::new();
    let epoch = tracker.assign(0);
    tracker.delivered(0, 1);
    tracker.finished(0, epoch, 1);
    assert_eq!(tracker.take_marks(), [(0, 2)]);
    tracker.delivered(0, 1);
    assert_eq!(tracker.take_marks(), []);
}

#[derive(Clone, Debug)]
enum Step {
    /// The next offset of a partition is delivered, `gap` offsets after the last.
    Deliver {
        partition: i32,
        gap: i64,
    },
    /// One of the messages delivered so far (of any epoch) is finished.
    Finish(prop::sample::Index),
    /// The partition is revoked and assigned again; the broker goes on at the committed offset.
    Reassign(i32),
    Commit,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3, 0i64..3).prop_map(|(partition, gap)| Step::Deliver { partition, gap }),
        6 => any::<prop::sample::Index>().prop_map(Step::Finish),
        1 => (0..3).prop_map(Step::Reassign),
        2 => Just(Step::Commit),
    ]
}

proptest! {
    /// Whatever order work ends in: no committed offset passes an unfinished message, commits never
    /// go back, and when everything of the current assignments is finished the mark stands after
    /// the last delivered message.
    #[test]
    fn commits_never_overtake_and_end_at_the_end(
        steps in prop::collection::vec(any_step(), 1..150),
    ) {
        let mut tracker = OffsetTracker::new();
        let mut epochs: Vec<Epoch> = (0..3).map(|partition| tracker.assign(partition)).collect();
        let mut committed = [0i64; 3];
        let mut position = [0i64; 3];
        let mut delivered: Vec<(i32, Epoch, i64)> = Vec::new();
        let mut finished: BTreeSet<(i32, Epoch, i64)> = BTreeSet::new();
        let mut check = |
            tracker: &mut OffsetTracker,
            epochs: &[Epoch],
            delivered: &[(i32, Epoch, i64)],
            finished: &BTreeSet<_>,
        | {
            for (partition, mark) in tracker.take_marks() {
                let at = partition as usize;
                prop_assert!(mark > committed[at], "commit went from {} to {mark}", committed[at]);
                committed[at] = mark;
                let ours = delivered.iter().filter(|m| m.0 == partition && m.1 == epochs[at]);
                let open = ours.filter(|m| !finished.contains(*m));
                prop_assert!(open.map(|m| m.2).min().is_none_or(|lowest| mark <= lowest));
            }
            Ok(committed)
        };
        for step in steps {
            match step {
                Step::Deliver { partition, gap } => {
                    let at = partition as usize;
                    let offset = position[at] + gap;
                    position[at] = offset + 1;
                    delivered.push((partition, tracker.delivered(partition, offset), offset));
                }
                Step::Finish(index) if !delivered.is_empty() => {
                    let message = *index.get(&delivered);
                    finished.insert(message);
                    tracker.finished(message.0, message.1, message.2);
                }
                Step::Finish(_) => {}
                Step::Reassign(partition) => {
                    let now = check(&mut tracker, &epochs, &delivered, &finished)?;
                    tracker.revoke(partition);
                    epochs[partition as usize] = tracker.assign(partition);
                    position[partition as usize] = now[partition as usize];
                }
                Step::Commit => {
                    check(&mut tracker, &epochs, &delivered, &finished)?;
                }
            }
        }
        for (partition, epoch, offset) in &delivered {
            tracker.finished(*partition, *epoch, *offset);
            finished.insert((*partition, *epoch, *offset));
        }
        let end = check(&mut tracker, &epochs, &delivered, &finished)?;
        prop_assert_eq!(tracker.unfinished(), 0);
        for at in 0..3 {
            let ours = delivered.iter().filter(|m| m.0 as usize == at && m.1 == epochs[at]);
            let last = ours.map(|m| m.2 + 1).max();
            prop_assert!(last.is_none_or(|last| end[at] == last));
        }
    }
}
