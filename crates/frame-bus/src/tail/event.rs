//! What a tail tells.

use crate::message::Message;

/// What a [`Tail`](crate::Tail) has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailEvent {
    /// The next message.
    Message(Message),
    /// Everything that was there when the tail began has been read. Comes once.
    CaughtUp,
}
