//! From the topic into batches, and their offsets.

use crate::gaps::Gaps;
use crate::keep::{Keeper, Kept};
use crate::metrics::{Metrics, Outcome};
use crate::thumbnails::{Wishing, origin};
use frame::{FrameId, FrameResult, Origin, Timestamp, TraceParent, headers};
use frame_bus::{Bus, BusError, Consumer, Delivery, Message, SendError};
use results_db::{Batch, DbError};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use unit::Traces;
use unit::traces::Span;

/// Takes results and has them stored.
pub(crate) struct Consuming {
    pub(crate) bus: Bus,
    pub(crate) group: String,
    pub(crate) dead_letter: String,
    pub(crate) keeper: Keeper,
    pub(crate) metrics: Metrics,
    pub(crate) batch: usize,
    pub(crate) batch_wait: Duration,
    pub(crate) gaps: Gaps,
    /// Which frames deserve a picture, if any are made.
    pub(crate) wishing: Option<Wishing>,
    /// Told when to stop taking.
    pub(crate) stop: CancellationToken,
    /// Told when to stop waiting for the database.
    pub(crate) give_up: CancellationToken,
    pub(crate) traces: Traces,
}

/// Why the unit cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsumeError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Consuming {
    /// Until shutdown; `beat` is called at every turn.
    pub(crate) async fn work(
        mut self,
        mut consumer: Consumer,
        beat: impl Fn(),
    ) -> Result<(), ConsumeError> {
        let outcome = self.take_and_keep(&mut consumer, beat).await;
        consumer.close().await;
        outcome
    }

    async fn take_and_keep(
        &mut self,
        consumer: &mut Consumer,
        beat: impl Fn(),
    ) -> Result<(), ConsumeError> {
        /// A turn without a message is a sign of life, too.
        const IDLE: Duration = Duration::from_secs(5);
        while !self.stop.is_cancelled() {
            beat();
            let first = tokio::time::timeout(IDLE, consumer.recv());
            let Some(first) = self.stop.run_until_cancelled(first).await else { break };
            let Ok(first) = first else { continue };
            let deliveries = self.collect(consumer, first?).await?;
            if !self.keep(deliveries, &beat).await? {
                break;
            }
        }
        Ok(())
    }

    /// As many as fit into a batch and come in time.
    async fn collect(
        &self,
        consumer: &mut Consumer,
        first: Delivery,
    ) -> Result<Vec<Delivery>, BusError> {
        let until = Instant::now() + self.batch_wait;
        let mut deliveries = vec![first];
        while deliveries.len() < self.batch {
            let next = tokio::time::timeout_at(until, consumer.recv());
            match self.stop.run_until_cancelled(next).await {
                Some(Ok(delivery)) => deliveries.push(delivery?),
                Some(Err(_)) | None => break,
            }
        }
        Ok(deliveries)
    }

    /// Whether the batch is stored, and its offsets may be committed.
    async fn keep(
        &mut self,
        deliveries: Vec<Delivery>,
        beat: &impl Fn(),
    ) -> Result<bool, ConsumeError> {
        let began = Timestamp::now();
        let mut results = Vec::with_capacity(deliveries.len());
        let mut origins = HashMap::new();
        for delivery in &deliveries {
            self.look_for_gap(&delivery.message).await;
            match serde_json::from_slice::<FrameResult>(&delivery.message.payload) {
                Ok(result) => {
                    if self.wishing.is_some() && !result.detections.is_empty() {
                        origins.insert(result.frame_id, origin(&delivery.message));
                    }
                    results.push(result);
                }
                Err(error) => {
                    self.metrics.count(Outcome::Foreign, 1);
                    tracing::debug!(%error, "passed over a message that is no result");
                }
            }
        }
        let batch = Batch::of(results);
        // waiting for the database is no hang
        let kept = beating(self.keeper.keep(&batch, &self.give_up), beat).await?;
        let refused = match kept {
            None => return Ok(false),
            Some(Kept::Stored) => Vec::new(),
            Some(Kept::But(refused)) => refused,
        };
        for (place, error) in refused {
            let frame_id = batch.rows()[place].frame_id;
            let of = deliveries.iter().find(|delivery| names(&delivery.message, frame_id));
            if let Some(delivery) = of {
                tracing::error!(%frame_id, %error, "a result that the database refuses");
                let message = &delivery.message;
                let reason = error.to_string();
                let sending =
                    self.bus.dead_letter(&self.dead_letter, message, &reason, &self.give_up);
                let sent = beating(sending, beat).await;
                match sent {
                    // one that is too large for it was logged, and must not come again for ever
                    Ok(_) => {}
                    Err(SendError::ShuttingDown) => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if self.traces.are_on() {
            deliveries.iter().for_each(|delivery| {
                trace(&self.traces, &delivery.message, began, deliveries.len());
            });
        }
        self.want_pictures(&batch, &origins);
        for delivery in deliveries {
            delivery.ack.done();
        }
        Ok(true)
    }

    /// Of the frames of a batch, in which something was found.
    fn want_pictures(&mut self, batch: &Batch, origins: &HashMap<FrameId, Option<Origin>>) {
        let Some(wishing) = &mut self.wishing else { return };
        for result in batch.rows() {
            if let Some(origin) = origins.get(&result.frame_id) {
                wishing.stored(result, *origin);
            }
        }
    }

    async fn look_for_gap(&mut self, message: &Message) {
        if !self.gaps.take(message) {
            return;
        }
        match self.bus.lag(&self.group, &message.topic).await {
            Ok(lag) => {
                let lost = Gaps::lost_before(message, &lag);
                if lost > 0 {
                    self.metrics.lost.inc_by(lost);
                    tracing::error!(
                        partition = message.partition,
                        results = lost,
                        "the topic's retention removed results before they were stored: give it \
                         more time and room, or the database less rest"
                    );
                }
            }
            Err(error) => tracing::warn!(
                %error,
                "whether results were removed before they were stored is not known"
            ),
        }
    }
}

/// Awaits something that may last, and gives signs of life meanwhile.
async fn beating<T>(work: impl Future<Output = T>, beat: &impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    let mut beats = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beats.tick() => beat(),
        }
    }
}

/// A result is in the database: the last span of its frame's trace.
fn trace(traces: &Traces, message: &Message, began: Timestamp, batch: usize) {
    let text = |wanted: &str| {
        let found = message.headers.iter().rev().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let sender = text(headers::TRACEPARENT).and_then(|text| text.parse::<TraceParent>().ok());
    let Some(sender) = sender else { return };
    let context = traces.under(sender);
    traces.end(context, || {
        Span::of_message(&message.topic, context, sender, began)
            .with_known("frame_id", text(headers::FRAME_ID).map(str::to_owned))
            .with_known("camera", text(headers::CAMERA).map(str::to_owned))
            .with("messaging.destination.partition.id", message.partition.to_string())
            .with("messaging.kafka.offset", message.offset)
            .with("messaging.batch.message_count", batch)
    });
}

fn names(message: &Message, frame_id: frame::FrameId) -> bool {
    serde_json::from_slice::<FrameResult>(&message.payload)
        .is_ok_and(|result| result.frame_id == frame_id)
}
