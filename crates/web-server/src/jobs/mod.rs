//! What is known about jobs: those on their way, and the latest results.

mod cameras;
mod finished;
mod ring;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub(crate) use cameras::Counts;
pub(crate) use finished::Finished;
pub(crate) use ring::{Bounds, CameraState, Slice};

use crate::pending::Place;
use frame::{CameraId, Envelope, FrameId, Origin, Status, Timestamp};
use ring::Ring;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use unit::{Waiter, Waiters};

/// The store of jobs; every method takes a lock for microseconds.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    /// The position behind the newest result.
    head: watch::Sender<u64>,
    /// Bounded by the requests that wait.
    waiters: Waiters<FrameId, Arc<Finished>>,
}

#[derive(Debug)]
struct Inner {
    /// Frames that came in here; bounded by the places that they hold.
    pending: HashMap<FrameId, Pending>,
    results: Ring,
    /// The position from which on results stand in the order in which they came.
    live_from: Option<u64>,
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
    /// It came in here, or has a provisional result of the edge, and is on its way.
    Pending {
        camera: CameraId,
        sequence: u64,
        origin: Option<Origin>,
        provisional: Option<Arc<Finished>>,
    },
    /// It had a result, which is no longer held.
    Forgotten,
    /// Not heard of here: made up, or on its way from another replica.
    Unheard,
}

/// What a result did to the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is the frame's first of its kind. `status` is the one that is shown: not its own when the
    /// provisional answer was better. With the moment of receipt if the frame came in here.
    First { status: Status, received_at: Option<Timestamp> },
    /// The frame had one before; nothing changed.
    Duplicate,
    /// It was too old to be kept when it was read at the start.
    TooOld,
}

/// A result that is there, or one to wait for.
#[derive(Debug)]
pub(crate) enum Subscription {
    Finished(Arc<Finished>),
    Waiting(Waiter<FrameId, Arc<Finished>>),
}

