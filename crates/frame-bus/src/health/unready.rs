//! Why a bus cannot be used at the moment.

/// In words, of a broker whose disk is full.
pub(crate) const NO_SPACE: &str = "there is no space left on the broker's disk, or it cannot write";

/// Why a bus, its topics or its groups cannot be used at the moment. Nothing is lost by that:
/// everything waits, and goes on by itself when the cause is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Nothing is known of the broker yet.
    #[error("the broker has not answered yet")]
    Unknown,
    /// The broker does not answer.
    #[error("{reason}")]
    BrokerAway {
        /// What the client says.
        reason: String,
    },
    /// The broker's listener rejects this client: its login, its certificate, its protocol. A
    /// person must mend it.
    #[error("{reason}")]
    Rejected {
        /// Which listener, what is wrong and what to do.
        reason: String,
    },
    /// The broker does not allow something that is needed. Its administrator must.
    #[error("{what}")]
    NotAllowed {
        /// Who may not do what.
        what: String,
    },
    /// The broker cannot write.
    #[error("{}", NO_SPACE)]
    NoSpace,
    /// The producer cannot send.
    #[error("{reason}")]
    NoProducer {
        /// What it waits for.
        reason: String,
    },
    /// Topics that are needed are not there, or cannot be used.
    #[error("{}", reasons.join("; "))]
    Topics {
        /// For each topic, why.
        reasons: Vec<String>,
    },
    /// No consumer has begun to join a group.
    #[error("no group is joined yet")]
    NoGroup,
    /// A consumer is no member of its group.
    #[error("no partitions of topic '{topic}' since {since}: group '{group}' is being joined")]
    NotInGroup {
        /// Which group.
        group: String,
        /// Of which topic it ought to have partitions.
        topic: String,
        /// Since when, in the form of RFC 3339.
        since: String,
    },
}

/// Whether something can be used, or why not.
pub type Readiness = Result<(), Unready>;
