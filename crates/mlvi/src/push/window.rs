//! The frames of one camera between ffmpeg and their results: so many are in flight, one waits, and
//! what is settled leaves in the order of capture.

use frame::FrameResult;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many frames are held at most; dropped ones that follow one another count as one.
const MOST_HELD: usize = 256;
/// How many bytes of pictures.
const MOST_BYTES: usize = 64 << 20;
/// How often it is looked whether a frame waits for its result for too long.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How frames are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How many frames may be sent and without a result.
    pub(super) in_flight: usize,
    /// What comes too fast waits, instead of replacing the frame that waits.
    pub(super) keeps_all: bool,
    /// Pictures are wanted when they are settled.
    pub(super) keeps_pictures: bool,
    /// How long a result may take.
    pub(super) patience: Duration,
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Result(Box<FrameResult>),
    /// A newer one came before it could be sent.
    Dropped,
    /// It was sent, and its result did not come.
    Lost,
}

/// A frame that is done with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    /// Its number at the camera, from the first one that was offered on.
    pub(super) number: u64,
    /// Its picture, where pictures are kept and it was not dropped.
    pub(super) jpeg: Option<Picture>,
    pub(super) outcome: Outcome,
}

/// A JPEG that several hold.
pub(super) type Picture = std::sync::Arc<Vec<u8>>;

/// The frames of one camera, shared by the threads that read, send, watch and write.
pub(super) struct Window {
    rules: Rules,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The next frame's number.
    next: u64,
    /// In the order of capture.
    frames: VecDeque<Frame>,
    /// No further frame comes.
    is_complete: bool,
    /// Nothing is sent any more.
    is_closed: bool,
    last_offer: Instant,
}

struct Frame {
    number: u64,
    jpeg: Option<Picture>,
    at: At,
    /// How many dropped frames follow this dropped one: a camera goes on while a result, or whoever
    /// writes a video, is waited for.
    more: u64,
}

enum At {
    Waiting,
    Sent(Instant),
    Settled(Outcome),
}

