//! Which frames have been answered lately, for those who wait for it.

use frame::{FrameId, FrameResult, Status};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use unit::{BoundedMap, Waiter, Waiters};

/// Answers are asked for within seconds; at a thousand frames per second this is a minute.
const MAX_ENTRIES: usize = 65_536;
/// Provisional answers are some kilobytes each; they are needed until the cloud has answered.
const MAX_PROVISIONAL: usize = 4096;

/// The latest answers; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Answered {
    inner: Arc<Mutex<Inner>>,
    waiters: Waiters<FrameId, ()>,
}

struct Inner {
    answered: BoundedMap<FrameId, ()>,
    provisional: BoundedMap<FrameId, FrameResult>,
}

impl Default for Inner {
    fn default() -> Self {
        let (answered, provisional) =
            (BoundedMap::new(MAX_ENTRIES), BoundedMap::new(MAX_PROVISIONAL));
        Self { answered, provisional }
    }
}

impl Answered {
    /// Takes in what was read.
    pub(crate) fn take_in(&self, result: FrameResult) {
        let mut inner = self.lock();
        let id = result.frame_id;
        if result.status == Status::Provisional {
            if !inner.answered.contains_key(&id) {
                inner.provisional.insert(id, result);
            }
            return;
        }
        inner.provisional.remove(&id);
        inner.answered.insert(id, ());
        // under the lock: whoever begins to wait meanwhile sees the answer, or is told
        self.waiters.tell(id, &());
    }

    /// The edge's provisional answer, while there is no final one.
    pub(crate) fn provisional(&self, id: FrameId) -> Option<FrameResult> {
        self.lock().provisional.get(&id).cloned()
    }

    /// The edge's provisional answer that this result ends: what both tiers found in a frame is
    /// known here, and nowhere else.
    pub(crate) fn ended_by(&self, result: &FrameResult) -> Option<FrameResult> {
        if result.status.is_final() { self.provisional(result.frame_id) } else { None }
    }

    /// `None` when there is a final answer already.
    pub(crate) fn wait_for(&self, id: FrameId) -> Option<Waiter<FrameId, ()>> {
        let inner = self.lock();
        (!inner.answered.contains_key(&id)).then(|| self.waiters.wait_for(id))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{CameraId, Envelope, ImageFormat, ServedBy, TimingsMs};

    fn result(envelope: &Envelope, status: Status) -> FrameResult {
        let model = frame::ModelInfo {
            name: "m".into(),
            version: "v".into(),
            input: "1x1".into(),
            resize: None,
        };
        FrameResult {
            status,
            ..envelope.done(vec![], model, ServedBy::default(), TimingsMs::default())
        }
    }

    #[tokio::test]
    async fn a_final_answer_ends_the_wait_and_a_provisional_one_does_not() {
        let (answered, envelope) = (
            Answered::default(),
            Envelope::received_now(CameraId::unnamed(), 1, ImageFormat::Jpeg),
        );
        let id = envelope.frame_id;
        let mut waiting = answered.wait_for(id).unwrap();
        answered.take_in(result(&envelope, Status::Provisional));
        assert_eq!(answered.provisional(id).unwrap().frame_id, id);
        assert_eq!(answered.ended_by(&result(&envelope, Status::Provisional)), None);
        assert_eq!(answered.ended_by(&result(&envelope, Status::Done)).unwrap().frame_id, id);
        let early =
            tokio::time::timeout(std::time::Duration::from_millis(20), waiting.told()).await;
        assert!(early.is_err(), "a provisional answer is not the end");
        answered.take_in(result(&envelope, Status::Done));
        waiting.told().await;
        assert!(answered.wait_for(id).is_none() && answered.provisional(id).is_none());
        answered.take_in(result(&envelope, Status::Provisional));
        assert!(answered.provisional(id).is_none(), "what comes after the end is too late");
    }

    #[test]
    fn what_is_held_is_bounded_and_who_gives_up_is_forgotten() {
        let answered = Answered::default();
        let envelopes: Vec<Envelope> = (0..=MAX_ENTRIES)
            .map(|_| Envelope::received_now(CameraId::unnamed(), 1, ImageFormat::Jpeg))
            .collect();
        for envelope in &envelopes {
            answered.take_in(result(envelope, Status::Provisional));
        }
        assert_eq!(answered.lock().provisional.len(), MAX_PROVISIONAL);
        for envelope in &envelopes {
            answered.take_in(result(envelope, Status::Done));
        }
        assert_eq!(answered.lock().answered.len(), MAX_ENTRIES);
        drop(answered.wait_for(FrameId::fresh()).unwrap());
        assert!(answered.waiters.is_empty());
    }
}
