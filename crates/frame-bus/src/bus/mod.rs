//! The entry point: one bus for each process, from which everything else is made.

pub(crate) mod clients;
#[cfg(test)]
mod lost_brokers;
mod monitor;
mod receive;
mod send;
mod topics;
pub(crate) mod unreadable;

use crate::bus::clients::Clients;
use crate::bus::monitor::States;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::health::unready::Readiness;
use crate::send::persistence::Persistence;
use crate::threads::Threads;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a question waits for a broker that is away.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// The way to the broker: a producer, and everything else that is made from the same configuration.
/// Cheap to clone.
///
/// To be used inside a tokio runtime.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    config: BusConfig,
    link: Arc<Link>,
    states: States,
    persistence: Persistence,
    clients: Arc<Clients>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("brokers", &self.inner.config.brokers).finish_non_exhaustive()
    }
}

impl Bus {
    /// Opens it. Never waits for the broker: a monitor begins to ask for it, see [`Bus::state`].
    ///
    /// # Errors
    /// When a client refuses its configuration.
    pub fn open(config: BusConfig) -> Result<Self, BusError> {
        Self::open_on(Threads::default(), config)
    }

    /// The same with threads of the caller's: the bus's monitor, and one for each consumer and
    /// tail.
    ///
    /// # Errors
    /// As [`Bus::open`].
    pub fn open_on(threads: Threads, config: BusConfig) -> Result<Self, BusError> {
        config.security.warn_of_open_password();
        let link = Arc::new(Link::new(config.security.clone(), threads));
        let clients = Arc::new(Clients::new(&config, &link)?);
        let states = monitor::start(&link, &clients, &config.brokers)
            .map_err(|error| BusError::Client(error.to_string()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                link,
                states,
                persistence: Persistence::default(),
                clients,
            }),
        })
    }

    /// Whether the broker answers and lets us do what this bus is used for: it is asked every two
    /// seconds, and at once when a client loses it or is refused. `Err` says what is wrong.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Readiness> {
        self.inner.states.usable.clone()
    }

    /// Whether the topics that [`Bus::topics_in_place`] has found or made are still there: asked
    /// every two seconds. `Err` says which one is missing. While the broker is away it stays as
    /// it was.
    #[must_use]
    pub fn topics_state(&self) -> watch::Receiver<Readiness> {
        self.inner.states.topics.clone()
    }

    /// Whether each consumer of this bus belongs to its group, so that it has the partitions that
    /// it ought to have; with more members than partitions that may be none. `Err` says which
    /// one does not, and since when.
    #[must_use]
    pub fn groups_state(&self) -> watch::Receiver<Readiness> {
        self.inner.states.groups.clone()
    }

    /// Questions are asked only of a broker that answers, so that no thread is kept waiting for one
    /// that does not.
    pub(crate) async fn reachable(&self) -> Result<(), BusError> {
        let mut state = self.inner.states.reachable.clone();
        let answers = tokio::time::timeout(ASK_PATIENCE, state.wait_for(Result::is_ok))
            .await
            .is_ok_and(|answer| answer.is_ok());
        match &*state.borrow() {
            Err(unready) if !answers => Err(BusError::BrokerAway { reason: unready.to_string() }),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.stop();
    }
}
