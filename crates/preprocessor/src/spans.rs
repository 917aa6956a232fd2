//! What a frame's trace tells of this unit.

use crate::pixels::StageTimes;
use frame::{Decision, Envelope, Timestamp, TraceParent};
use unit::Traces;
use unit::traces::Span;

/// A frame in hand: its span, which that of its sender stands above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InHand {
    sender: TraceParent,
    came: Timestamp,
    /// When there was room for its pixels; a thread may have taken it up later.
    taken_at: Timestamp,
}

/// How a frame leaves this unit.
pub(crate) struct Left<'a> {
    pub(crate) topic: &'a str,
    pub(crate) outcome: &'static str,
    pub(crate) decision: Option<&'a Decision>,
    /// When it was decided on, if its pixels were worked on before.
    pub(crate) worked: Option<(StageTimes, Timestamp)>,
    pub(crate) error: Option<String>,
}

impl InHand {
    /// The frame is taken up: from now on its envelope tells the span of this unit, and what becomes
    /// of it is awaited.
    pub(crate) fn take_up(traces: &Traces, envelope: &mut Envelope) -> Self {
        let sender = envelope.traceparent;
        envelope.traceparent = traces.under(sender);
        traces.expect(envelope);
        let came = Timestamp::now();
        Self { sender, came, taken_at: came }
    }

    /// There is room for the frame's pixels.
    pub(crate) fn taken_now(self) -> Self {
        Self { taken_at: Timestamp::now(), ..self }
    }

    /// The frame has been dealt with.
    pub(crate) fn end(&self, traces: &Traces, envelope: &Envelope, left: Left<'_>) {
        let context = envelope.traceparent;
        traces.keep(envelope.frame_id, context, || {
            let Left { topic, outcome, decision, worked, error } = left;
            let mut span = Span::of_message(topic, context, self.sender, self.came)
                .of_frame(envelope.frame_id, &envelope.camera)
                .with("outcome", outcome)
                .with_known("destination", decision.map(|decision| decision.destination.as_str()))
                .with_known("reason", decision.map(|decision| decision.reason.clone()))
                .with_known("policy", decision.map(|decision| decision.policy.clone()))
                .event("taken from the queue", self.taken_at)
                .failed(error);
            if let Some((times, decided_at)) = worked {
                span = span
                    .event("decoded", times.decoded_at)
                    .event("sharpened", times.sharpened_at)
                    .event("encoded", times.encoded_at)
                    .event("decided", decided_at);
            }
            span
        });
    }

    /// Something was sent for the frame from within the span that its envelope tells.
    pub(crate) fn sent(
        traces: &Traces,
        envelope: &Envelope,
        topic: &str,
        context: TraceParent,
        since: Timestamp,
    ) {
        let within = envelope.traceparent.span_id();
        traces.keep(envelope.frame_id, context, || {
            Span::of_sending(topic, context, Some(within), since)
                .of_frame(envelope.frame_id, &envelope.camera)
        });
    }
}
