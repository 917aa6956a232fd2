//! Sends a frame's result, and its dead letter when it has one; the offset is free to be committed only after both.

use crate::metrics::WorkerMetrics;
use frame::{Envelope, FrameResult, Topics};
use frame_bus::{Bus, Message, Outgoing, SendError};
use tokio_util::sync::CancellationToken;

/// Where results go.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) metrics: WorkerMetrics,
    /// Ends the retries: a frame that is not published by then is not committed and comes again.
    pub(crate) give_up: CancellationToken,
}

impl Publisher {
    pub(crate) async fn result(&self, envelope: &Envelope, result: &FrameResult) -> Result<(), SendError> {
        let out = Outgoing {
            topic: self.topics.results.clone(),
            key: envelope.key(),
            headers: envelope.result_headers(),
            payload: result.to_json(),
        };
        self.bus.send_persistently(out, &self.give_up).await?;
        self.metrics.ended(result);
        Ok(())
    }

    pub(crate) async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), SendError> {
        self.bus.dead_letter(&self.topics.dead_letter, message, reason, &self.give_up).await?;
        self.metrics.dead_letter();
        Ok(())
    }
}
