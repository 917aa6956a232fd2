//! Messages whose envelope cannot be read.

use crate::bus::Bus;
use crate::error::SendError;
use crate::message::Message;
use frame::{FrameResult, ResultMessage, ServedBy, Topics};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// What was sent for a message without a readable envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Whether the dead letter was sent, and not dropped for its size.
    pub dead_letter: bool,
    /// The failed result, when the headers tell which frame it is.
    pub result: Option<FrameResult>,
}

impl Bus {
    /// Sends a message without a readable envelope to the dead-letter topic, and a failed result if
    /// its headers tell which frame it is: somebody may wait for that one. Persistently, as
    /// [`Bus::dead_letter`] and [`Bus::send_result`] do.
    ///
    /// # Errors
    /// Those of [`Bus::send_persistently`].
    pub async fn dead_letter_unreadable(
        &self,
        topics: &Topics,
        message: &Message,
        reason: &str,
        served_by: &ServedBy,
        give_up: &CancellationToken,
    ) -> Result<Unreadable, SendError> {
        let Message { topic, partition, offset, .. } = message;
        warn!(topic, partition, offset, reason, "message is no frame");
        let sent = self.dead_letter(&topics.dead_letter, message, reason, give_up).await?;
        let failed = ResultMessage::of_unreadable(&message.headers, reason, served_by.clone());
        let result = failed.as_ref().map(|failed| failed.result.clone());
        if let Some(failed) = failed {
            self.send_result(&topics.results, failed, give_up).await?;
        }
        Ok(Unreadable { dead_letter: sent.is_some(), result })
    }
}
