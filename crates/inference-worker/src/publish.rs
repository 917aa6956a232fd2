//! Sends a frame's result, and its dead letter when it has one; the offset is free to be committed only after both.

use crate::metrics::WorkerMetrics;
use frame::{ResultMessage, Topics};
use frame_bus::{Bus, Message, SendError};
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
    pub(crate) async fn result(&self, result: ResultMessage) -> Result<(), SendError> {
        self.metrics.ended(&result.result);
        self.bus.send_result(&self.topics.results, result, &self.give_up).await.map(drop)
    }

    pub(crate) async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), SendError> {
        if self.bus.dead_letter(&self.topics.dead_letter, message, reason, &self.give_up).await?.is_some() {
            self.metrics.dead_letter();
        }
        Ok(())
    }
}
