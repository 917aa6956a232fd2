//! Permits for work on pixels: while all are taken, cameras get the next ones by their weights.

use frame::CameraId;
use offload::FairQueue;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// So many frames may be worked on at a time; clones share them.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Mutex<State>>);

struct State {
    free: usize,
    waiting: FairQueue<oneshot::Sender<Permit>>,
}

/// A frame may be worked on until this is dropped.
pub(crate) struct Permit(Arc<Mutex<State>>);

impl Permits {
    /// `count` at a time, for which at most `max_waiting` wait.
    pub(crate) fn new(count: usize, max_waiting: usize) -> Self {
        let state = State { free: count, waiting: FairQueue::new(max_waiting) };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Waits for a permit. `None` when too many wait, which cannot be where no more frames are in
    /// the process than may wait.
    pub(crate) async fn take(&self, camera: &CameraId, weight: u32) -> Option<Permit> {
        let coming = {
            let mut state = lock(&self.0);
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit(Arc::clone(&self.0)));
            }
            let (permit, coming) = oneshot::channel();
            state.waiting.push(camera, weight, permit).ok()?;
            coming
        };
        coming.await.ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = {
            let mut state = lock(&self.0);
            let next = state.waiting.pop(oneshot::Sender::is_closed, &mut Vec::new());
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // whoever has gone away meanwhile drops it, and so it goes on
            let _ = next.send(Self(Arc::clone(&self.0)));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn camera(name: &str) -> CameraId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_camera_with_many_frames_does_not_keep_another_one_waiting() {
        let permits = Permits::new(1, 16);
        let first = permits.take(&camera("flood"), 1).await;
        let mut flood: Vec<_> = (0..5)
            .map(|_| {
                let permits = permits.clone();
                Box::pin(async move { permits.take(&camera("flood"), 1).await })
            })
            .collect();
        flood.iter_mut().for_each(|wait| assert!(wait.now_or_never().is_none()));
        let (gate, other) = (camera("gate"), camera("other"));
        let mut gate = Box::pin(permits.take(&gate, 1));
        assert!((&mut gate).now_or_never().is_none());
        drop(first);
        let second = (&mut flood[0]).now_or_never();
        assert!(second.is_some() && (&mut gate).now_or_never().is_none());
        drop(second);
        let third = (&mut gate).now_or_never();
        assert!(third.is_some(), "four of the other camera came before it");
        // those who go away while they wait do not keep a permit
        drop((flood, third));
        assert!(permits.take(&other, 1).now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn too_many_are_told_so() {
        let permits = Permits::new(1, 1);
        let held = permits.take(&camera("a"), 1).await;
        let b = camera("b");
        let mut waits = Box::pin(permits.take(&b, 1));
        assert!((&mut waits).now_or_never().is_none());
        assert!(permits.take(&camera("c"), 1).await.is_none());
        drop(held);
        assert!(waits.await.is_some());
    }
}
