//! Taking frames back from a cloud that does not answer.
//!
//! All replicas read the cloud's topic as one group of their own. A frame is held until its result
//! is seen; if none comes in time, it is sent to the edge, or its provisional answer is made final.
//! Only then its offset is committed, so this survives restarts, and a cut uplink costs latency,
//! never frames.

use crate::answered::Answered;
use crate::decisions::Decisions;
use crate::metrics::{Metrics, Retaken};
use crate::publish::Publisher;
use crate::spans::{InHand, Left};
use frame::{
    Decision, Destination, Envelope, FrameResult, Prepared, ResultMessage, ServedBy, Status,
    Timestamp, TimingsMs, TraceParent,
};
use frame_bus::{Handle, Message, SendError, Turn};
use offload::TakenTo;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use unit::Traces;

/// Why a frame is on the edge after all.
pub(crate) const CLOUD_LATE: &str = "cloud-late";

/// The edge gets the last attempt at the latest: by then it is no matter of luck any more.
const MAX_ATTEMPTS: u32 = 4;

/// Holds each frame of the cloud's topic until it is answered or late.
pub(crate) struct Redispatcher {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) metrics: Metrics,
    pub(crate) decisions: Decisions,
    pub(crate) answered: Answered,
    pub(crate) traces: Traces,
    pub(crate) served_by: ServedBy,
    /// Everything that was answered before this process began is known from then on.
    pub(crate) caught_up: CancellationToken,
    /// What is held then is not committed and comes again, here or elsewhere.
    pub(crate) shutdown: CancellationToken,
}

impl Handle for Redispatcher {
    async fn handle(&self, message: Message, _turn: Turn) -> Result<(), SendError> {
        // the cloud itself sends a dead letter for what is no frame
        let Ok(envelope) = message.envelope() else { return Ok(()) };
        let Some(prepared) = envelope.prepared.clone() else { return Ok(()) };
        let due = match prepared.answer_by {
            Some(answer_by) => answer_by,
            // sent on by the edge, by its clock; its answer is there, so the deadline is the end of
            // waiting
            None if prepared.provisional => {
                let Some(patience) = self.decisions.provisional_patience(message.payload.len())
                else {
                    return Ok(());
                };
                let due = envelope.sent_at.min(Timestamp::now()) + patience;
                envelope.deadline.map_or(due, |deadline| due.min(deadline))
            }
            None => return Ok(()),
        };
        if !self.is_late(&envelope, due).await? {
            return Ok(());
        }
        self.take_back(envelope, prepared, message).await
    }

    /// Nobody watches over it any more; the cloud still has it.
    async fn give_up(&self, _message: Message, _turn: Turn, _takes: u32) -> Result<(), SendError> {
        Ok(())
    }
}

impl Redispatcher {
    /// Waits for the answer until `due`.
    async fn is_late(&self, envelope: &Envelope, due: Timestamp) -> Result<bool, SendError> {
        let Some(mut waiting) = self.answered.wait_for(envelope.frame_id) else { return Ok(false) };
        let left =
            Duration::from_micros(due.as_micros().saturating_sub(Timestamp::now().as_micros()));
        let late = async {
            self.caught_up.cancelled().await;
            tokio::time::sleep(left).await;
        };
        tokio::select! {
            biased;
            () = waiting.told() => Ok(false),
            () = self.shutdown.cancelled() => Err(SendError::ShuttingDown),
            () = late => Ok(true),
        }
    }

    async fn take_back(
        &self,
        mut envelope: Envelope,
        prepared: Prepared,
        message: Message,
    ) -> Result<(), SendError> {
        let in_hand = InHand::take_up(&self.traces, &mut envelope);
        let (id, now) = (envelope.frame_id, Timestamp::now());
        if prepared.provisional
            && let Some(provisional) = self.answered.provisional(id)
        {
            self.decisions.late(id);
            info!(frame_id = %id, camera = %envelope.camera, trace_id = envelope.traceparent.trace_id(), "cloud is late, the edge's answer \
                counts");
            self.metrics.retaken(Retaken::Provisional);
            let result = made_final(provisional, &envelope, &prepared, now);
            return self.end(in_hand, envelope, result, "provisional").await;
        }
        if envelope.is_expired(now) && !prepared.provisional {
            self.decisions.late_and_expired(id);
            debug!(frame_id = %id, camera = %envelope.camera, "cloud is late and the deadline has \
                gone by");
            self.metrics.retaken(Retaken::Expired);
            let result = envelope.expired("the cloud", self.served_by.clone(), envelope.timings());
            return self.end(in_hand, envelope, result, "expired").await;
        }
        let (bytes, waited) = (
            message.payload.len(),
            Duration::from_micros(now.as_micros().saturating_sub(envelope.sent_at.as_micros())),
        );
        if !prepared.provisional
            && prepared.attempt + 1 < MAX_ATTEMPTS
            && let Some(answer_by) = self.decisions.again(id, bytes, waited)
        {
            debug!(frame_id = %id, camera = %envelope.camera, attempt = prepared.attempt + 1, "cloud is late, but sooner than the edge");
            self.metrics.retaken(Retaken::Cloud);
            let own = envelope.traceparent;
            let envelope = for_the_cloud(envelope, prepared, answer_by, now);
            let to = Destination::Cloud;
            return self.send_again(in_hand, to, (own, envelope), message.payload).await;
        }
        if self.decisions.late(id) == Some(TakenTo::Provisional) {
            debug!(frame_id = %id, "provisional answer is not held any more, the edge runs the \
                detection again");
        }
        info!(frame_id = %id, camera = %envelope.camera, trace_id = envelope.traceparent.trace_id(), attempt = prepared.attempt + 1, "cloud is late, the frame goes to the edge");
        self.metrics.retaken(Retaken::Edge);
        let own = envelope.traceparent;
        let envelope = for_the_edge(envelope, prepared, now);
        self.send_again(in_hand, Destination::Edge, (own, envelope), message.payload).await
    }

