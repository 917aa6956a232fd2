//! Sending what comes of a frame; its offset is free to be committed only after the broker has
//! acknowledged all of it.

use crate::metrics::Metrics;
use frame::{Destination, Envelope, ResultMessage, ServedBy, Topics};
use frame_bus::{Bus, Message, Outgoing, SendError};
use tokio_util::sync::CancellationToken;

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
    pub(crate) async fn frame(
        &self,
        tier: Destination,
        envelope: &Envelope,
        payload: Vec<u8>,
    ) -> Result<(), SendError> {
        let (topic, headers) =
            (self.topics.for_destination(tier).to_owned(), envelope.to_headers());
        self.metrics.sent(tier, envelope.format, payload.len());
        let out = Outgoing { topic, key: envelope.key(), headers, payload };
        self.bus.send_persistently(out, &self.give_up).await.map(drop)
    }

    /// Sends the result of a frame whose journey ends here.
    pub(crate) async fn result(&self, result: ResultMessage) -> Result<(), SendError> {
        self.bus.send_result(&self.topics.results, result, &self.give_up).await.map(drop)
    }

    /// Sends what there is to send for a message without a readable envelope.
    pub(crate) async fn dead_letter_unreadable(
        &self,
        message: &Message,
        reason: &str,
        served_by: &ServedBy,
    ) -> Result<(), SendError> {
        let Self { bus, topics, metrics, give_up } = self;
        let sent = bus.dead_letter_unreadable(topics, message, reason, served_by, give_up).await?;
        if sent.dead_letter {
            metrics.dead_letter();
        }
        Ok(())
    }

    /// Sends a message that cannot be processed to the dead-letter topic.
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
