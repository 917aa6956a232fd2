//! Counts how often each message of a member's partitions was taken up without an end.

use crate::client::process::this_process;
use crate::takes::note::{Note, Open};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// How far ahead a note announces at least; a process that ends without closing makes as many
/// suspects too many.
const MIN_AHEAD: i64 = 4;
/// And at most: at more messages between two regular commits, one for each so many is added.
pub(crate) const MAX_AHEAD: i64 = 256;

/// What is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Followed {
    /// Nothing: no notes are read or written.
    Nothing,
    /// Panics, whose message is known; an unclean end of the process makes no suspects.
    Panics,
    /// Panics and unclean ends.
    UncleanEnds,
}

/// How a message is to be taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Take {
    /// While no other message is in hand in this process.
    pub(crate) alone: bool,
    /// How often it was taken up without an end.
    pub(crate) earlier: u32,
}

/// The notes of the partitions that this member has. Memory: a few numbers for each.
#[derive(Debug)]
pub(crate) struct Takes {
    followed: Followed,
    /// This process.
    me: u64,
    partitions: HashMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    suspect_until: i64,
    takes: BTreeMap<i64, u32>,
    /// What is taken up alone at the moment, and counted already.
    alone: Option<i64>,
    /// Up to where the broker knows of messages in hand.
    announced: i64,
    /// Up to where the next note will say.
    wanted: i64,
    ahead: i64,
    /// Where the last regular note was written.
    last_next: i64,
}

impl Partition {
    fn lower(&mut self, offset: i64) {
        if let Some(count) = self.takes.get_mut(&offset) {
            *count -= 1;
            if *count == 0 {
                self.takes.remove(&offset);
            }
        }
    }
}

impl Takes {
    pub(crate) fn new(followed: Followed, me: u64) -> Self {
        Self { followed, me, partitions: HashMap::new() }
    }

    /// Whether the partition's note must be read before a message of it may be taken up.
    pub(crate) fn wants_note(&self, partition: i32) -> bool {
        self.followed != Followed::Nothing && !self.partitions.contains_key(&partition)
    }

    /// The partition begins at `committed`, beside which `note` stands. `end` is the offset after
    /// its last message, if that is known; `holder_lives` tells that the process which has it
    /// open still runs, so that losing the partition was not its end.
    pub(crate) fn begin(
        &mut self,
        partition: i32,
        committed: i64,
        end: Option<i64>,
        note: Note,
        holder_lives: bool,
    ) {
        let Note { open, mut suspect_until, mut takes } = note;
        takes.retain(|offset, _| *offset >= committed);
        if let Some(Open { until, .. }) = open.filter(|_| self.followed == Followed::UncleanEnds) {
            if holder_lives {
                // it was counted when it was taken up
                if let Some(count) = takes.get_mut(&committed) {
                    *count = count.saturating_sub(1);
                }
            } else {
                let in_hand_until = until.min(end.unwrap_or(until));
                suspect_until = suspect_until.max(in_hand_until);
                if in_hand_until == committed + 1 {
                    // there was no other one of this partition
                    takes.entry(committed).or_insert(1);
                }
            }
        }
        takes.retain(|_, count| *count > 0);
        let suspect_until = if suspect_until > committed { suspect_until } else { 0 };
        let state = Partition {
            suspect_until,
            takes,
            alone: None,
            announced: committed,
            wanted: committed,
            ahead: MIN_AHEAD / 2,
            last_next: committed,
        };
        self.partitions.insert(partition, state);
    }

    /// The partition's log is another one or was cut: no note of it counts, and reading goes on at
    /// `offset`.
    pub(crate) fn begin_anew(&mut self, partition: i32, offset: i64) {
        if self.followed != Followed::Nothing {
            self.begin(partition, offset, None, Note::default(), false);
        }
    }

    /// The partition has come or gone: its note must be read again.
    pub(crate) fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// How many messages from `offset` on are suspects.
    pub(crate) fn suspects(&self, partition: i32, offset: i64) -> u64 {
        self.partitions
            .get(&partition)
            .map_or(0, |state| u64::try_from(state.suspect_until - offset).unwrap_or(0))
    }