impl Window {
    /// Empty; the first frame gets the number `next`.
    pub(super) fn new(rules: Rules, next: u64) -> Self {
        let state = State {
            next,
            frames: VecDeque::new(),
            is_complete: false,
            is_closed: false,
            last_offer: Instant::now(),
        };
        Self { rules, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes a frame in; blocks while there is no room, if all are kept. `false` when no more are
    /// wanted.
    pub(super) fn offer(&self, jpeg: Vec<u8>) -> bool {
        let mut state = self.lock();
        state.last_offer = Instant::now();
        while self.rules.keeps_all && !state.is_over() && !state.has_room() {
            state = self.wait(state);
        }
        if state.is_over() {
            return false;
        }
        let number = state.next;
        state.next += 1;
        if let Some(waiting) = state.waiting() {
            waiting.settle(Outcome::Dropped);
        }
        let at = if state.has_room() { At::Waiting } else { At::Settled(Outcome::Dropped) };
        let is_waiting = matches!(at, At::Waiting);
        let jpeg = is_waiting.then(|| Picture::new(jpeg));
        state.frames.push_back(Frame { number, jpeg, at, more: 0 });
        state.join_dropped();
        self.changed.notify_all();
        true
    }

    /// No further frame comes: what waits is still sent.
    pub(super) fn complete(&self) {
        self.lock().is_complete = true;
        self.changed.notify_all();
    }

    /// Nothing is sent any more, and no result comes: what has none is lost, and what waits is
    /// dropped.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for frame in &mut state.frames {
            match frame.at {
                At::Waiting => frame.settle(Outcome::Dropped),
                At::Sent(_) => frame.settle(Outcome::Lost),
                At::Settled(_) => {}
            }
        }
        self.changed.notify_all();
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits for the first frame; `false` if none comes.
    pub(super) fn has_begun(&self) -> bool {
        let mut state = self.lock();
        while state.frames.is_empty() && !state.is_over() {
            state = self.wait(state);
        }
        !state.frames.is_empty()
    }

    /// The next frame to be sent, with its number; blocks until there is one. `None` when no
    /// further one comes.
    pub(super) fn to_send(&self) -> Option<(u64, Picture)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            state.expire(self.rules.patience);
            let may_send = state.in_flight() < self.rules.in_flight;
            let is_complete = state.is_complete;
            match state.waiting() {
                Some(frame) if may_send => {
                    frame.at = At::Sent(Instant::now());
                    let found = (frame.number, frame.jpeg.clone().unwrap_or_default());
                    if !self.rules.keeps_pictures {
                        frame.jpeg = None;
                    }
                    self.changed.notify_all();
                    return Some(found);
                }
                None if is_complete => return None,
                _ => state = self.wait(state),
            }
        }
    }

    /// A result has come; `false` if it is of no frame in flight.
    pub(super) fn found(&self, number: u64, result: FrameResult) -> bool {
        let mut state = self.lock();
        let sent = |frame: &&mut Frame| frame.number == number && matches!(frame.at, At::Sent(_));
        let Some(frame) = state.frames.iter_mut().find(sent) else { return false };
        frame.settle(Outcome::Result(Box::new(result)));
        self.changed.notify_all();
        true
    }

    /// Waits until no frame is in flight, at most so long.
    pub(super) fn until_answered(&self, at_most: Duration) {
        let started = Instant::now();
        let mut state = self.lock();
        while state.in_flight() > 0 && !state.is_closed && started.elapsed() < at_most {
            state = self.wait(state);
        }
    }

    /// The next frame in the order of capture, once it is settled; `None` when all have left and no
    /// further one comes.
    pub(super) fn settled(&self) -> Option<Settled> {
        let mut state = self.lock();
        loop {
            state.expire(self.rules.patience);
            match state.frames.front() {
                Some(Frame { at: At::Settled(_), .. }) => {
                    let mut frame = state.frames.pop_front()?;
                    if frame.more > 0 {
                        let (number, more) = (frame.number + 1, frame.more - 1);
                        let at = At::Settled(Outcome::Dropped);
                        state.frames.push_front(Frame { number, jpeg: None, at, more });
                        frame.more = 0;
                    }
                    self.changed.notify_all();
                    let At::Settled(outcome) = frame.at else { return None };
                    return Some(Settled { number: frame.number, jpeg: frame.jpeg, outcome });
                }
                None if state.is_over() => return None,
                _ => state = self.wait(state),
            }
        }
    }

    /// The number of the next frame, for whoever goes on.
    pub(super) fn next_number(&self) -> u64 {
        self.lock().next
    }

    /// How long no frame was offered, while some are awaited.
    pub(super) fn silence(&self) -> Duration {
        let state = self.lock();
        if state.is_complete { Duration::ZERO } else { state.last_offer.elapsed() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.is_closed || self.is_complete
    }

    fn waiting(&mut self) -> Option<&mut Frame> {
        self.frames.iter_mut().find(|frame| matches!(frame.at, At::Waiting))
    }

    fn has_room(&mut self) -> bool {
        let bytes = |frame: &Frame| frame.jpeg.as_ref().map_or(0, |jpeg| jpeg.len());
        self.frames.len() < MOST_HELD
            && self.frames.iter().map(bytes).sum::<usize>() < MOST_BYTES
            && self.waiting().is_none()
    }

    /// Makes one of the dropped frames at the end, of which the last ones may wait no longer.
    fn join_dropped(&mut self) {
        let is_dropped = |frame: &Frame| matches!(frame.at, At::Settled(Outcome::Dropped));
        // before the newest one, which may wait, there may be one that it has replaced
        for last in [1, 2] {
            let Some(index) = self.frames.len().checked_sub(last).filter(|index| *index > 0) else {
                return;
            };
            if is_dropped(&self.frames[index - 1]) && is_dropped(&self.frames[index]) {
                let joined = self.frames.remove(index).map_or(0, |frame| frame.more + 1);
                self.frames[index - 1].more += joined;
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.frames.iter().filter(|frame| matches!(frame.at, At::Sent(_))).count()
    }

    fn expire(&mut self, patience: Duration) {
        for frame in &mut self.frames {
            if matches!(frame.at, At::Sent(sent) if sent.elapsed() > patience) {
                frame.settle(Outcome::Lost);
            }
        }
    }
}

impl Frame {
    fn settle(&mut self, outcome: Outcome) {
        if outcome == Outcome::Dropped {
            self.jpeg = None;
        }
        self.at = At::Settled(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::testing::result;
    use std::sync::Arc;

    fn rules(in_flight: usize, keeps_all: bool) -> Rules {
        let patience = Duration::from_secs(600);
        Rules { in_flight, keeps_all, keeps_pictures: true, patience }
    }

    fn outcomes(window: &Window) -> Vec<(u64, &'static str, bool)> {
        std::iter::from_fn(|| window.settled())
            .map(|settled| {
                let outcome = match settled.outcome {
                    Outcome::Result(_) => "result",
                    Outcome::Dropped => "dropped",
                    Outcome::Lost => "lost",
                };
                (settled.number, outcome, settled.jpeg.is_some())
            })
            .collect()
    }

    #[test]
    fn the_newest_replaces_the_one_that_waits_and_all_leave_in_order() {
        let window = Window::new(rules(2, false), 10);
        for frame in 0..2 {
            assert!(window.offer(vec![frame]));
            assert_eq!(window.to_send().unwrap().0, 10 + u64::from(frame));
        }
        for frame in 2..5 {
            assert!(window.offer(vec![frame]));
        }
        assert!(window.found(11, result(11, Vec::new())));
        assert!(!window.found(11, result(11, Vec::new())), "it has its result");
        assert!(!window.found(12, result(12, Vec::new())), "it was not sent");
        let (number, jpeg) = window.to_send().unwrap();
        assert_eq!((number, &jpeg[..]), (14, &[4][..]));
        assert!(window.found(10, result(10, Vec::new())));
        window.complete();
        assert!(!window.offer(vec![9]) && window.to_send().is_none());
        window.close();
        let expected = [
            (10, "result", true),
            (11, "result", true),
            (12, "dropped", false),
            (13, "dropped", false),
            (14, "lost", true),
        ];
        assert_eq!(outcomes(&window), expected);
        assert_eq!(window.next_number(), 15);
    }

    #[test]
    fn where_all_are_kept_the_reader_waits_for_room() {
        let window = Arc::new(Window::new(rules(1, true), 0));
        let reader = {
            let window = Arc::clone(&window);
            std::thread::spawn(move || {
                let taken = (0..20).filter(|frame| window.offer(vec![*frame])).count();
                window.complete();
                taken
            })
        };
        while let Some((number, jpeg)) = window.to_send() {
            assert_eq!(jpeg[..], [number as u8]);
            assert!(window.found(number, result(number, Vec::new())));
        }
        assert_eq!(reader.join().unwrap(), 20);
        let expected: Vec<_> = (0..20).map(|number| (number, "result", true)).collect();
        assert_eq!(outcomes(&window), expected);
    }

    #[test]
    fn what_ends_without_a_frame_has_not_begun() {
        let window = Window::new(rules(1, true), 0);
        assert!(window.offer(vec![1]) && window.has_begun());
        for end in [Window::complete, Window::close] {
            let window = Window::new(rules(1, true), 0);
            end(&window);
            assert!(!window.has_begun() && window.settled().is_none());
        }
    }

    #[test]
    fn a_result_that_does_not_come_holds_nothing_up() {
        let patience = Duration::ZERO;
        let window = Window::new(Rules { patience, ..rules(1, false) }, 0);
        for number in 0..3 {
            window.offer(Vec::new());
            assert_eq!(window.to_send().unwrap().0, number);
        }
        assert_eq!(window.settled().unwrap().outcome, Outcome::Lost);
    }

    #[test]
    fn memory_is_bounded_also_while_the_oldest_has_no_result() {
        let window = Window::new(rules(1000, false), 0);
        let number_of = |size: usize, most: usize| {
            (0..most).filter(|_| window.offer(vec![0; size])).count();
            while window.lock().waiting().is_some() {
                window.to_send();
            }
        };
        for _ in 0..100 {
            number_of(1 << 20, 1);
        }
        let state = window.lock();
        let held: usize = state
            .frames
            .iter()
            .filter_map(|frame| frame.jpeg.as_ref())
            .map(|jpeg| jpeg.len())
            .sum();
        assert_eq!(held, MOST_BYTES);
        assert!(state.frames.len() <= MOST_HELD);
    }

    #[test]
    fn a_camera_that_goes_on_does_not_fill_the_memory_with_what_is_dropped() {
        let window = Window::new(rules(1, false), 7);
        window.offer(vec![0]);
        window.to_send().unwrap();
        for _ in 0..10_000 {
            assert!(window.offer(vec![1]));
        }
        assert!(window.lock().frames.len() <= 3, "{}", window.lock().frames.len());
        assert!(window.found(7, result(7, Vec::new())));
        assert_eq!(window.to_send().unwrap().0, 10_007);
        assert!(window.found(10_007, result(10_007, Vec::new())));
        window.complete();
        let outcomes = outcomes(&window);
        let numbers: Vec<u64> = outcomes.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (7..=10_007).collect::<Vec<_>>());
        let dropped = outcomes.iter().filter(|(_, outcome, _)| *outcome == "dropped").count();
        assert_eq!(dropped, 10_000 - 1);
    }

    #[test]
    fn where_pictures_are_not_wanted_they_leave_when_they_are_sent() {
        let window = Window::new(Rules { keeps_pictures: false, ..rules(2, false) }, 0);
        window.offer(vec![1]);
        assert_eq!(window.to_send().unwrap().1[..], [1]);
        assert!(window.found(0, result(0, Vec::new())));
        window.complete();
        assert_eq!(outcomes(&window), [(0, "result", false)]);
    }
}
