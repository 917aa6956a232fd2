//! A played group: processes that take messages, commit late, and end in every way; the bookkeeping
//! must blame the right message.

use crate::takes::note::{Note, Open};
use crate::takes::tracker::{Followed, MAX_AHEAD, Take, Takes};
use proptest::prelude::*;
use std::collections::BTreeSet;

const LIMIT: u32 = 3;

fn begun(followed: Followed, committed: i64, end: Option<i64>, note: &str, lives: bool) -> Takes {
    let mut takes = Takes::new(followed, 7);
    takes.begin(0, committed, end, Note::parse(note), lives);
    takes
}

fn unclean(committed: i64, end: Option<i64>, note: &str) -> Takes {
    begun(Followed::UncleanEnds, committed, end, note, false)
}

#[test]
fn what_is_no_note_of_ours_says_nothing() {
    for text in [
        "",
        "x",
        "mlvi2 open=3@1",
        "mlvi1 open=3",
        "mlvi1 takes=4",
        "mlvi1 suspects=x",
        "mlvi1 open=@",
        "{}",
    ] {
        assert_eq!(Note::parse(text), Note::default(), "{text}");
    }
    assert_eq!(
        Note::parse("mlvi1 suspects=9 later=1").suspect_until,
        9,
        "a later version may say more"
    );
}

#[test]
fn an_unclean_end_makes_suspects_of_messages_in_hand() {
    let takes = unclean(10, Some(100), "mlvi1 open=14@1");
    let alone: Vec<i64> = (10..20).filter(|offset| takes.take(0, *offset).alone).collect();
    assert_eq!(alone, [10, 11, 12, 13]);
    assert_eq!(unclean(10, Some(10), "mlvi1 open=14@1").suspects(0, 10), 0, "nothing was there");
    assert_eq!(unclean(10, None, "mlvi1 open=14@1").suspects(0, 10), 4, "the end is not known");
    assert_eq!(unclean(10, Some(100), "mlvi1").suspects(0, 10), 0, "closed");
}

#[test]
fn the_only_message_of_a_partition_was_taken_up_once() {
    assert_eq!(
        unclean(10, Some(11), "mlvi1 open=14@1").take(0, 10),
        Take { alone: true, earlier: 1 }
    );
    assert_eq!(
        unclean(10, Some(12), "mlvi1 open=14@1").take(0, 10),
        Take { alone: true, earlier: 0 }
    );
    assert_eq!(
        unclean(10, Some(11), "mlvi1 open=11@1 takes=10:2").take(0, 10).earlier,
        2,
        "it is counted already"
    );
}

#[test]
fn losing_a_partition_to_others_is_no_end() {
    let takes =
        begun(Followed::UncleanEnds, 10, Some(11), "mlvi1 open=11@1 suspects=12 takes=10:2", true);
    assert_eq!(
        takes.take(0, 10),
        Take { alone: true, earlier: 1 },
        "what was known before stays known"
    );
    let takes = begun(Followed::UncleanEnds, 10, Some(20), "mlvi1 open=15@1", true);
    assert_eq!(takes.take(0, 10), Take { alone: false, earlier: 0 });
}

#[test]
fn closing_takes_back_what_was_taken_up_alone() {
    let mut takes = unclean(10, Some(100), "mlvi1 open=14@1 takes=10:1");
    takes.alone(0, 10);
    assert_eq!(takes.open_note(0, Some(11)).unwrap(), "mlvi1 open=11@7 suspects=14 takes=10:2");
    assert_eq!(takes.closed_note(0).unwrap(), "mlvi1 suspects=14 takes=10:1");
}

#[test]
fn a_message_that_panics_is_known_by_its_offset() {
    let mut takes = begun(Followed::Panics, 10, None, "", false);
    takes.blame(0, 12);
    let note = takes.closed_note(0).unwrap();
    assert_eq!(note, "mlvi1 suspects=13 takes=12:1");
    let mut takes = unclean(10, Some(100), &note);
    takes.alone(0, 12);
    takes.blame(0, 12);
    assert_eq!(
        takes.closed_note(0).unwrap(),
        "mlvi1 suspects=13 takes=12:2",
        "counted once, though it was alone, too"
    );
}

#[test]
fn only_a_fast_partition_is_announced_further_ahead() {
    let mut takes = unclean(0, Some(0), "");
    let announced: Vec<i64> = (0..2000)
        .filter(|offset| {
            let due = takes.must_announce(0, *offset);
            if due {
                let note = takes.open_note(0, None).unwrap();
                takes.committed(0, &note);
            }
            due
        })
        .collect();
    assert_eq!(announced[..5], [0, 4, 12, 28, 60]);
    assert!(announced.len() < 16, "{announced:?}");
    for next in 2001..2050 {
        let note = takes.open_note(0, Some(next)).unwrap();
        takes.committed(0, &note);
    }
    let Some(Open { until, .. }) = Note::parse(&takes.open_note(0, Some(2051)).unwrap()).open
    else {
        panic!("open")
    };
    assert!(!takes.must_announce(0, 2052) && until <= 2051 + MAX_AHEAD, "{until}");
}

