//! What all clients of one bus know about the way to the broker.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared by the clients, which report trouble, and by the monitor, which then looks at once.
#[derive(Debug, Default)]
pub(crate) struct Link {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    last_reason: Option<String>,
    trouble: bool,
    stopped: bool,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is over.
    Time,
    /// A client lost every broker.
    Trouble,
    /// The bus is gone.
    Stopped,
}

impl Link {
    /// Remembers what a client says about a failed connection, for error messages.
    pub(crate) fn note_reason(&self, reason: &str) {
        // librdkafka adds times and counts that change with every attempt: "... (after 3ms in state CONNECT)"
        let lasting = reason.split(" (after ").next().unwrap_or(reason);
        self.lock().last_reason = Some(lasting.to_owned());
    }

    /// What was said last, if anything was since the broker answered.
    pub(crate) fn last_reason(&self) -> Option<String> {
        self.lock().last_reason.clone()
    }

    /// The broker answered.
    pub(crate) fn forget_reason(&self) {
        self.lock().last_reason = None;
    }

    /// A client lost every broker.
    pub(crate) fn report_trouble(&self) {
        self.lock().trouble = true;
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until the time is over or something happens.
    pub(crate) fn wait(&self, limit: Duration) -> Woken {
        let quiet = |state: &mut State| !state.stopped && !state.trouble;
        let (mut state, _) = self.changed.wait_timeout_while(self.lock(), limit, quiet).unwrap_or_else(PoisonError::into_inner);
        let trouble = std::mem::take(&mut state.trouble);
        match (state.stopped, trouble) {
            (true, _) => Woken::Stopped,
            (false, true) => Woken::Trouble,
            (false, false) => Woken::Time,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stays_the_same_while_attempts_go_on() {
        let link = Link::default();
        for reason in ["a:1: refused (after 0ms in state CONNECT)", "a:1: refused (after 3ms in state CONNECT, 2 suppressed)"] {
            link.note_reason(reason);
            assert_eq!(link.last_reason().as_deref(), Some("a:1: refused"));
        }
        link.forget_reason();
        assert_eq!(link.last_reason(), None);
    }

    #[test]
    fn trouble_ends_a_wait_once() {
        let link = Link::default();
        link.report_trouble();
        assert_eq!(link.wait(Duration::from_secs(60)), Woken::Trouble);
        assert_eq!(link.wait(Duration::ZERO), Woken::Time);
        link.stop();
        assert_eq!(link.wait(Duration::from_secs(60)), Woken::Stopped);
    }
}
