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

/// What the thread behind a tail or a table tells.
#[derive(Debug)]
pub(crate) enum Step {
    /// The next message.
    Message(Message),
    /// Everything that was there has been read; for a table again after each [`Step::Anew`].
    CaughtUp,
    /// What was read was of a log that is gone: its successor is read from its start. Only a table
    /// is told.
    Anew,
}
