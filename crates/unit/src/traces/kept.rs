//! Spans of traces that are not sampled, until it is known what became of their frames.

use super::span::Span;
use crate::BoundedMap;
use frame::{Envelope, FrameId, FrameResult, Status, Timestamp};

/// How many frames' spans are kept: as many as are on their way within seconds.
const MAX_FRAMES: usize = 4096;
/// How many spans of one frame are kept.
const MAX_SPANS: usize = 16;

/// What is kept of one frame.
#[derive(Debug)]
struct Held {
    /// Until when it might take, if that was said.
    deadline: Option<Timestamp>,
    /// The same in milliseconds.
    allowed_ms: Option<f64>,
    /// It has come to a bad end, so that what follows is exported, too.
    has_failed: bool,
    spans: Vec<Span>,
}

/// What is kept of frames.
#[derive(Debug)]
pub(super) struct Kept(BoundedMap<FrameId, Held>);

/// How long the frame may take, in milliseconds; `None`: as long as it does.
pub(super) fn allowed_ms(envelope: &Envelope) -> Option<f64> {
    envelope.deadline.map(|deadline| deadline.ms_since(envelope.received_at))
}

/// Whether a frame that might take so long has failed or missed its deadline. One that a newer
/// frame of its camera overtook has not: that is what its camera's order asks for.
///
/// Only numbers that travel with the frame and its result are looked at, so that all units say the
/// same of it when the result is made. Its way may take long, too: see [`Kept::outcome`].
pub(super) fn is_bad(result: &FrameResult, allowed_ms: Option<f64>) -> bool {
    let is_late = || {
        let took_ms = result.timings_ms.end_to_end;
        took_ms.zip(allowed_ms).is_some_and(|(took_ms, allowed_ms)| took_ms > allowed_ms)
    };
    match result.status {
        Status::Failed => true,
        Status::Expired => result.overtaken_by.is_none(),
        Status::Done | Status::Skipped => is_late(),
        Status::Provisional => false,
    }
}

impl Kept {
    pub(super) fn new() -> Self {
        Self(BoundedMap::new(MAX_FRAMES))
    }

    /// The frame's outcome will be told.
    pub(super) fn expect(&mut self, envelope: &Envelope) {
        if !self.0.contains_key(&envelope.frame_id) {
            let (deadline, allowed_ms) = (envelope.deadline, allowed_ms(envelope));
            let held = Held { deadline, allowed_ms, has_failed: false, spans: Vec::new() };
            self.0.insert(envelope.frame_id, held);
        }
    }

    /// Gives the span back when it is to be exported: its frame has failed. One of a frame whose
    /// outcome is not awaited is dropped.
    pub(super) fn keep(&mut self, id: FrameId, span: impl FnOnce() -> Span) -> Option<Span> {
        let held = self.0.get_mut(&id)?;
        if held.has_failed {
            return Some(span());
        }
        if held.spans.len() < MAX_SPANS {
            held.spans.push(span());
        }
        None
    }