impl Store {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let inner = Inner { pending: HashMap::new(), results: Ring::new(bounds), live_from: None };
        let (head, waiters) = (watch::Sender::new(0), Waiters::default());
        Self { inner: Mutex::new(inner), head, waiters }
    }

    /// A frame is about to be sent: from now on its result is waited for.
    pub(crate) fn expect(&self, envelope: Envelope, place: Place) {
        let id = envelope.frame_id;
        self.lock()
            .pending
            .insert(id, Pending { envelope, origin: None, expiring: false, _place: place });
    }

    /// The broker has the frame.
    pub(crate) fn accepted(&self, id: FrameId, origin: Origin) {
        let mut inner = self.lock();
        if let Some(pending) = inner.pending.get_mut(&id) {
            pending.origin = Some(origin);
        }
        // a result that was faster than the acknowledgement
        if let Some(result) = inner.results.get(id).or_else(|| inner.results.provisional(id)) {
            result.set_origin(origin);
        }
    }

    /// The broker does not have the frame: nothing is waited for.
    pub(crate) fn withdraw(&self, id: FrameId) {
        self.lock().pending.remove(&id);
    }

    /// Takes in a final result that was made at `made_at`. The first one of a frame counts, whoever
    /// made it.
    ///
    /// When it brings no detections and there was a provisional answer, that one becomes the final
    /// one. All results of a frame stand in one partition, so every replica reads them in the
    /// same order and shows the same.
    pub(crate) fn finish(&self, result: Finished, made_at: Timestamp) -> Stored {
        // outside of the lock, because it reads and writes JSON
        let result = self.better(result);
        let (head, status, received_at) = {
            let mut inner = self.lock();
            let (id, status) = (result.frame_id, result.status);
            if inner.results.has_seen(id) {
                return Stored::Duplicate;
            }
            if inner.live_from.is_none()
                && !inner.pending.contains_key(&id)
                && inner.results.is_old(made_at, Timestamp::now())
            {
                inner.results.forget(id);
                return Stored::TooOld;
            }
            let pending = inner.pending.remove(&id);
            if let Some(origin) = pending.as_ref().and_then(|pending| pending.origin) {
                result.set_origin(origin);
            }
            let result = Arc::new(result);
            // under the lock: whoever begins to wait meanwhile sees the result, or is told
            self.waiters.tell(id, &result);
            inner.results.push(result, made_at);
            (inner.results.head(), status, pending.map(|pending| pending.envelope.received_at))
        };
        self.head_is_at(head);
        Stored::First { status, received_at }
    }

    /// Takes in a provisional result that was made at `made_at`: the job goes on. Only the first
    /// one of a frame counts, and none after the final one.
    pub(crate) fn hold(&self, provisional: Finished, made_at: Timestamp) -> Stored {
        let (head, status, received_at) = {
            let mut inner = self.lock();
            let (id, status) = (provisional.frame_id, provisional.status);
            if inner.results.has_seen(id) || inner.results.provisional(id).is_some() {
                return Stored::Duplicate;
            }
            let pending = inner.pending.get(&id);
            if let Some(origin) = pending.and_then(|pending| pending.origin) {
                provisional.set_origin(origin);
            }
            let received_at = pending.map(|pending| pending.envelope.received_at);
            inner.results.push(Arc::new(provisional), made_at);
            (inner.results.head(), status, received_at)
        };
        self.head_is_at(head);
        Stored::First { status, received_at }
    }

    /// What the edge has found, while the final result is awaited.
    pub(crate) fn provisional(&self, id: FrameId) -> Option<Arc<Finished>> {
        self.lock().results.provisional(id).cloned()
    }

    /// The final result, or the provisional one in its place when that is better.
    fn better(&self, result: Finished) -> Finished {
        if !result.is_error() {
            return result;
        }
        let provisional = self.provisional(result.frame_id);
        let Some(promoted) = provisional.as_ref().and_then(|provisional| provisional.promoted())
        else {
            return result;
        };
        let origin = provisional.and_then(|provisional| provisional.origin());
        Finished::new(&promoted, origin.or(result.origin())).traced(result.trace())
    }

    fn head_is_at(&self, head: u64) {
        // two finishers may come here in either order, and the head must not go back
        self.head.send_if_modified(|old| head > std::mem::replace(old, head.max(*old)));
    }

    /// Drops what is too old; not before everything is read, because an old provisional answer may
    /// still be needed until then.
    pub(crate) fn forget_old(&self, now: Timestamp) {
        let mut inner = self.lock();
        if inner.live_from.is_some() {
            inner.results.shrink(now);
        }
    }

    /// The accepted frames that came in before `moment`, have no result, and were not said to
    /// expire yet; with their places on the bus.
    pub(crate) fn overdue(&self, moment: Timestamp) -> Vec<(Envelope, Origin)> {
        let inner = self.lock();
        let late = inner
            .pending
            .values()
            .filter(|pending| pending.envelope.received_at < moment && !pending.expiring);
        late.filter_map(|pending| Some((pending.envelope.clone(), pending.origin?))).collect()
    }

    /// The frame's expiry is on the bus.
    pub(crate) fn expires(&self, id: FrameId) {
        if let Some(pending) = self.lock().pending.get_mut(&id) {
            pending.expiring = true;
        }
    }

    pub(crate) fn job(&self, id: FrameId) -> Job {
        let inner = self.lock();
        let provisional = inner.results.provisional(id).cloned();
        if let Some(finished) = inner.results.get(id) {
            Job::Finished(finished.clone())
        } else if let Some(Pending { envelope, origin, .. }) = inner.pending.get(&id) {
            let Envelope { camera, sequence, .. } = envelope;
            Job::Pending {
                camera: camera.clone(),
                sequence: *sequence,
                origin: *origin,
                provisional,
            }
        } else if let Some(held) = &provisional {
            Job::Pending {
                camera: held.camera.clone(),
                sequence: held.sequence,
                origin: held.origin(),
                provisional,
            }
        } else if inner.results.has_seen(id) {
            Job::Forgotten
        } else {
            Job::Unheard
        }
    }

    pub(crate) fn subscribe(&self, id: FrameId) -> Subscription {
        let inner = self.lock();
        match inner.results.get(id) {
            Some(finished) => Subscription::Finished(finished.clone()),
            None => Subscription::Waiting(self.waiters.wait_for(id)),
        }
    }

    /// The position behind the newest result, as it moves.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Everything older than this moment is read. What came until now was read partition by
    /// partition, so its order is not the one in which a client may have seen it elsewhere.
    pub(crate) fn has_caught_up(&self) {
        let head = *self.head.borrow();
        self.lock().live_from.get_or_insert(head);
    }

    /// The position behind a result that is held and came in live; `None` for any other, behind
    /// which newer ones may be missing.
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

    /// The result to show on a picture of this camera, with its position: that of the newest frame
    /// with a result that is no error.
    pub(crate) fn shown(&self, camera: &CameraId) -> Option<(u64, Arc<Finished>)> {
        self.lock().results.shown(camera).map(|(position, result)| (position, result.clone()))
    }

    /// The newest frame of this camera that has an answer.
    pub(crate) fn newest(&self, camera: &CameraId) -> Option<FrameId> {
        self.lock().results.newest(camera)
    }

    /// The first `limit` cameras by name that have a result, and how many there are.
    pub(crate) fn cameras(&self, limit: usize) -> (Vec<CameraState>, usize) {
        self.lock().results.cameras(limit)
    }

    /// How many results are held, provisional ones included.
    pub(crate) fn len(&self) -> usize {
        self.lock().results.len()
    }

    /// How many final results are held.
    pub(crate) fn finals(&self) -> usize {
        self.lock().results.finals()
    }

    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        self.waiters.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
