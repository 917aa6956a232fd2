//! Who has a message in hand in this process.

use std::sync::{Arc, LazyLock};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Held by everyone who has a message in hand in this process, and by one alone who has a suspect:
/// should the process end, it is clear whose fault that was. One for all units of the process,
/// because they end together.
static IN_HAND: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// What is held while a message is in hand.
pub(crate) enum InHand {
    /// Nothing: no process ends by this message.
    Nothing,
    /// Others may have messages in hand as well.
    WithOthers {
        /// Nobody is alone as long as this is held.
        _held: OwnedRwLockReadGuard<()>,
    },
    /// Nobody else has one.
    Alone {
        /// Nobody takes another one as long as this is held.
        _held: OwnedRwLockWriteGuard<()>,
    },
}

impl InHand {
    /// Waits until nobody is alone.
    pub(crate) async fn with_others() -> Self {
        Self::WithOthers { _held: Arc::clone(&IN_HAND).read_owned().await }
    }

    /// Waits until nobody has a message in hand.
    pub(crate) async fn alone() -> Self {
        Self::Alone { _held: Arc::clone(&IN_HAND).write_owned().await }
    }
}
