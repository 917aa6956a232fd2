//! How work is ended, and why it ended by itself.

use crate::error::BusError;
use settings::Settings;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a message may be taken up without an end, unless configured otherwise.
pub const DEFAULT_MAX_TAKES: u32 = 3;

/// Reads `MLVI_MAX_TAKES`.
pub fn max_takes_from_settings(settings: &mut Settings) -> u32 {
    settings.number(
        "MLVI_MAX_TAKES",
        DEFAULT_MAX_TAKES,
        1..=100,
        "a frame that was taken up so often, and each time the process ended before it had, gets a \
         failed result and a dead letter",
    )
}

/// How one piece of work is ended; not to be used for a second one.
#[derive(Clone, Debug)]
pub struct WorkControl {
    /// The unit is told to stop: no new message is taken, those in flight are finished.
    pub shutdown: CancellationToken,
    /// The unit cannot go on. The handler may cancel this too.
    pub halt: CancellationToken,
    /// The drain time is over: whoever still tries to send gives up, and handlers that have not
    /// ended are dropped. Cancelled by the loop.
    pub give_up: CancellationToken,
    /// How long messages in flight may take to finish.
    pub drain: Duration,
    /// A message that was taken up so often without an end is given up
    /// ([`Handle::give_up`](crate::Handle::give_up)); at least 1.
    pub max_takes: u32,
    /// The handler only holds messages and decodes none: no process ends by that, and it may
    /// have many in hand for long. Only a panic counts then.
    pub only_holds: bool,
}

impl WorkControl {
    /// Ends at `shutdown`.
    #[must_use]
    pub fn new(shutdown: CancellationToken, drain: Duration) -> Self {
        let (halt, give_up) = (CancellationToken::new(), CancellationToken::new());
        Self { shutdown, halt, give_up, drain, max_takes: DEFAULT_MAX_TAKES, only_holds: false }
    }

    pub(crate) fn is_ending(&self) -> bool {
        [&self.shutdown, &self.halt, &self.give_up].into_iter().any(CancellationToken::is_cancelled)
    }
}

/// Why the work ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The client has failed for good.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The handler halted, or a result could not be sent for good; the log says why.
    #[error("the work could not go on; the log says why")]
    Halted,
}