#[test]
fn a_note_stays_far_below_what_kafka_keeps() {
    let mut takes = unclean(i64::MAX - 1000, None, "");
    (0..200).for_each(|index| takes.blame(0, i64::MAX - 1000 + index));
    assert!(takes.closed_note(0).unwrap().len() < 2048);
}

proptest! {
    #[test]
    fn notes_are_read_as_they_were_written(
        open in prop::option::of((0i64..1 << 40, any::<u64>())),
        suspect_until in 0i64..1 << 40,
        takes in prop::collection::btree_map(0i64..1 << 40, 1u32..9, 0..8),
    ) {
        let note = Note { open: open.map(|(until, by)| Open { until, by }), suspect_until, takes };
        prop_assert_eq!(Note::parse(&note.to_string()), note);
    }

    /// Poison ends its process whenever it is in hand; other ends are clean or, rarely, hit what
    /// is in hand. However commits lag behind, every poison is given up in the end, and no innocent
    /// unless the process was killed with it alone in hand.
    #[test]
    fn the_guilty_are_given_up_and_nobody_else(
        poison in prop::collection::btree_set(0i64..60, 0..4),
        in_hand_most in 1usize..9,
        commits in prop::collection::vec(0u8..4, 50..200),
        clean_ends in prop::collection::vec(1usize..40, 0..6),
    ) {
        let mut world = World {
            committed: 0,
            note: String::new(),
            given_up: BTreeSet::new(),
            done: BTreeSet::new(),
            end: 60,
        };
        let mut commits = commits.into_iter().cycle();
        let mut clean = clean_ends.into_iter();
        let mut processes = 0;
        while world.committed < world.end {
            processes += 1;
            prop_assert!(processes < 60, "it goes on for ever");
            world.process(processes, &poison, in_hand_most, &mut commits, clean.next());
        }
        prop_assert_eq!(&world.given_up, &poison);
        prop_assert_eq!(world.done.len() + poison.len(), 60);
    }
}

/// What outlives processes.
struct World {
    committed: i64,
    note: String,
    given_up: BTreeSet<i64>,
    done: BTreeSet<i64>,
    end: i64,
}

impl World {
    /// A process that works until poison ends it, or everything is done, or it is told to stop
    /// after so many messages.
    fn process(
        &mut self,
        me: u64,
        poison: &BTreeSet<i64>,
        in_hand_most: usize,
        commits: &mut impl Iterator<Item = u8>,
        stop_after: Option<usize>,
    ) {
        let mut takes = Takes::new(Followed::UncleanEnds, me);
        takes.begin(0, self.committed, Some(self.end), Note::parse(&self.note), false);
        let mut in_hand = BTreeSet::new();
        for (taken, offset) in (self.committed..self.end).enumerate() {
            if stop_after.is_some_and(|most| taken >= most) {
                break;
            }
            let next = Some(offset + 1);
            let take = takes.take(0, offset);
            if take.earlier >= LIMIT {
                self.given_up.insert(offset);
            } else if take.alone {
                self.done.append(&mut in_hand);
                takes.alone(0, offset);
                self.commit(&mut takes, offset, next);
                if poison.contains(&offset) {
                    return;
                }
                self.done.insert(offset);
                takes.ended(0, offset);
            } else {
                if takes.must_announce(0, offset) {
                    self.commit(&mut takes, in_hand.first().copied().unwrap_or(offset), next);
                }
                in_hand.insert(offset);
                if in_hand.len() == in_hand_most {
                    if in_hand.iter().any(|offset| poison.contains(offset)) {
                        return;
                    }
                    let first = in_hand.pop_first().unwrap();
                    self.done.insert(first);
                }
            }
            // regular commits come now and then
            if commits.next() == Some(0) {
                let mark = in_hand.first().copied().unwrap_or(offset + 1);
                self.commit(&mut takes, mark, next);
            }
        }
        if in_hand.iter().any(|offset| poison.contains(offset)) {
            return;
        }
        self.done.append(&mut in_hand);
        let last = self.done.union(&self.given_up).last().map_or(0, |last| last + 1);
        self.committed = last;
        self.note = takes.closed_note(0).unwrap();
    }

    fn commit(&mut self, takes: &mut Takes, mark: i64, next: Option<i64>) {
        self.committed = mark;
        self.note = takes.open_note(0, next).unwrap();
        takes.committed(0, &self.note);
    }
}
