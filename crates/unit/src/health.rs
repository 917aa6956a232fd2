//! Whether a unit can do its work: named conditions that must all hold.

use crate::{Heartbeat, TaskFailure};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Why a unit that was asked to stop takes no work: no failure.
pub(crate) const SHUTTING_DOWN: &str = "shutting down";

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
    conditions: Mutex<Conditions>,
    heartbeats: Mutex<Vec<Heartbeat>>,
    failures: Mutex<Vec<TaskFailure>>,
}

#[derive(Debug, Default)]
struct Conditions {
    list: Vec<(&'static str, Option<String>)>,
    /// Those that the unit is never ready without.
    lasting: Vec<usize>,
    /// Whether the unit stays ready once it was, as long as the lasting conditions hold.
    stays: bool,
    was_ready: bool,
}

impl Conditions {
    fn add(&mut self, name: &'static str) -> usize {
        self.list.push((name, Some("starting".into())));
        self.list.len() - 1
    }

    fn all_hold(&self) -> bool {
        self.list.iter().all(|(_, reason)| reason.is_none())
    }

    fn are_ready(&self) -> bool {
        let lasting_hold = || self.lasting.iter().all(|index| self.list[*index].1.is_none());
        self.all_hold() || (self.stays && self.was_ready && lasting_hold())
    }
}

/// Why a condition does not hold: anything that can be told.
pub trait Reason: Display + Send + Sync + 'static {}

impl<E: Display + Send + Sync + 'static> Reason for E {}

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

    /// Whose health it is.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.inner.unit
    }

    /// Adds a condition, which does not hold yet.
    #[must_use]
    pub fn condition(&self, name: &'static str) -> Condition {
        Condition { health: self.clone(), index: self.conditions_now().add(name) }
    }

    /// Adds a condition that the unit is never ready without, also one that stays ready.
    #[must_use]
    pub(crate) fn lasting_condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.conditions_now();
        let index = conditions.add(name);
        conditions.lasting.push(index);
        Condition { health: self.clone(), index }
    }

    /// From now on the unit stays ready once every condition has held, until its shutdown: for a
    /// unit that has an answer for its clients without them, too. What does not hold is still
    /// told.
    pub fn stay_ready(&self) {
        self.conditions_now().stays = true;
    }

    fn conditions_now(&self) -> MutexGuard<'_, Conditions> {
        self.inner.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a heartbeat: the unit counts as dead when it was not beaten for `limit`.
    #[must_use]
    pub fn heartbeat(&self, name: &'static str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat::new(name, limit);
        self.inner
            .heartbeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(heartbeat.clone());
        heartbeat
    }

    /// Whether every condition holds, or held once if the unit [stays ready](Self::stay_ready); in
    /// any case no background task has failed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions_now().are_ready() && self.failures_now().is_empty()
    }

    /// The background tasks that have failed; the unit stops because of them.
    #[must_use]
    pub fn failures(&self) -> Vec<TaskFailure> {
        self.failures_now().clone()
    }

    pub(crate) fn task_failed(&self, failure: TaskFailure) {
        self.failures_now().push(failure);
    }

    fn failures_now(&self) -> MutexGuard<'_, Vec<TaskFailure>> {
        self.inner.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every condition with the reason why it does not hold, `None` when it does.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, Option<String>)> {
        self.conditions_now().list.clone()
    }

    /// The heartbeats that are overdue, in words.
    #[must_use]
    pub fn overdue(&self) -> Vec<String> {
        let heartbeats = self.inner.heartbeats.lock().unwrap_or_else(PoisonError::into_inner);
        heartbeats.iter().filter_map(Heartbeat::overdue).collect()
    }

    fn set(&self, index: usize, reason: Option<String>) {
        let mut conditions = self.conditions_now();
        let was_ready = conditions.was_ready;
        let (name, old) = &mut conditions.list[index];
        if *old == reason {
            return;
        }
        let unit = &self.inner.unit;
        match (&reason, &old) {
            (None, _) => tracing::info!(unit, condition = name, "condition holds"),
            (Some(reason), _) if reason == SHUTTING_DOWN => tracing::info!(unit, "shutting down"),
            // while the unit starts, conditions come one by one
            (Some(reason), None) if was_ready => {
                tracing::warn!(unit, condition = name, %reason, "condition does not hold any more")
            }
            (Some(reason), _) => {
                tracing::info!(unit, condition = name, %reason, "condition does not hold yet")
            }
        }
        *old = reason;
        conditions.was_ready |= conditions.all_hold();
    }
}

impl Condition {
    /// It holds, or the reason why it does not.
    pub fn set<E: Reason>(&self, outcome: Result<(), E>) {
        self.health.set(self.index, outcome.err().map(|reason| reason.to_string()));
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.health.conditions_now().list[self.index].0
    }

    /// Follows a channel: it holds while the value is `Ok`. Returns when the sender is gone, which
    /// is so at the end of the unit; the condition then stays as it is.
    pub async fn follow<E: Reason>(self, mut state: watch::Receiver<Result<(), E>>) {
        loop {
            let reason = state.borrow_and_update().as_ref().err().map(ToString::to_string);
            self.health.set(self.index, reason);
            if state.changed().await.is_err() {
                return;
            }
        }
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

    #[test]
    fn a_unit_that_stays_ready_is_so_until_its_end() {
        let health = Health::default();
        let running = health.lasting_condition("running");
        let (topics, broker) = (health.condition("topics"), health.condition("broker"));
        health.stay_ready();
        running.ready();
        broker.ready();
        assert!(!health.is_ready(), "there are no topics");
        broker.not_ready("away");
        topics.ready();
        assert!(!health.is_ready(), "they did not hold at the same time");
        broker.ready();
        assert!(health.is_ready());
        broker.not_ready("away again");
        assert!(health.is_ready());
        assert_eq!(health.conditions()[2], ("broker", Some("away again".into())));
        running.not_ready(SHUTTING_DOWN);
        assert!(!health.is_ready());
    }

    #[tokio::test]
    async fn a_followed_condition_changes_with_its_channel() {
        let health = Health::default();
        let (sender, receiver) = watch::channel(Err("not yet".to_owned()));
        tokio::spawn(health.condition("broker").follow(receiver));
        for (value, ready) in [(Ok(()), true), (Err("gone".to_owned()), false), (Ok(()), true)] {
            sender.send(value).unwrap();
            while health.is_ready() != ready {
                tokio::task::yield_now().await;
            }
        }
        drop(sender);
    }
}
