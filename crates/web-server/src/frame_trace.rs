//! Where a frame stands among the spans of its trace.

use crate::accept::Accepted;
use frame::{Timestamp, TraceParent};
use frame_bus::Sent;
use unit::Traces;
use unit::traces::Span;

/// The span that puts a frame on the bus: its first, or under that of its upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameTrace {
    /// What the frame's message tells as its `traceparent`.
    pub(crate) context: TraceParent,
    parent: Option<u64>,
    link: Option<TraceParent>,
}

impl FrameTrace {
    /// Of a frame that is a request's body.
    pub(crate) fn of_upload(request: TraceParent) -> Self {
        let (context, parent) = (request.child(), Some(request.span_id()));
        Self { context, parent, link: None }
    }

    /// Of one of a stream's frames: a stream may last for days, so each of its frames is a trace of
    /// its own, with a link to the stream's.
    pub(crate) fn of_streamed(traces: &Traces, stream: TraceParent) -> Self {
        Self { context: traces.root(), parent: None, link: Some(stream) }
    }

    /// The frame is on the bus.
    pub(crate) fn sent(
        self,
        traces: &Traces,
        topic: &str,
        accepted: &Accepted,
        sent: Sent,
        since: Timestamp,
    ) {
        let Accepted { frame_id, camera, sequence } = accepted;
        traces.keep(*frame_id, self.context, || {
            Span::of_sending(topic, self.context, self.parent, since)
                .of_frame(*frame_id, camera)
                .with("sequence", i64::try_from(*sequence).unwrap_or(i64::MAX))
                .with("messaging.destination.partition.id", sent.partition.to_string())
                .with("messaging.kafka.offset", sent.offset)
                .linked(self.link)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamed_frame_has_a_trace_of_its_own_and_an_upload_that_of_its_request() {
        let request = TraceParent::root();
        let upload = FrameTrace::of_upload(request);
        assert_eq!(upload.context.trace_bits(), request.trace_bits());
        assert_eq!(upload.parent, Some(request.span_id()));
        assert_ne!(upload.context.span_id(), request.span_id());
        let streamed = FrameTrace::of_streamed(&Traces::default(), request);
        assert_ne!(streamed.context.trace_bits(), request.trace_bits());
        assert_eq!((streamed.parent, streamed.link), (None, Some(request)));
    }
}
