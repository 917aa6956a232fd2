//! What is known about jobs: those on their way, and the latest results.

mod finished;
mod ring;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use finished::Finished;
pub(crate) use ring::{Bounds, Slice};

use crate::pending::Place;
use frame::{CameraId, Envelope, FrameId, Origin, Timestamp};
use ring::Ring;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// The store of jobs; every method takes a lock for microseconds.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    /// The position behind the newest result.
    head: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    /// Frames that came in here; bounded by the places that they hold.
    pending: HashMap<FrameId, Pending>,
    results: Ring,
    /// The position from which on results stand in the order in which they came.
    live_from: Option<u64>,
    /// Bounded by the requests that wait.
    waiters: HashMap<FrameId, Vec<oneshot::Sender<Arc<Finished>>>>,
}

#[derive(Debug)]
struct Pending {
    envelope: Envelope,
    /// Known from the broker's acknowledgement on.
    origin: Option<Origin>,
    /// Its expiry stands on the results topic, and will come back from there.
    expiring: bool,
    /// Held until the result is there.
    _place: Place,
}

/// What is known about an id.
#[derive(Debug)]
pub(crate) enum Job {
    /// It has a result.
    Finished(Arc<Finished>),
    /// It came in here and is on its way.
    Pending { camera: CameraId, sequence: u64, origin: Option<Origin> },
    /// It had a result, which is no longer held.
    Forgotten,
    /// Not heard of here: made up, or on its way from another replica.
    Unheard,
}

/// What a result did to the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is the frame's result; with the moment of receipt if the frame came in here.
    First { received_at: Option<Timestamp> },
    /// The frame had a result before; nothing changed.
    Duplicate,
}

/// A result that is there, or one to wait for.
#[derive(Debug)]
pub(crate) enum Subscription {
    Finished(Arc<Finished>),
    Waiting(Waiter),
}

/// Waits for one result; leaves the store when dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    store: Arc<Store>,
    id: FrameId,
    receiver: oneshot::Receiver<Arc<Finished>>,
}

