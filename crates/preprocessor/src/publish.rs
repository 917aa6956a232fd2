//! Sending what comes of a frame; its offset is free to be committed only after the broker has acknowledged all of it.

use crate::metrics::Metrics;
use frame::{Envelope, FrameResult, Topics};
use frame_bus::{Bus, Message, Outgoing, SendError};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Where things go.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) metrics: Metrics,
    /// Ends the retries: a frame that is not published by then is not committed and comes again.
    pub(crate) give_up: CancellationToken,
}

impl Publisher {
    /// Sends a prepared frame to the tier that was decided on.
    pub(crate) async fn frame(&self, topic: &str, envelope: &Envelope, jpeg: Vec<u8>) -> Result<(), SendError> {
        let headers = envelope.to_headers();
        self.send(Outgoing { topic: topic.into(), key: envelope.key(), headers, payload: jpeg }).await
    }

    /// Sends the result of a frame whose journey ends here.
    pub(crate) async fn result(&self, key: String, headers: Headers, result: &FrameResult) -> Result<(), SendError> {
        self.send(Outgoing { topic: self.topics.results.clone(), key, headers, payload: result.to_json() }).await
    }

    /// Puts a message aside that cannot be processed.
    pub(crate) async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), SendError> {
        match self.bus.dead_letter(&self.topics.dead_letter, message, reason, &self.give_up).await {
            // a foreign message with huge headers; it must not come again for ever
            Err(error @ SendError::TooLarge { .. }) => {
                let Message { topic, partition, offset, .. } = message;
                error!(topic, partition, offset, %error, reason, "dead letter dropped");
            }
            outcome => {
                outcome?;
                self.metrics.dead_letter();
            }
        }
        Ok(())
    }

    async fn send(&self, out: Outgoing) -> Result<(), SendError> {
        self.bus.send_persistently(out, &self.give_up).await.map(|_| ())
    }
}

/// Names and values of a message's headers.
pub(crate) type Headers = Vec<(String, Vec<u8>)>;