    /// The frame gets its result from here.
    async fn end(
        &self,
        in_hand: InHand,
        envelope: Envelope,
        result: FrameResult,
        outcome: &'static str,
    ) -> Result<(), SendError> {
        let error = result.error.as_ref().map(ToString::to_string);
        let (since, result) = (Timestamp::now(), ResultMessage::of(&envelope, result));
        let sent = result.traceparent;
        self.publisher.result(result).await?;
        if let Some(sent) = sent {
            InHand::sent(&self.traces, &envelope, &self.publisher.topics.results, sent, since);
        }
        self.taken_back(in_hand, &envelope, outcome, error);
        Ok(())
    }

    /// A tier gets the frame once more, from within the span `own`.
    async fn send_again(
        &self,
        in_hand: InHand,
        to: Destination,
        (own, envelope): (TraceParent, Envelope),
        payload: Vec<u8>,
    ) -> Result<(), SendError> {
        let since = envelope.sent_at;
        self.publisher.frame(to, &envelope, payload).await?;
        let sent = envelope.traceparent;
        let envelope = Envelope { traceparent: own, ..envelope };
        let topic = self.publisher.topics.for_destination(to);
        InHand::sent(&self.traces, &envelope, topic, sent, since);
        self.taken_back(in_hand, &envelope, to.as_str(), None);
        Ok(())
    }

    fn taken_back(
        &self,
        in_hand: InHand,
        envelope: &Envelope,
        outcome: &'static str,
        error: Option<String>,
    ) {
        let decision = envelope.prepared.as_ref().map(|prepared| &prepared.decision);
        let topic = &self.publisher.topics.frames_cloud;
        let left = Left { topic, outcome, decision, worked: None, error };
        in_hand.end(&self.traces, envelope, left);
    }
}

/// The same frame for the same tier, which may have passed it over by now.
fn for_the_cloud(
    envelope: Envelope,
    prepared: Prepared,
    answer_by: Timestamp,
    now: Timestamp,
) -> Envelope {
    let prepared = Prepared {
        attempt: prepared.attempt.saturating_add(1),
        answer_by: Some(answer_by),
        ..prepared
    };
    Envelope {
        traceparent: envelope.traceparent.child(),
        sent_at: now,
        prepared: Some(prepared),
        ..envelope
    }
}

/// The same frame for the other tier.
fn for_the_edge(envelope: Envelope, prepared: Prepared, now: Timestamp) -> Envelope {
    let prepared = Prepared {
        decision: Decision {
            destination: Destination::Edge,
            reason: CLOUD_LATE.into(),
            ..prepared.decision
        },
        attempt: prepared.attempt.saturating_add(1),
        answer_by: None,
        escalation: None,
        provisional: false,
        ..prepared
    };
    Envelope {
        traceparent: envelope.traceparent.child(),
        sent_at: now,
        prepared: Some(prepared),
        ..envelope
    }
}

/// The edge's answer as the frame's result.
fn made_final(
    provisional: FrameResult,
    envelope: &Envelope,
    prepared: &Prepared,
    now: Timestamp,
) -> FrameResult {
    let decision = provisional.decision.map(|decision| Decision {
        reason: CLOUD_LATE.into(),
        took_ms: Some(now.ms_since(prepared.decided_at)),
        ..decision
    });
    let end_to_end = Some(now.ms_since(envelope.received_at));
    let timings_ms = TimingsMs { end_to_end, ..provisional.timings_ms };
    FrameResult { status: Status::Done, decision, timings_ms, ..provisional }
}