    /// What became of a frame, by a result that came at `came`: gives what is to be exported now. A
    /// result that was made in time may have come too late.
    pub(super) fn outcome(&mut self, result: &FrameResult, came: Timestamp) -> Vec<Span> {
        if !result.status.is_final() {
            return Vec::new();
        }
        let Some(held) = self.0.get_mut(&result.frame_id) else { return Vec::new() };
        let came_late = held.deadline.is_some_and(|deadline| came > deadline);
        let is_answer = matches!(result.status, Status::Done | Status::Skipped);
        if is_bad(result, held.allowed_ms) || is_answer && came_late {
            held.has_failed = true;
            return std::mem::take(&mut held.spans);
        }
        // of two final results the first counts: what has failed stays so
        if !held.has_failed {
            self.0.remove(&result.frame_id);
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::Kind;
    use frame::{CameraId, ImageFormat, Problem, ServedBy, TimingsMs};
    use std::time::Duration;

    fn envelope(deadline_ms: Option<u64>) -> Envelope {
        let envelope = Envelope::received_now(CameraId::unnamed(), 0, ImageFormat::Jpeg);
        let deadline = deadline_ms.map(|ms| envelope.received_at + Duration::from_millis(ms));
        Envelope { deadline, ..envelope }
    }

    fn span(envelope: &Envelope) -> Span {
        Span::new("work", Kind::Internal, envelope.traceparent, None, Timestamp::now())
    }

    fn done(envelope: &Envelope, took_ms: f64) -> FrameResult {
        let problem = Problem::undecodable("no picture");
        let failed = envelope.failed(problem, ServedBy::default(), TimingsMs::default());
        let timings_ms = TimingsMs { end_to_end: Some(took_ms), ..TimingsMs::default() };
        FrameResult { status: Status::Done, error: None, timings_ms, ..failed }
    }

    #[test]
    fn spans_come_out_only_when_their_frame_failed_or_was_late() {
        let newer = Some(FrameId::fresh());
        type Change = fn(FrameResult) -> FrameResult;
        let cases: [(&str, Option<u64>, f64, Change, usize); 6] = [
            ("in time", Some(100), 99.0, |result| result, 0),
            ("late", Some(100), 101.0, |result| result, 1),
            ("without a deadline", None, 1e9, |result| result, 0),
            ("failed", None, 1.0, |result| FrameResult { status: Status::Failed, ..result }, 1),
            ("expired", None, 1.0, |result| FrameResult { status: Status::Expired, ..result }, 1),
            (
                "provisional",
                Some(1),
                9.0,
                |result| FrameResult { status: Status::Provisional, ..result },
                0,
            ),
        ];
        for (name, deadline_ms, took_ms, change, exported) in cases {
            let (mut kept, envelope) = (Kept::new(), envelope(deadline_ms));
            kept.expect(&envelope);
            assert_eq!(kept.keep(envelope.frame_id, || span(&envelope)), None);
            let result = change(done(&envelope, took_ms));
            let told = kept.outcome(&result, envelope.received_at);
            assert_eq!(told.len(), exported, "{name}");
        }
        let (mut kept, envelope) = (Kept::new(), envelope(None));
        kept.expect(&envelope);
        kept.keep(envelope.frame_id, || span(&envelope));
        let status = Status::Expired;
        let overtaken = FrameResult { status, overtaken_by: newer, ..done(&envelope, 1.0) };
        assert_eq!(kept.outcome(&overtaken, envelope.received_at), []);
    }

    #[test]
    fn a_result_that_was_made_in_time_may_come_too_late() {
        for (status, came_ms, exported) in [
            (Status::Done, 100, 0),
            (Status::Done, 101, 1),
            (Status::Skipped, 101, 1),
            (Status::Provisional, 101, 0),
        ] {
            let (mut kept, envelope) = (Kept::new(), envelope(Some(100)));
            kept.expect(&envelope);
            kept.keep(envelope.frame_id, || span(&envelope));
            let result = FrameResult { status, ..done(&envelope, 40.0) };
            let came = envelope.received_at + Duration::from_millis(came_ms);
            assert_eq!(kept.outcome(&result, came).len(), exported, "{status:?} {came_ms}");
        }
    }

    #[test]
    fn what_ends_after_the_outcome_goes_with_it() {
        let (mut kept, envelope) = (Kept::new(), envelope(Some(1)));
        assert_eq!(kept.keep(envelope.frame_id, || span(&envelope)), None, "nobody awaits it");
        kept.expect(&envelope);
        assert_eq!(kept.outcome(&done(&envelope, 2.0), envelope.received_at), []);
        assert!(kept.keep(envelope.frame_id, || span(&envelope)).is_some());
        let second = kept.outcome(&done(&envelope, 0.5), envelope.received_at);
        assert_eq!(second, [], "a second result changes nothing");
        assert!(kept.keep(envelope.frame_id, || span(&envelope)).is_some());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (mut kept, first) = (Kept::new(), envelope(Some(1)));
        kept.expect(&first);
        for _ in 0..2 * MAX_SPANS {
            kept.keep(first.frame_id, || span(&first));
        }
        assert_eq!(kept.outcome(&done(&first, 2.0), first.received_at).len(), MAX_SPANS);
        for _ in 0..MAX_FRAMES {
            kept.expect(&envelope(None));
        }
        assert_eq!(kept.0.len(), MAX_FRAMES);
        assert_eq!(kept.keep(first.frame_id, || span(&first)), None, "it was the oldest");
    }
}
