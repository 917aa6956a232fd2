//! What a frame's trace tells of this unit.

use crate::job::{Inference, ModelRun};
use frame::{Envelope, FrameResult, Timestamp, TraceParent};
use frame_bus::Message;
use std::time::Duration;
use unit::Traces;
use unit::traces::{Kind, Span};

/// A frame in hand: its span, which that of its sender stands above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InHand {
    sender: TraceParent,
    began: Timestamp,
}

/// When the parts of the work began and ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    taken_at: Timestamp,
    decode_ms: Option<f64>,
    run: Option<ModelRun>,
}

/// What was sent, under which name, and since when.
pub(crate) struct Sending<'a> {
    pub(crate) topic: &'a str,
    pub(crate) context: TraceParent,
    pub(crate) since: Timestamp,
}

impl InHand {
    /// The frame is taken up: from now on its envelope tells the span of this unit.
    pub(crate) fn take_up(traces: &Traces, envelope: &mut Envelope) -> Self {
        let sender = envelope.traceparent;
        envelope.traceparent = traces.under(sender);
        Self { sender, began: Timestamp::now() }
    }

    /// The frame has been dealt with. Its spans are exported if its trace is sampled, or if it is
    /// seen here that it has failed or was late.
    pub(crate) fn end(
        self,
        traces: &Traces,
        (message, envelope): (&Message, &Envelope),
        result: &Outcome,
        parts: Parts,
    ) {
        let context = envelope.traceparent;
        if !(traces.are_on() && (context.is_sampled() || result.is_bad)) {
            return;
        }
        let inside = |name: &'static str, began: Timestamp, ended: Timestamp| {
            let (own, parent) = (context.child(), Some(context.span_id()));
            let span = Span::new(name, Kind::Internal, own, parent, began).until(ended);
            span.of_frame(envelope.frame_id, &envelope.camera)
        };
        if let Some(decode_ms) = parts.decode_ms {
            let ended = parts.taken_at + Duration::from_secs_f64(decode_ms.max(0.0) / 1000.0);
            traces.end_if(true, || inside("decode", parts.taken_at, ended));
        }
        if let Some(ModelRun { began, ended, frames }) = parts.run {
            let span = || inside("detect", began, ended).with("batch.frames", frames);
            traces.end_if(true, span);
        }
        traces.end_if(true, || {
            let decision = envelope.prepared.as_ref().map(|prepared| &prepared.decision);
            let attempt = envelope.prepared.as_ref().map(|prepared| i64::from(prepared.attempt));
            Span::of_message(&message.topic, context, self.sender, self.began)
                .of_frame(envelope.frame_id, &envelope.camera)
                .with("messaging.destination.partition.id", message.partition.to_string())
                .with("messaging.kafka.offset", message.offset)
                .with_known("destination", decision.map(|decision| decision.destination.as_str()))
                .with_known("reason", decision.map(|decision| decision.reason.clone()))
                .with_known("attempt", attempt)
                .with("status", result.status)
                .with_known("detections", result.detections)
                .event("taken from the queue", parts.taken_at)
                .failed(result.error.clone())
        });
    }

    /// Something was sent for the frame.
    pub(crate) fn sent(
        traces: &Traces,
        envelope: &Envelope,
        exported: bool,
        sending: &Sending<'_>,
    ) {
        let Sending { topic, context, since } = *sending;
        traces.end_if(exported, || {
            Span::of_sending(topic, context, Some(envelope.traceparent.span_id()), since)
                .of_frame(envelope.frame_id, &envelope.camera)
        });
    }
}

impl Parts {
    pub(crate) fn of(inference: &Inference) -> Self {
        let Inference { taken_at, decode_ms, run, .. } = *inference;
        Self { taken_at, decode_ms, run }
    }

    /// Of a frame that no thread has worked on.
    pub(crate) fn none(taken_at: Timestamp) -> Self {
        Self { taken_at, decode_ms: None, run: None }
    }
}

/// How it ended here.
pub(crate) struct Outcome {
    pub(crate) is_bad: bool,
    status: &'static str,
    detections: Option<usize>,
    error: Option<String>,
}

impl Outcome {
    pub(crate) fn of(envelope: &Envelope, result: &FrameResult) -> Self {
        Self {
            is_bad: Traces::is_bad(envelope, result),
            status: result.status.as_str(),
            detections: result.model.as_ref().map(|_| result.detections.len()),
            error: result.error.as_ref().map(ToString::to_string),
        }
    }

    /// Another tier has it.
    pub(crate) const fn superseded() -> Self {
        Self { is_bad: false, status: "superseded", detections: None, error: None }
    }
}
