//! What became of a stream's frames.

use crate::jobs::Finished;
use crate::problem::RequestError;
use frame::CameraId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a frame is dropped before anybody has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A newer one has come while it waited.
    Replaced,
    /// Others wait, and the client keeps those.
    OthersWait,
    /// It is larger than a frame may be.
    TooLarge,
    /// The stream was over, and it had not come to its turn within the time for that.
    TimeOver,
    /// It was refused, as an upload would have been: the kind of its problem.
    Refused(String),
}

impl Reason {
    pub(crate) fn of(refusal: &RequestError) -> Self {
        Self::Refused(refusal.problem().kind.trim_start_matches("/problems/").to_owned())
    }

    /// In one word, for summaries and metrics.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Replaced => "replaced-by-newer",
            Self::OthersWait => "others-wait",
            Self::TooLarge => "frame-too-large",
            Self::TimeOver => "time-over",
            Self::Refused(kind) => kind,
        }
    }
}

/// Why a stream was not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// The client has sent everything.
    Complete,
    /// No frame came for too long.
    Silence,
    /// Nothing but garbage came for too many bytes.
    Garbage,
    /// The server shuts down.
    Shutdown,
    /// The client may not send any more.
    RightOver,
}

/// Counts the frames of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    accepted: u64,
    dropped: BTreeMap<String, u64>,
    results: BTreeMap<&'static str, u64>,
}

/// A stream in numbers: what the client gets at its end.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    camera: CameraId,
    ended_by: Ending,
    /// In seconds.
    duration_s: f64,
    /// Of the body, as far as it was read.
    bytes: u64,
    /// Those in no frame.
    skipped_bytes: u64,
    frames: Frames,
    /// Accepted frames that have a final result, by its status.
    results: BTreeMap<&'static str, u64>,
    /// Accepted frames that have none yet.
    pending: u64,
}

#[derive(Debug, Serialize)]
struct Frames {
    received: u64,
    accepted: u64,
    dropped: u64,
    dropped_by_reason: BTreeMap<String, u64>,
}

/// What a stream was as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    pub(crate) duration: Duration,
    pub(crate) bytes: u64,
    pub(crate) skipped_bytes: u64,
}

impl Tally {
    pub(crate) fn accepted(&mut self) {
        self.accepted += 1;
    }

    pub(crate) fn dropped(&mut self, reason: &Reason) {
        *self.dropped.entry(reason.as_str().to_owned()).or_default() += 1;
    }

    pub(crate) fn finished(&mut self, result: &Finished) {
        *self.results.entry(result.status.as_str()).or_default() += 1;
    }

    /// How many frames have come, whatever became of them.
    pub(crate) fn received(&self) -> u64 {
        self.accepted + self.dropped.values().sum::<u64>()
    }

    pub(crate) fn summary(&self, camera: CameraId, ended_by: Ending, length: Length) -> Summary {
        let Self { accepted, dropped: dropped_by_reason, results } = self.clone();
        let dropped = dropped_by_reason.values().sum();
        let finished: u64 = results.values().sum();
        Summary {
            camera,
            ended_by,
            duration_s: length.duration.as_secs_f64(),
            bytes: length.bytes,
            skipped_bytes: length.skipped_bytes,
            frames: Frames { received: accepted + dropped, accepted, dropped, dropped_by_reason },
            results,
            pending: accepted.saturating_sub(finished),
        }
    }
}

/// A summary with every member, for tests.
#[cfg(test)]
pub(crate) fn sample_summary() -> Summary {
    use crate::jobs::samples;
    let mut tally = Tally::default();
    for _ in 0..3 {
        tally.accepted();
    }
    tally.dropped(&Reason::Replaced);
    tally.finished(&Finished::new(&samples::done("gate", 1), None));
    let duration = Duration::from_millis(1500);
    let length = Length { duration, bytes: 1000, skipped_bytes: 7 };
    let gate = "gate".parse().expect("a camera's name");
    tally.summary(gate, Ending::Complete, length)
}
