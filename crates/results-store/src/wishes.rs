//! Pictures that are still to be made: few, and each for one highlight.

use crate::highlights::Highlight;
use frame::{CameraId, FrameId, Origin};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How many wait at most.
const MAX_WAITING: usize = 1000;
/// An event's surest frame waits so long for one that is surer still, in whose favour it is given
/// up.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// So many frames are remembered: one that is a highlight twice has one picture.
const REMEMBERED: usize = 1000;

/// A frame whose picture is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wish {
    pub(crate) frame_id: FrameId,
    pub(crate) camera: CameraId,
    /// Where its upload stands on the frames topic.
    pub(crate) origin: Origin,
}

/// What waits, for one who makes pictures.
#[derive(Debug)]
pub(crate) struct Wishes {
    settled_after: Duration,
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    waiting: HashMap<Highlight, (Instant, Wish)>,
    /// The oldest first.
    taken: VecDeque<FrameId>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self::settled_after(SETTLED_AFTER)
    }
}

impl Wishes {
    fn settled_after(settled_after: Duration) -> Self {
        Self { settled_after, held: Mutex::default(), changed: Notify::default() }
    }

    /// Wants a picture; `false`: too many wait already.
    pub(crate) fn want(&self, highlight: Highlight, wish: Wish) -> bool {
        let now = Instant::now();
        let mut held = self.lock();
        if held.taken.contains(&wish.frame_id) {
            return true;
        }
        let due = if highlight.is_first { now } else { now + self.settled_after };
        if let Some((_, waiting)) = held.waiting.get_mut(&highlight) {
            // it keeps its time, so that rising confidences do not put it off for ever
            *waiting = wish;
            return true;
        }
        if held.waiting.len() >= MAX_WAITING {
            return false;
        }
        held.waiting.insert(highlight, (due, wish));
        drop(held);
        self.changed.notify_one();
        true
    }

    /// The next one whose time has come.
    pub(crate) async fn next(&self) -> Wish {
        loop {
            let soonest = {
                let mut held = self.lock();
                let first = held.waiting.iter().min_by_key(|(_, (due, _))| *due);
                match first.map(|(highlight, (due, _))| (highlight.clone(), *due)) {
                    Some((highlight, due)) if due <= Instant::now() => {
                        if let Some(wish) = held.take(&highlight) {
                            return wish;
                        }
                        continue;
                    }
                    soonest => soonest.map(|(_, due)| due),
                }
            };
            let changed = self.changed.notified();
            match soonest {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// One of those that wait, whatever its time.
    pub(crate) fn rest(&self) -> Option<Wish> {
        let mut held = self.lock();
        let highlight = held.waiting.keys().next().cloned()?;
        held.take(&highlight)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take(&mut self, highlight: &Highlight) -> Option<Wish> {
        let (_, wish) = self.waiting.remove(highlight)?;
        if self.taken.len() >= REMEMBERED {
            self.taken.pop_front();
        }
        self.taken.push_back(wish.frame_id);
        // the same frame may be wanted for another class, too
        self.waiting.retain(|_, (_, other)| other.frame_id != wish.frame_id);
        Some(wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn highlight(class: &str, is_first: bool) -> Highlight {
        let camera = "gate".parse().unwrap();
        Highlight { camera, class: class.into(), began_ms: 7, is_first }
    }

    fn wish(frame_id: FrameId) -> Wish {
        let origin = Origin { partition: 0, offset: 1 };
        Wish { frame_id, camera: "gate".parse().unwrap(), origin }
    }

    #[tokio::test]
    async fn an_events_surest_frame_waits_for_a_surer_one_and_a_first_one_does_not() {
        let wishes = Wishes::settled_after(Duration::from_millis(200));
        let [one, two, three] = std::array::from_fn(|_| FrameId::fresh());
        assert!(wishes.want(highlight("dog", false), wish(two)));
        assert!(wishes.want(highlight("dog", true), wish(one)));
        assert_eq!(wishes.next().await, wish(one));
        assert!(wishes.want(highlight("dog", false), wish(three)));
        assert_eq!(wishes.next().await, wish(three), "in its place");
        assert_eq!(wishes.rest(), None);
        // what was taken is not made again
        assert!(wishes.want(highlight("cat", true), wish(three)));
        assert_eq!(wishes.rest(), None);
    }

    #[test]
    fn a_frame_is_made_once_and_waiting_has_a_bound() {
        let wishes = Wishes::default();
        let both = FrameId::fresh();
        assert!(wishes.want(highlight("dog", true), wish(both)));
        assert!(wishes.want(highlight("cat", true), wish(both)));
        assert_eq!((wishes.rest(), wishes.rest()), (Some(wish(both)), None));
        for n in 0..MAX_WAITING {
            let class = n.to_string();
            assert!(wishes.want(highlight(&class, false), wish(FrameId::fresh())));
        }
        assert!(!wishes.want(highlight("one more", true), wish(FrameId::fresh())));
    }
}
