//! Sending what comes of a frame; its offset is free to be committed only after the broker has
//! acknowledged all of it.

use crate::metrics::Metrics;
use frame::{CameraId, Destination, Envelope, ResultMessage, ServedBy, Topics};
use frame_bus::{Bus, Message, Outgoing, SendError};
use regions::Book;
use std::borrow::Cow;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where things go.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) metrics: Metrics,
    pub(crate) regions: Arc<Book>,
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
        let Self { bus, topics, metrics, regions, give_up } = self;
        // whose it is, is not known
        let (message, reason) = &withheld_if(regions.has_masks(), message, reason);
        let sent = bus.dead_letter_unreadable(topics, message, reason, served_by, give_up).await?;
        if sent.dead_letter {
            metrics.dead_letter();
        }
        Ok(())
    }

    /// Sends a message that cannot be processed to the dead-letter topic; without its bytes when
    /// its camera has masks, since other decoders than ours may show what is in them.
    pub(crate) async fn dead_letter(
        &self,
        message: &Message,
        camera: &CameraId,
        reason: &str,
    ) -> Result<(), SendError> {
        let (message, reason) = &withheld_if(self.regions.is_masked(camera), message, reason);
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

/// What a dead letter says when its bytes stay away. Where they stand is in its other headers.
const WITHHELD: &str = "its bytes are withheld: there are masks";

fn withheld_if<'a>(
    masked: bool,
    message: &'a Message,
    reason: &'a str,
) -> (Cow<'a, Message>, Cow<'a, str>) {
    if !masked {
        return (Cow::Borrowed(message), Cow::Borrowed(reason));
    }
    let Message { topic, partition, offset, key, payload: _, headers, timestamp_ms } = message;
    let without = Message {
        topic: topic.clone(),
        partition: *partition,
        offset: *offset,
        key: key.clone(),
        payload: Vec::new(),
        headers: headers.clone(),
        timestamp_ms: *timestamp_ms,
    };
    (Cow::Owned(without), Cow::Owned(format!("{reason}; {WITHHELD}")))
}
