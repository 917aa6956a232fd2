//! Whether a client still knows a broker.
//!
//! librdkafka (since 2.10) forgets every broker that the latest metadata do not name, and begins
//! again with `bootstrap.servers` when none is left. A Kafka that has just started answers for a
//! while that it has topics and no brokers. When the client's threads meet badly in that moment,
//! the new beginning is called off and never tried again: the client knows no broker for ever
//! (confluentinc/librdkafka#5301, open as of 2.13). Only a fresh client helps.

use crate::threads::Threads;
use rdkafka::Statistics;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A client that begins again is without a broker for milliseconds; its statistics come once a
/// second.
const FOR_GOOD: Duration = Duration::from_secs(3);

/// What a client's statistics say of the brokers that it knows. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownBrokers(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since when it knows none.
    none_since: Option<Instant>,
    lost: bool,
}

impl KnownBrokers {
    /// Reads the statistics.
    pub(crate) fn note(&self, statistics: &Statistics) {
        // the others are librdkafka's own: the coordinator's connection, and a place for orphans
        let is_real = |source: &str| matches!(source, "configured" | "learned");
        let any = statistics.brokers.values().any(|broker| is_real(&broker.source));
        self.note_any(any, Instant::now());
    }

    fn note_any(&self, any: bool, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if any {
            state.none_since = None;
        } else {
            let since = *state.none_since.get_or_insert(now);
            state.lost |= now.saturating_duration_since(since) >= FOR_GOOD;
        }
    }

    /// Whether the client has no broker and will find none any more: it is to be replaced.
    pub(crate) fn are_lost(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    /// As if the client had lost them.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost = true;
    }
}

/// Drops a client that was replaced in a thread of its own: a client without brokers takes up to
/// its session timeout to close.
pub(crate) fn retire(threads: &Threads, client: impl Send + 'static) {
    // without a thread it was dropped here
    if let Err(error) = threads.start("bus-retired", move || drop(client)) {
        tracing::debug!(%error, "a client was closed in place");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::Broker;

    #[test]
    fn a_client_without_brokers_for_seconds_has_lost_them() {
        let (known, start) = (KnownBrokers::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 2] {
            known.note_any(false, at(second));
            assert!(!known.are_lost(), "it may begin again");
        }
        known.note_any(true, at(3));
        known.note_any(false, at(4));
        assert!(!known.are_lost(), "it has begun again");
        known.note_any(false, at(7));
        assert!(known.are_lost());
        known.note_any(true, at(8));
        assert!(known.are_lost(), "its successor is on the way");
    }

    #[test]
    fn the_coordinators_connection_is_no_broker() {
        let of = |source: &str| {
            let broker = Broker { source: source.into(), ..Broker::default() };
            Statistics { brokers: [(source.into(), broker)].into(), ..Statistics::default() }
        };
        for (source, counts) in
            [("configured", true), ("learned", true), ("logical", false), ("internal", false)]
        {
            let known = KnownBrokers::default();
            known.note(&of(source));
            let none_since = known.0.lock().unwrap().none_since;
            assert_eq!(none_since.is_none(), counts, "{source}");
        }
    }
}
