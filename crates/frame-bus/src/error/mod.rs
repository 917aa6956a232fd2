//! What can go wrong, as far as a caller acts on it.

pub(crate) mod codes;

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The producer's queue is full: the broker takes less than is sent. Try again later, or refuse
    /// new work.
    #[error("the queue towards the broker is full")]
    QueueFull,
    /// The message is larger than producer, topic and consumers have agreed on; it will never be
    /// taken.
    #[error("a message of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Its size with key, headers and framing.
        bytes: usize,
        /// The largest size that is taken ([`frame::MAX_MESSAGE_BYTES`]).
        limit: usize,
    },
    /// The broker did not acknowledge in time. The message may have arrived all the same.
    #[error("the broker did not acknowledge the message: {reason}")]
    BrokerAway {
        /// What the client says.
        reason: String,
    },
    /// Shutdown came before an acknowledgement. The message may have arrived all the same.
    #[error("shut down before the broker acknowledged the message")]
    ShuttingDown,
    /// Trying again is of no use.
    #[error("the message cannot be sent: {0}")]
    Fatal(String),
}

/// Why something other than sending failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// A client could not be made from its configuration.
    #[error("no kafka client can be made: {0}")]
    Client(String),
    /// The broker did not answer in time.
    #[error("the broker does not answer: {reason}")]
    BrokerAway {
        /// What the client says.
        reason: String,
    },
    /// A topic is not there, or cannot be made as asked for.
    #[error("topic '{topic}': {reason}")]
    Topic {
        /// Which topic.
        topic: String,
        /// What is wrong.
        reason: String,
    },
    /// The broker does not allow it.
    #[error("{what}")]
    NotAllowed {
        /// Who may not do what.
        what: String,
    },
    /// Shutdown came first.
    #[error("shutting down")]
    ShuttingDown,
    /// The client has failed for good; only a new one can help.
    #[error("the kafka client has failed: {0}")]
    Fatal(String),
}
