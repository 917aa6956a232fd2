//! A table of tasks that are made to panic: tests see by it what a unit does then.

use std::sync::Arc;
use tokio::sync::watch;

/// Which background tasks panic, by unit and name; clones share the table.
///
/// It is empty in every process that is configured by settings: no setting adds to it, only a
/// caller of a unit's library entry `run(config, …)` can.
#[derive(Clone, Debug)]
pub struct Faults {
    planted: Arc<watch::Sender<Vec<(String, String)>>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { planted: Arc::new(watch::Sender::new(Vec::new())) }
    }
}

impl Faults {
    /// Makes a task panic: a future at once, or as soon as it is spawned; a thread when it starts.
    pub fn plant(&self, unit: &str, task: &str) {
        self.planted.send_modify(|planted| planted.push((unit.to_owned(), task.to_owned())));
    }

    /// Whether the task is to panic.
    pub(super) fn hit(&self, unit: &str, task: &str) -> bool {
        contains(&self.planted.borrow(), unit, task)
    }

    /// Waits until the task is to panic, for ever if need be.
    pub(super) async fn until_hit(&self, unit: &str, task: &str) {
        let mut planted = self.planted.subscribe();
        // the sender is held by `self`, so this waits until it is true
        drop(planted.wait_for(|planted| contains(planted, unit, task)).await);
    }
}

fn contains(planted: &[(String, String)], unit: &str, task: &str) -> bool {
    planted.iter().any(|(of, name)| of == unit && name == task)
}
