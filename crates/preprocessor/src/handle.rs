//! What becomes of one delivery.

use crate::metrics::{MessageEnd, Metrics};
use crate::permits::Permits;
use crate::pixels::{StageTimes, memory_for};
use crate::prepare::{Encoding, End, Preparer, Work, takes_reduced};
use crate::publish::Publisher;
use crate::spans::{InHand, Left};
use frame::{
    Decision, Destination, Envelope, FrameId, FrameResult, ImageFormat, ImageSize, Origin,
    Prepared, Problem, ResultMessage, ServedBy, Timestamp, TimingsMs, Zones,
};
use frame_bus::{Handle, Message, SendError, Turn};
use offload::{Action, Decided};
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, debug, info, info_span, warn};
use unit::{PixelRoom, Traces};

/// What all deliveries share.
pub(crate) struct Handler {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) metrics: Metrics,
    /// One for each frame whose pixels may be worked on.
    pub(crate) workers: Permits,
    /// Where decoded pictures have room.
    pub(crate) room: PixelRoom,
    pub(crate) preparer: Arc<Preparer>,
    pub(crate) traces: Traces,
    pub(crate) served_by: ServedBy,
}

/// A frame as it goes to its tier.
struct Ready {
    tier: Destination,
    decided: Decided<FrameId>,
    size: ImageSize,
    format: ImageFormat,
    payload: Vec<u8>,
    times: StageTimes,
    zones: Option<Zones>,
}

/// As it travels and comes back.
fn decision_of(destination: Destination, decided: Decided<FrameId>) -> Decision {
    let Decided { choice, policy, predicted_ms, contract, .. } = decided;
    let contract = contract.map(|name| name.as_ref().to_owned());
    Decision { predicted_ms, contract, ..Decision::new(destination, choice.reason, policy) }
}

impl Handle for Handler {
    async fn handle(&self, message: Message, turn: Turn) -> Result<(), SendError> {
        self.metrics.in_flight.inc();
        let processed = match message.envelope() {
            Ok(mut envelope) => {
                let in_hand = InHand::take_up(&self.traces, &mut envelope);
                let trace_id = envelope.traceparent.trace_id();
                let span = info_span!("frame", frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id);
                self.process(in_hand, envelope, message, turn).instrument(span).await
            }
            Err(error) => self.dead_letter(&message, &error.to_string(), turn).await,
        };
        self.metrics.in_flight.dec();
        processed
    }

    async fn give_up(&self, message: Message, mut turn: Turn, takes: u32) -> Result<(), SendError> {
        let problem = Problem::given_up(&self.served_by.unit, takes);
        let Ok(mut envelope) = message.envelope() else {
            return self.dead_letter(&message, &problem.to_string(), turn).await;
        };
        let in_hand = InHand::take_up(&self.traces, &mut envelope);
        turn.wait().await;
        let queue_ms = Timestamp::now().ms_since(envelope.sent_at);
        let work = Work { envelope, message, queue_ms, taken_up: Instant::now(), in_hand };
        self.end(&work, End::Failed(problem)).await?;
        self.metrics.given_up();
        Ok(())
    }

    fn taken_alone(&self) {
        self.metrics.taken_alone();
    }
}

impl Handler {
    async fn process(
        &self,
        in_hand: InHand,
        envelope: Envelope,
        message: Message,
        turn: Turn,
    ) -> Result<(), SendError> {
        self.preparer.came(&envelope);
        let weight = self.preparer.decisions.weight(&envelope.camera);
        let Some(permit) = self.workers.take(&envelope.camera, weight).await else {
            return Err(SendError::Fatal("more frames wait than are in the process".into()));
        };
        let queue_ms = Timestamp::now().ms_since(envelope.sent_at);
        let room = self.room.take(memory_for(&message.payload, &self.preparer.pixels)).await;
        let in_hand = in_hand.taken_now();
        let work = Work { envelope, message, queue_ms, taken_up: Instant::now(), in_hand };
        // all of it on one thread: each change of threads costs more than a decision
        let preparer = Arc::clone(&self.preparer);
        let (work, mut turn, encoding) = on_a_thread(move || {
            let encoding = preparer.encoding(&work, &turn);
            (work, turn, encoding)
        })
        .await;
        drop((permit, room));
        // from here on in the order of the camera: decisions, and what is sent
        turn.wait().await;
        let ready = encoding.and_then(|encoding| self.ready(&work, encoding));
        match ready {
            Ok(ready) => self.send_on(work, ready).await,
            Err(end) => self.end(&work, end).await,
        }
    }

    /// The frame in the form for its tier. Its turn has come.
    fn ready(&self, work: &Work, encoding: Encoding) -> Result<Ready, End> {
        let Encoding { decided, seen, picture, times, zones } = encoding;
        let decided = match decided {
            Some(decided) => decided,
            None => self.preparer.decide(work, &seen)?,
        };
        let size = seen.size;
        let Some(tier) = decided.choice.destination() else {
            return Err(End::NotSent(Box::new(decided), size));
        };
        let (format, payload) = picture.pick(takes_reduced(&decided));
        Ok(Ready { tier, decided, size, format, payload, times, zones })
    }