impl Store {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let (pending, waiters) = (HashMap::new(), HashMap::new());
        let inner = Inner { pending, results: Ring::new(bounds), live_from: None, waiters };
        Self { inner: Mutex::new(inner), head: watch::Sender::new(0) }
    }

    /// A frame is about to be sent: from now on its result is waited for.
    pub(crate) fn expect(&self, envelope: Envelope, place: Place) {
        let id = envelope.frame_id;
        self.lock().pending.insert(id, Pending { envelope, origin: None, expiring: false, _place: place });
    }

    /// The broker has the frame.
    pub(crate) fn accepted(&self, id: FrameId, origin: Origin) {
        let mut inner = self.lock();
        if let Some(pending) = inner.pending.get_mut(&id) {
            pending.origin = Some(origin);
        } else if let Some(finished) = inner.results.get(id) {
            // its result was faster than the acknowledgement
            finished.set_origin(origin);
        }
    }

    /// The broker does not have the frame: nothing is waited for.
    pub(crate) fn withdraw(&self, id: FrameId) {
        self.lock().pending.remove(&id);
    }

    /// Takes in a result that was made at `made_at`. The first result of a frame counts, whoever made it.
    pub(crate) fn finish(&self, result: Finished, made_at: Timestamp) -> Outcome {
        let (head, received_at) = {
            let mut inner = self.lock();
            let id = result.frame_id;
            if inner.results.has_seen(id) {
                return Outcome::Duplicate;
            }
            let pending = inner.pending.remove(&id);
            if let Some(origin) = pending.as_ref().and_then(|pending| pending.origin) {
                result.set_origin(origin);
            }
            let result = Arc::new(result);
            for waiter in inner.waiters.remove(&id).unwrap_or_default() {
                // a request that has stopped waiting meanwhile does not want it
                let _ = waiter.send(result.clone());
            }
            inner.results.push(result, made_at);
            (inner.results.head(), pending.map(|pending| pending.envelope.received_at))
        };
        // two finishers may come here in either order, and the head must not go back
        self.head.send_if_modified(|old| head > std::mem::replace(old, head.max(*old)));
        Outcome::First { received_at }
    }

    /// Drops what is too old.
    pub(crate) fn forget_old(&self, now: Timestamp) {
        self.lock().results.shrink(now);
    }

    /// The accepted frames that came in before `moment`, have no result, and were not said to expire yet; with their places on
    /// the bus.
    pub(crate) fn overdue(&self, moment: Timestamp) -> Vec<(Envelope, Origin)> {
        let inner = self.lock();
        let late = inner.pending.values().filter(|pending| pending.envelope.received_at < moment && !pending.expiring);
        late.filter_map(|pending| Some((pending.envelope.clone(), pending.origin?))).collect()
    }

    /// The frame's expiry is on the bus.
    pub(crate) fn expires(&self, id: FrameId) {
        if let Some(pending) = self.lock().pending.get_mut(&id) {
            pending.expiring = true;
        }
    }

    pub(crate) fn look(&self, id: FrameId) -> Job {
        let inner = self.lock();
        if let Some(finished) = inner.results.get(id) {
            Job::Finished(finished.clone())
        } else if let Some(Pending { envelope, origin, .. }) = inner.pending.get(&id) {
            Job::Pending { camera: envelope.camera.clone(), sequence: envelope.sequence, origin: *origin }
        } else if inner.results.has_seen(id) {
            Job::Forgotten
        } else {
            Job::Unheard
        }
    }

    pub(crate) fn subscribe(self: &Arc<Self>, id: FrameId) -> Subscription {
        let mut inner = self.lock();
        if let Some(finished) = inner.results.get(id) {
            return Subscription::Finished(finished.clone());
        }
        let (sender, receiver) = oneshot::channel();
        inner.waiters.entry(id).or_default().push(sender);
        Subscription::Waiting(Waiter { store: self.clone(), id, receiver })
    }

    /// The position behind the newest result, as it moves.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Everything older than this moment is read. What came until now was read partition by partition, so its order is not the
    /// one in which a client may have seen it elsewhere.
    pub(crate) fn has_caught_up(&self) {
        let head = *self.head.borrow();
        self.lock().live_from.get_or_insert(head);
    }

    /// The position behind a result that is held and came in live; `None` for any other, behind which newer ones may be missing.
    pub(crate) fn position_after(&self, id: FrameId) -> Option<u64> {
        let inner = self.lock();
        let position = inner.results.position(id)?;
        inner.live_from.is_none_or(|live_from| position >= live_from).then_some(position + 1)
    }

    /// The position of the oldest result that is held.
    pub(crate) fn oldest(&self) -> u64 {
        self.lock().results.first()
    }

    /// Up to `limit` results from a position on, those of one camera if asked for.
    pub(crate) fn read(&self, from: u64, camera: Option<&CameraId>, limit: usize) -> Slice {
        self.lock().results.read(from, camera, limit)
    }

    /// How many results are held.
    pub(crate) fn len(&self) -> usize {
        self.lock().results.len()
    }

    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        self.lock().waiters.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The result; `None` only if the store is gone.
    pub(crate) async fn finished(&mut self) -> Option<Arc<Finished>> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.receiver.close();
        let mut inner = self.store.lock();
        if let Some(senders) = inner.waiters.get_mut(&self.id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                inner.waiters.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pending::Room;

    fn expect(store: &Store, room: &Room) -> FrameId {
        let envelope = samples::envelope("gate", 1);
        let id = envelope.frame_id;
        store.expect(envelope, room.enter().unwrap());
        id
    }

    #[test]
    fn a_stream_is_not_resumed_behind_a_result_that_was_read_out_of_order() {
        let store = samples::store(10);
        let old = samples::done("gate", 1);
        store.finish(Finished::new(&old, None), Timestamp::now());
        store.has_caught_up();
        let live = samples::done("gate", 2);
        store.finish(Finished::new(&live, None), Timestamp::now());
        assert_eq!(store.position_after(old.frame_id), None);
        assert_eq!(store.position_after(live.frame_id), Some(2));
        store.has_caught_up();
        assert_eq!(store.position_after(live.frame_id), Some(2), "only the first time counts");
    }

    #[test]
    fn a_result_ends_the_wait_and_gives_the_place_back() {
        let (store, room) = (Arc::new(samples::store(10)), Room::new(1, 100));
        let id = expect(&store, &room);
        assert!(matches!(store.look(id), Job::Pending { origin: None, .. }));
        let origin = Origin { partition: 2, offset: 40 };
        store.accepted(id, origin);
        assert!(matches!(store.look(id), Job::Pending { origin: Some(_), .. }));
        assert!(room.enter().is_err());

        let result = samples::done_for(id, "gate", 1);
        assert!(matches!(store.finish(Finished::new(&result, None), Timestamp::now()), Outcome::First { received_at: Some(_) }));
        assert_eq!(store.finish(Finished::new(&result, None), Timestamp::now()), Outcome::Duplicate);
        let Job::Finished(finished) = store.look(id) else { panic!("it is finished") };
        assert_eq!(finished.origin(), Some(origin));
        drop(room.enter().unwrap());
    }

    #[test]
    fn a_result_may_be_faster_than_the_acknowledgement() {
        let (store, room) = (samples::store(10), Room::new(1, 100));
        let id = expect(&store, &room);
        store.finish(Finished::new(&samples::done_for(id, "gate", 1), None), Timestamp::now());
        let origin = Origin { partition: 0, offset: 1 };
        store.accepted(id, origin);
        let Job::Finished(finished) = store.look(id) else { panic!("it is finished") };
        assert_eq!(finished.origin(), Some(origin));
    }

    #[test]
    fn a_frame_that_was_not_sent_is_not_waited_for() {
        let (store, room) = (samples::store(10), Room::new(1, 100));
        let id = expect(&store, &room);
        store.withdraw(id);
        assert!(matches!(store.look(id), Job::Unheard));
        drop(room.enter().unwrap());
    }

    #[test]
    fn only_accepted_frames_become_overdue_and_only_once() {
        let (store, room) = (samples::store(10), Room::new(2, 100));
        let (sent, _unsent) = (expect(&store, &room), expect(&store, &room));
        store.accepted(sent, Origin { partition: 0, offset: 0 });
        assert!(store.overdue(Timestamp::from_micros(0)).is_empty());
        let overdue = store.overdue(Timestamp::now() + std::time::Duration::from_secs(1));
        assert_eq!(overdue.iter().map(|(envelope, _)| envelope.frame_id).collect::<Vec<_>>(), [sent]);
        store.expires(sent);
        assert!(store.overdue(Timestamp::now() + std::time::Duration::from_secs(1)).is_empty(), "it is said once");
    }
}
