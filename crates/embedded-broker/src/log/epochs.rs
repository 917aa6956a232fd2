//! The leader epochs of a log (KIP-101, KIP-320): the epoch goes up whenever records may have been
//! lost, so that a client that has seen more than is left can tell.

/// An epoch and the first offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) number: i32,
    pub(crate) start: i64,
}

/// Oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Epochs(Vec<Epoch>);

/// As many are remembered: each is an interruption.
const REMEMBERED: usize = 1000;

impl Default for Epochs {
    fn default() -> Self {
        Self(vec![Epoch { number: 0, start: 0 }])
    }
}

impl Epochs {
    /// From what was written down; `None` when it is not in order.
    pub(super) fn new(all: Vec<Epoch>) -> Option<Self> {
        let in_order = all
            .windows(2)
            .all(|pair| pair[0].number < pair[1].number && pair[0].start <= pair[1].start);
        let valid = !all.is_empty() && in_order && all[0].number >= 0;
        valid.then_some(Self(all))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Epoch> {
        self.0.iter()
    }

    /// The epoch of now.
    pub(crate) fn latest(&self) -> i32 {
        self.0.last().map_or(0, |epoch| epoch.number)
    }

    /// The epoch of the record at `offset`.
    pub(super) fn at(&self, offset: i64) -> i32 {
        let after = self.0.partition_point(|epoch| epoch.start <= offset);
        self.0.get(after.saturating_sub(1)).map_or(0, |epoch| epoch.number)
    }

    /// Begins the next epoch, not below `least`.
    pub(super) fn bump(&mut self, start: i64, least: i32) {
        let number = self.latest().saturating_add(1).max(least);
        self.0.push(Epoch { number, start });
        if self.0.len() > REMEMBERED {
            self.0.remove(0);
        }
    }

    /// Where the records end that a client with the epoch `asked` may know: the largest epoch up to
    /// it that there was, and the start of the one after that (`log_end` for the last). `None`
    /// for an epoch that has not been.
    pub(crate) fn end_of(&self, asked: i32, log_end: i64) -> Option<(i32, i64)> {
        if asked > self.latest() || asked < 0 {
            return None;
        }
        let after = self.0.partition_point(|epoch| epoch.number <= asked);
        match after.checked_sub(1) {
            // older than all that is remembered
            None => self.0.first().map(|first| (asked, first.start)),
            Some(index) => {
                Some((self.0[index].number, self.0.get(after).map_or(log_end, |next| next.start)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.end_of(0, 7), Some((0, 7)));
        epochs.bump(10, 0);
        epochs.bump(20, 5);
        for (asked, end) in [
            (0, Some((0, 10))),
            (1, Some((1, 20))),
            (3, Some((1, 20))),
            (5, Some((5, 33))),
            (6, None),
            (-1, None),
        ] {
            assert_eq!(epochs.end_of(asked, 33), end, "{asked}");
        }
        assert_eq!([0, 9, 10, 20, 99].map(|offset| epochs.at(offset)), [0, 0, 1, 5, 5]);
        let epoch = |number, start| Epoch { number, start };
        for bad in [
            vec![],
            vec![epoch(-1, 0)],
            vec![epoch(1, 0), epoch(1, 5)],
            vec![epoch(0, 5), epoch(1, 4)],
        ] {
            assert_eq!(Epochs::new(bad), None);
        }
    }
}