    /// How the message is to be taken up.
    pub(crate) fn take(&self, partition: i32, offset: i64) -> Take {
        let Some(state) = self.partitions.get(&partition) else {
            return Take { alone: false, earlier: 0 };
        };
        let alone = self.followed == Followed::UncleanEnds && offset < state.suspect_until;
        Take { alone, earlier: state.takes.get(&offset).copied().unwrap_or(0) }
    }

    /// The message is about to be taken up alone, which counts until it has ended. The note is to
    /// be committed before.
    pub(crate) fn alone(&mut self, partition: i32, offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            *state.takes.entry(offset).or_insert(0) += 1;
            state.alone = Some(offset);
            state.wanted = state.wanted.max(offset + 1);
        }
    }

    /// The message has ended: nothing counts any more.
    pub(crate) fn ended(&mut self, partition: i32, offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.takes.remove(&offset);
            state.alone = state.alone.filter(|alone| *alone != offset);
        }
    }

    /// The message has ended the work, by itself: that counts.
    pub(crate) fn blame(&mut self, partition: i32, offset: i64) {
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        if state.alone != Some(offset) {
            *state.takes.entry(offset).or_insert(0) += 1;
            state.suspect_until = state.suspect_until.max(offset + 1);
        }
        state.alone = None;
    }

    /// Whether the broker does not know yet that the message may be in hand; then a note is to be
    /// committed before it is.
    pub(crate) fn must_announce(&mut self, partition: i32, offset: i64) -> bool {
        if self.followed != Followed::UncleanEnds {
            return false;
        }
        let Some(state) =
            self.partitions.get_mut(&partition).filter(|state| offset >= state.announced)
        else {
            return false;
        };
        state.ahead = (state.ahead * 2).min(MAX_AHEAD);
        state.wanted = state.wanted.max(offset + state.ahead);
        true
    }

    /// What is to stand beside the next commit, while the partition is ours and `next` is the
    /// offset after the last delivered message.
    pub(crate) fn open_note(&mut self, partition: i32, next: Option<i64>) -> Option<String> {
        let (followed, by) = (self.followed, self.me);
        let state = self.partitions.get_mut(&partition)?;
        if let Some(next) = next.filter(|next| *next > state.last_next) {
            if 4 * (next - state.last_next) < state.ahead {
                state.ahead = (state.ahead / 2).max(MIN_AHEAD);
            }
            state.last_next = next;
            // a suspect is announced when its turn has come
            if next > state.suspect_until {
                state.wanted = state.wanted.max(next + state.ahead);
            }
        }
        let open = (followed == Followed::UncleanEnds).then_some(Open { until: state.wanted, by });
        Some(
            Note { open, suspect_until: state.suspect_until, takes: state.takes.clone() }
                .to_string(),
        )
    }

    /// What is to stand beside the last commit: nothing is in hand any more. What was taken up
    /// alone and has not ended was let go by a process that lives on, so that it does not
    /// count.
    pub(crate) fn closed_note(&mut self, partition: i32) -> Option<String> {
        let state = self.partitions.get_mut(&partition)?;
        if let Some(offset) = state.alone.take() {
            state.lower(offset);
        }
        Some(
            Note { open: None, suspect_until: state.suspect_until, takes: state.takes.clone() }
                .to_string(),
        )
    }

    /// The broker has this note.
    pub(crate) fn committed(&mut self, partition: i32, note: &str) {
        if let (Some(state), Some(open)) =
            (self.partitions.get_mut(&partition), Note::parse(note).open)
            && open.by == self.me
        {
            state.announced = state.announced.max(open.until);
        }
    }
}

/// The notes that a consumer, its thread and its loop share.
#[derive(Clone, Debug)]
pub(crate) struct SharedTakes(Arc<Mutex<Takes>>);

impl SharedTakes {
    pub(crate) fn new(followed: Followed) -> Self {
        Self(Arc::new(Mutex::new(Takes::new(followed, this_process()))))
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Takes) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
