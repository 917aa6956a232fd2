//! What a unit does with its messages.

use crate::error::SendError;
use crate::message::Message;
use crate::work::lanes::Turn;

/// What a unit does with a message.
pub trait Handle: Send + Sync + 'static {
    /// Processes one message. `Ok` means that everything that follows from it is acknowledged by
    /// the broker; only then its offset may be committed. `turn` is its place among the
    /// messages of its key.
    fn handle(
        &self,
        message: Message,
        turn: Turn,
    ) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Gives a message up without decoding it: the process has ended with it in hand
    /// `takes` times, the last time with nothing else. `Ok` as for [`Handle::handle`].
    fn give_up(
        &self,
        message: Message,
        turn: Turn,
        takes: u32,
    ) -> impl Future<Output = Result<(), SendError>> + Send;

    /// A message is taken up alone, since a process has ended that may have had it in hand: for a
    /// metric.
    fn taken_alone(&self) {}
}
