//! From a client's own thread to the async side: a small bounded queue on which the thread can wait
//! with a time limit.

use crate::error::BusError;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One thread offers, one task takes; either of them may end it.
#[derive(Debug)]
pub(crate) struct Handoff<T> {
    capacity: usize,
    state: Mutex<State<T>>,
    space: Condvar,
    filled: Notify,
    /// Cancelled when the thread has left.
    left: CancellationToken,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
    failed: Option<BusError>,
}

/// What became of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer<T> {
    /// It is in the queue.
    Taken,
    /// There was no room in time.
    Full(T),
    /// Nobody wants it any more.
    Closed,
}

/// Kept by the thread. When it is dropped before the thread is done, the thread has panicked: the
/// async side gets an error then, instead of waiting for ever.
pub(crate) struct LeavingThread<T> {
    handoff: Option<Arc<Handoff<T>>>,
}

impl<T> LeavingThread<T> {
    pub(crate) fn of(handoff: &Arc<Handoff<T>>) -> Self {
        Self { handoff: Some(Arc::clone(handoff)) }
    }

    /// The thread has done what it had to.
    pub(crate) fn finish(mut self) {
        self.handoff = None;
    }
}

impl<T> Drop for LeavingThread<T> {
    fn drop(&mut self) {
        if let Some(handoff) = &self.handoff {
            handoff.fail(BusError::Fatal("its thread panicked".into()));
            handoff.leave();
        }
    }
}

impl<T> Handoff<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::with_capacity(capacity), closed: false, failed: None };
        Self {
            capacity,
            state: Mutex::new(state),
            space: Condvar::new(),
            filled: Notify::new(),
            left: CancellationToken::new(),
        }
    }

    /// Puts an item into the queue; waits for room at most this long.
    pub(crate) fn offer(&self, item: T, limit: Duration) -> Offer<T> {
        let full = |state: &mut State<T>| !state.closed && state.items.len() >= self.capacity;
        let (mut state, _) = self
            .space
            .wait_timeout_while(self.lock(), limit, full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Offer::Closed;
        }
        if state.items.len() >= self.capacity {
            return Offer::Full(item);
        }
        state.items.push_back(item);
        drop(state);
        self.filled.notify_one();
        Offer::Taken
    }

    /// Waits for the next item. Cancel-safe.
    pub(crate) async fn take(&self) -> Result<T, BusError> {
        loop {
            {
                let mut state = self.lock();
                if let Some(item) = state.items.pop_front() {
                    self.space.notify_one();
                    return Ok(item);
                }
                if let Some(error) = &state.failed {
                    return Err(error.clone());
                }
            }
            // a notification that came since the check above is kept for us
            self.filled.notified().await;
        }
    }

    /// The async side wants no more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.items.clear();
        drop(state);
        self.space.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Sleeps on the thread, until the time is over or the async side wants no more.
    pub(crate) fn rest(&self, limit: Duration) {
        drop(self.space.wait_timeout_while(self.lock(), limit, |state| !state.closed));
    }

    /// The thread has failed for good; what is in the queue can still be taken.
    pub(crate) fn fail(&self, error: BusError) {
        self.lock().failed = Some(error);
        self.filled.notify_one();
    }

    /// The thread is done with everything.
    pub(crate) fn leave(&self) {
        self.left.cancel();
    }

    /// Waits until the thread is done with everything.
    pub(crate) async fn left(&self) {
        self.left.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::sync::{Arc, mpsc};
    use std::task::Poll;

    const NOW: Duration = Duration::ZERO;
    /// Reached only by a test that fails.
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn full_is_a_value_and_taking_makes_room() {
        let handoff = Handoff::new(1);
        assert_eq!(handoff.offer(1, NOW), Offer::Taken);
        assert_eq!(handoff.offer(2, NOW), Offer::Full(2));
        assert_eq!(handoff.take().await, Ok(1));
        assert_eq!(handoff.offer(2, NOW), Offer::Taken);
    }

    #[tokio::test]
    async fn everything_comes_through_in_order() {
        let handoff = Arc::new(Handoff::new(2));
        let offering = Arc::clone(&handoff);
        let thread = std::thread::spawn(move || {
            (0..500).all(|item| offering.offer(item, Duration::from_secs(10)) == Offer::Taken)
        });
        for expected in 0..500 {
            assert_eq!(handoff.take().await, Ok(expected));
        }
        assert!(thread.join().unwrap());
    }

    #[test]
    fn closing_ends_a_waiting_offer() {
        let handoff = Arc::new(Handoff::new(1));
        assert_eq!(handoff.offer(1, NOW), Offer::Taken);
        let (offering, (sender, outcome)) = (Arc::clone(&handoff), mpsc::channel());
        let thread = std::thread::spawn(move || sender.send(offering.offer(2, 2 * LONG)));
        // full, so that it waits; should it not have begun yet, the test is weaker but not wrong
        assert_eq!(
            outcome.recv_timeout(Duration::from_millis(50)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        handoff.close();
        assert_eq!(outcome.recv_timeout(LONG), Ok(Offer::Closed), "closing wakes whoever waits");
        thread.join().unwrap().unwrap();
        assert_eq!(handoff.offer(3, NOW), Offer::Closed);
    }

    #[tokio::test]
    async fn failing_ends_a_waiting_take_but_what_is_there_can_be_taken() {
        let broken = BusError::Fatal("broken".into());
        let handoff = Handoff::<u8>::new(1);
        {
            let mut take = pin!(handoff.take());
            assert!(poll_once(take.as_mut()).await.is_pending());
            handoff.fail(broken.clone());
            assert_eq!(tokio::time::timeout(LONG, take).await, Ok(Err(broken.clone())));
        }
        handoff.offer(1, NOW);
        assert_eq!(handoff.take().await, Ok(1));
        assert_eq!(handoff.take().await, Err(broken));
    }

    #[tokio::test]
    async fn a_thread_that_panics_leaves_an_error() {
        let handoff = Arc::new(Handoff::<u8>::new(1));
        let leaving = LeavingThread::of(&handoff);
        let thread = std::thread::spawn(move || {
            let _leaving = leaving;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        let error = tokio::time::timeout(LONG, handoff.take()).await.unwrap().unwrap_err();
        assert!(matches!(error, BusError::Fatal(_)), "{error}");
        tokio::time::timeout(LONG, handoff.left()).await.expect("it is not left");
        LeavingThread::of(&Arc::new(Handoff::<u8>::new(1))).finish();
    }

    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }
}