    async fn send_on(&self, work: Work, ready: Ready) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up, in_hand } = work;
        let Ready { tier, decided, size, format, payload, times, zones } = ready;
        let escalation = match &decided.choice.action {
            Action::Cascade(hardness) => Some(hardness.to_string()),
            Action::Send(_) | Action::Expire | Action::Skip => None,
        };
        let Decided { answer_by, order, weight, .. } = decided;
        let prepared = Prepared {
            answer_by,
            escalation,
            order,
            weight,
            queue_frames_ms: queue_ms,
            preprocess_ms: milliseconds(taken_up),
            origin: Some(Origin { partition: message.partition, offset: message.offset }),
            zones,
            ..Prepared::now(size, decision_of(tier, decided))
        };
        // the uploaded bytes are not needed any more, and sending may take a while
        drop(message);
        let (own, since) = (envelope.traceparent, Timestamp::now());
        let envelope = Envelope {
            format,
            traceparent: own.child(),
            sent_at: since,
            prepared: Some(prepared.clone()),
            ..envelope
        };
        self.publisher.frame(tier, &envelope, payload).await?;
        self.preparer.guard.got_through();
        let Prepared { decision, preprocess_ms, decided_at, .. } = prepared;
        let sent = envelope.traceparent;
        let envelope = Envelope { traceparent: own, ..envelope };
        let to = self.publisher.topics.for_destination(tier);
        InHand::sent(&self.traces, &envelope, to, sent, since);
        let left = Left {
            topic: &self.publisher.topics.frames,
            outcome: MessageEnd::Prepared.as_str(),
            decision: Some(&decision),
            worked: Some((times, decided_at)),
            error: None,
        };
        in_hand.end(&self.traces, &envelope, left);
        self.metrics.ended(MessageEnd::Prepared);
        self.metrics.decided(&decision);
        debug!(destination = %decision.destination, reason = decision.reason, preprocess_ms, "frame sent on");
        Ok(())
    }

    async fn end(&self, work: &Work, end: End) -> Result<(), SendError> {
        let Work { envelope, message, queue_ms, taken_up, in_hand } = work;
        let timings = TimingsMs {
            queue_frames: Some(*queue_ms),
            preprocess: Some(milliseconds(*taken_up)),
            ..envelope.timings()
        };
        let served_by = self.served_by.clone();
        let (outcome, result) = match end {
            End::Expired => {
                info!(frame_id = %envelope.frame_id, camera = %envelope.camera, "frame expired");
                self.preparer.decisions.undecided(&envelope.camera, false);
                (MessageEnd::Expired, envelope.expired(&self.served_by.unit, served_by, timings))
            }
            End::Overtaken(newer) => {
                debug!(%newer, "frame was overtaken");
                self.preparer.decisions.undecided(&envelope.camera, true);
                (MessageEnd::Overtaken, envelope.overtaken(newer, served_by, timings))
            }
            End::NotSent(decided, image) => {
                let (same_as, contract) = (decided.same_as, decided.contract.clone());
                let decision = decision_of(Destination::Edge, *decided);
                self.metrics.decided(&decision);
                debug!(reason = decision.reason, "no tier gets the frame");
                let envelope = Envelope {
                    prepared: Some(Prepared::now(image, decision.clone())),
                    ..envelope.clone()
                };
                match same_as {
                    Some(same_as) => (
                        MessageEnd::Skipped,
                        envelope.skipped(same_as, decision, served_by, timings),
                    ),
                    None => {
                        let result =
                            envelope.expired("any tier that could meet it", served_by, timings);
                        // there need not be a deadline
                        let problem =
                            contract.filter(|_| envelope.deadline.is_none()).map(|name| {
                                let reason = &decision.reason;
                                Problem::expired(format!(
                                    "the contract '{name}' drops it: {reason}"
                                ))
                            });
                        let error = problem.or(result.error);
                        (MessageEnd::Expired, FrameResult { error, ..result })
                    }
                }
            }
            End::Failed(problem) => {
                warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, error = %problem, "frame failed");
                let reason = problem.to_string();
                self.publisher.dead_letter(message, &envelope.camera, &reason).await?;
                (MessageEnd::Failed, envelope.failed(problem, served_by, timings))
            }
        };
        let (error, decision) = (result.error.clone(), result.decision.clone());
        let (since, result) = (Timestamp::now(), ResultMessage::of(envelope, result));
        let sent = result.traceparent;
        self.publisher.result(result).await?;
        self.metrics.ended(outcome);
        if let Some(sent) = sent {
            let to = &self.publisher.topics.results;
            InHand::sent(&self.traces, envelope, to, sent, since);
        }
        let left = Left {
            topic: &self.publisher.topics.frames,
            outcome: outcome.as_str(),
            decision: decision.as_ref(),
            worked: None,
            error: error.as_ref().map(ToString::to_string),
        };
        in_hand.end(&self.traces, envelope, left);
        Ok(())
    }

    /// A message without a readable envelope.
    async fn dead_letter(
        &self,
        message: &Message,
        reason: &str,
        mut turn: Turn,
    ) -> Result<(), SendError> {
        turn.wait().await;
        self.publisher.dead_letter_unreadable(message, reason, &self.served_by).await?;
        self.metrics.ended(MessageEnd::Malformed);
        Ok(())
    }
}

/// Runs what takes milliseconds where that holds up nobody.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("a panic is kept by the guard, and nobody aborts the task")
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
