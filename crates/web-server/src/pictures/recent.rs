//! The latest uploads of cameras that are watched, so that they need not be read back.

use axum::body::Bytes;
use frame::{CameraId, Envelope, FrameId, ImageFormat};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Copying a larger frame would hold up the async threads; such a frame is read back.
const LARGEST: usize = 1024 * 1024;

/// The bytes of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Upload {
    pub(crate) camera: CameraId,
    pub(crate) format: ImageFormat,
    pub(crate) bytes: Bytes,
}

/// So many bytes of them, the latest ones.
#[derive(Debug)]
pub(super) struct Recent {
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    uploads: HashMap<FrameId, Upload>,
    /// The oldest first.
    order: VecDeque<FrameId>,
    bytes: usize,
}

impl Recent {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, kept: Mutex::default() }
    }

    pub(super) fn keep(&self, envelope: &Envelope, bytes: &[u8]) {
        if bytes.len() > self.max_bytes.min(LARGEST) {
            return;
        }
        let upload = Upload {
            camera: envelope.camera.clone(),
            format: envelope.format,
            bytes: Bytes::copy_from_slice(bytes),
        };
        let mut kept = self.lock();
        if kept.uploads.insert(envelope.frame_id, upload).is_some() {
            return; // ids are never used again, so these are the same bytes
        }
        kept.order.push_back(envelope.frame_id);
        kept.bytes += bytes.len();
        while kept.bytes > self.max_bytes {
            let Some(oldest) = kept.order.pop_front() else { break };
            let dropped = kept.uploads.remove(&oldest).map_or(0, |upload| upload.bytes.len());
            kept.bytes -= dropped;
        }
    }

    pub(super) fn get(&self, id: FrameId) -> Option<Upload> {
        self.lock().uploads.get(&id).cloned()
    }

    /// Nobody watches any more.
    pub(super) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;

    #[test]
    fn the_latest_uploads_are_kept_within_a_bound() {
        let recent = Recent::new(2 * LARGEST);
        let envelopes: Vec<Envelope> = (0..5).map(|n| samples::envelope("gate", n)).collect();
        for envelope in &envelopes[..4] {
            recent.keep(envelope, &[7; LARGEST * 2 / 3]);
        }
        let kept: Vec<bool> =
            envelopes.iter().map(|of| recent.get(of.frame_id).is_some()).collect();
        assert_eq!(kept, [false, true, true, true, false]);
        recent.keep(&envelopes[3], &[7; LARGEST * 2 / 3]);
        assert_eq!(recent.lock().bytes, 3 * (LARGEST * 2 / 3), "a frame counts once");
        recent.keep(&envelopes[4], &[7; LARGEST + 1]);
        assert!(recent.get(envelopes[4].frame_id).is_none(), "too large");
        assert_eq!(recent.get(envelopes[1].frame_id).unwrap().bytes[..2], [7, 7]);
        recent.clear();
        assert!(recent.get(envelopes[1].frame_id).is_none() && recent.lock().bytes == 0);
    }
}
