//! Sends what comes of a frame: its result, its dead letter when it has one, the frame itself when
//! it goes on to the cloud. The offset is free to be committed only after all of them.

use crate::metrics::WorkerMetrics;
use frame::{Envelope, ResultMessage, ServedBy, Topics};
use frame_bus::{Bus, Message, Outgoing, SendError};
use tokio_util::sync::CancellationToken;
use unit::Traces;

/// Where things go.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) traces: Traces,
    /// Ends the retries: a frame that is not published by then is not committed and comes again.
    pub(crate) give_up: CancellationToken,
}

impl Publisher {
    pub(crate) async fn result(&self, result: ResultMessage) -> Result<(), SendError> {
        let trace = result.traceparent.and_then(|trace| self.traces.exemplar(trace));
        self.metrics.ended(&result.result, trace.as_ref());
        self.bus.send_result(&self.topics.results, result, &self.give_up).await.map(drop)
    }

    /// Sends a frame on to the cloud.
    pub(crate) async fn to_the_cloud(
        &self,
        envelope: &Envelope,
        jpeg: Vec<u8>,
    ) -> Result<(), SendError> {
        let topic = self.topics.frames_cloud.clone();
        let out =
            Outgoing { topic, key: envelope.key(), headers: envelope.to_headers(), payload: jpeg };
        self.bus.send_persistently(out, &self.give_up).await.map(drop)
    }

    /// Sends what there is to send for a message without a readable envelope.
    pub(crate) async fn dead_letter_unreadable(
        &self,
        message: &Message,
        reason: &str,
        served_by: &ServedBy,
    ) -> Result<(), SendError> {
        let Self { bus, topics, metrics, give_up, .. } = self;
        let sent = bus.dead_letter_unreadable(topics, message, reason, served_by, give_up).await?;
        if sent.dead_letter {
            metrics.dead_letter();
        }
        if let Some(result) = &sent.result {
            metrics.ended(result, None);
        }
        Ok(())
    }

    pub(crate) async fn dead_letter(
        &self,
        message: &Message,
        reason: &str,
    ) -> Result<(), SendError> {
        if self
            .bus
            .dead_letter(&self.topics.dead_letter, message, reason, &self.give_up)
            .await?
            .is_some()
        {
            self.metrics.dead_letter();
        }
        Ok(())
    }
}
