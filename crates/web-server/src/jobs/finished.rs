//! A result as it is held, final or provisional.

use frame::{CameraId, FrameId, FrameResult, Origin, Problem, Status, TraceParent};
use std::borrow::Cow;
use std::sync::OnceLock;

/// One frame's result, ready to be sent to any number of clients.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) frame_id: FrameId,
    pub(crate) camera: CameraId,
    pub(crate) sequence: u64,
    pub(crate) status: Status,
    /// The whole result as JSON, in one line.
    pub(crate) json: String,
    error: Option<Problem>,
    origin: OnceLock<Origin>,
    trace: Option<TraceParent>,
}

impl Finished {
    pub(crate) fn new(result: &FrameResult, origin: Option<Origin>) -> Self {
        Self {
            frame_id: result.frame_id,
            camera: result.camera.clone(),
            sequence: result.sequence,
            status: result.status,
            json: serde_json::to_string(result)
                .expect("a result has text keys only, so it is always JSON"),
            error: result.error.clone(),
            origin: origin.map_or_else(OnceLock::new, OnceLock::from),
            trace: None,
        }
    }

    /// The same with the trace that the frame belongs to.
    pub(crate) fn traced(self, trace: Option<TraceParent>) -> Self {
        Self { trace, ..self }
    }

    /// The trace that the frame belongs to, if its result told.
    pub(crate) fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// Where the uploaded bytes stand, if known.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin.get().copied()
    }

    /// Says where the uploaded bytes stand; of two sayings the first counts.
    pub(crate) fn set_origin(&self, origin: Origin) {
        let _ = self.origin.set(origin);
    }

    /// Why it failed or expired, always with an error's status.
    pub(crate) fn error(&self) -> Problem {
        let unknown = || {
            Problem::new(
                500,
                "failed",
                "The frame could not be processed",
                "its result does not say why",
            )
        };
        let error = self.error.clone().unwrap_or_else(unknown);
        if (400..600).contains(&error.status) { error } else { Problem { status: 500, ..error } }
    }

    /// Whether no model ran on the frame and something is to blame.
    pub(crate) const fn is_error(&self) -> bool {
        match self.status {
            Status::Failed | Status::Expired => true,
            Status::Done | Status::Skipped | Status::Provisional => false,
        }
    }

    /// A provisional result as the final one: what the edge has found, because nothing better came.
    /// Always the same for the same result. `None` when its numbers do not fit into JSON and
    /// back.
    pub(crate) fn promoted(&self) -> Option<FrameResult> {
        let result: FrameResult = serde_json::from_str(&self.json).ok()?;
        Some(FrameResult { status: Status::Done, error: None, ..result })
    }

    /// Itself, or the same with its boxes cut to the picture, as far as that can be told.
    pub(crate) fn clipped_if(&self, clip: bool) -> Cow<'_, Self> {
        let clipped = if clip { self.clipped() } else { None };
        clipped.map_or(Cow::Borrowed(self), Cow::Owned)
    }

    /// The same with its boxes cut to the picture. `None` when the picture's size is not known, or
    /// numbers do not fit into JSON and back.
    fn clipped(&self) -> Option<Self> {
        let mut result: FrameResult = serde_json::from_str(&self.json).ok()?;
        let picture = result.image?;
        for detection in &mut result.detections {
            detection.bounding_box = annotate::clip(&detection.bounding_box, picture);
        }
        Some(Self::new(&result, self.origin()))
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.json.len()
    }
}
