//! Whether a unit can do its work: named conditions that must all hold.

use crate::Heartbeat;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A unit's conditions and heartbeats; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whose health it is, for the log: several units may share a process.
    unit: String,
    /// Name, and the reason why it does not hold; `None` when it does.
    conditions: Mutex<Vec<(&'static str, Option<String>)>>,
    heartbeats: Mutex<Vec<Heartbeat>>,
}

/// One condition of a unit's readiness.
#[derive(Clone, Debug)]
pub struct Condition {
    health: Health,
    index: usize,
}

impl Health {
    /// Of the unit of this name; nothing is asked of it yet.
    #[must_use]
    pub fn of(unit: impl Into<String>) -> Self {
        Self { inner: Arc::new(Inner { unit: unit.into(), ..Inner::default() }) }
    }

    /// Adds a condition, which does not hold yet.
    #[must_use]
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.inner.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.push((name, Some("starting".into())));
        Condition { health: self.clone(), index: conditions.len() - 1 }
    }

    /// Adds a condition that follows a channel: it holds while the value is `Ok`. When the sender is gone, which is so at the end of
    /// the unit, it stays as it is.
    pub fn follow(&self, name: &'static str, state: watch::Receiver<Result<(), String>>) {
        self.condition(name).follow(state);
    }

    /// Adds a heartbeat: the unit counts as dead when it was not beaten for `limit`.
    #[must_use]
    pub fn heartbeat(&self, name: &'static str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat::new(name, limit);
        self.inner.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).push(heartbeat.clone());
        heartbeat
    }

    /// Whether every condition holds.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions().iter().all(|(_, reason)| reason.is_none())
    }

    /// Every condition with the reason why it does not hold, `None` when it does.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, Option<String>)> {
        self.inner.conditions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The heartbeats that are overdue, in words.
    #[must_use]
    pub fn overdue(&self) -> Vec<String> {
        let heartbeats = self.inner.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.iter().filter_map(Heartbeat::overdue).collect()
    }

    fn set(&self, index: usize, reason: Option<String>) {
        let mut conditions = self.inner.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, old) = &mut conditions[index];
        if *old == reason {
            return;
        }
        let unit = &self.inner.unit;
        match (&reason, &old) {
            (None, _) => tracing::info!(unit, condition = name, "condition holds"),
            (Some(reason), None) => tracing::warn!(unit, condition = name, %reason, "condition does not hold any more"),
            (Some(reason), Some(_)) => tracing::info!(unit, condition = name, %reason, "condition does not hold yet"),
        }
        *old = reason;
    }
}

impl Condition {
    /// It holds, or the reason why it does not.
    pub fn set(&self, outcome: Result<(), String>) {
        self.health.set(self.index, outcome.err());
    }

    /// Follows a channel from now on, as [`Health::follow`] does.
    pub fn follow(self, mut state: watch::Receiver<Result<(), String>>) {
        tokio::spawn(async move {
            loop {
                self.set(state.borrow_and_update().clone());
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// It holds.
    pub fn ready(&self) {
        self.health.set(self.index, None);
    }

    /// It does not hold.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.health.set(self.index, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_ready_when_every_condition_holds() {
        let health = Health::default();
        assert!(health.is_ready(), "nothing is asked of it");
        let (model, broker) = (health.condition("model"), health.condition("broker"));
        assert!(!health.is_ready());
        model.ready();
        assert!(!health.is_ready());
        broker.ready();
        assert!(health.is_ready());
        broker.not_ready("it went away");
        assert!(!health.is_ready());
        assert_eq!(health.conditions(), [("model", None), ("broker", Some("it went away".into()))]);
    }

    #[tokio::test]
    async fn a_followed_condition_changes_with_its_channel() {
        let health = Health::default();
        let (sender, receiver) = watch::channel(Err("not yet".to_owned()));
        health.follow("broker", receiver);
        for (value, ready) in [(Ok(()), true), (Err("gone".to_owned()), false), (Ok(()), true)] {
            sender.send(value).unwrap();
            while health.is_ready() != ready {
                tokio::task::yield_now().await;
            }
        }
        drop(sender);
    }
}
