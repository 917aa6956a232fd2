//! The supervisor of a unit's background tasks: none of them dies in silence.
//!
//! Every task is spawned by name through [`Tasks`]. One that panics, or ends although nobody has
//! asked it to, is a [`TaskFailure`]: it is logged, counted (`mlvi_task_failures_total`), named by
//! `/livez` and `/readyz`, and stops the unit, which then ends with an error, so that whatever runs
//! it starts it anew. What remains of a unit without one of its tasks would look healthy and be
//! wrong.

mod failure;
mod faults;

pub use failure::{TaskEnd, TaskFailure};
pub use faults::Faults;

use crate::{Health, Metrics, panic_text};
use futures_util::FutureExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Work that has failed because of a task may notice it a moment before the supervisor does.
const NOTICED_WITHIN: Duration = Duration::from_millis(200);

/// The name under which the unit's own work fails, when it panics.
const WORK: &str = "work";

/// When a task may end.
#[derive(Clone, Debug)]
pub enum Ends {
    /// Never: it is dropped at the end of its unit.
    Never,
    /// When this token is cancelled, and not before.
    WhenAsked(CancellationToken),
    /// Whenever its work is done: only a panic is a failure.
    WhenDone,
}

/// The background tasks of one unit, or of one process; clones share them.
#[derive(Clone, Debug)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    health: Health,
    /// Cancelled at the first failure, as a shutdown would.
    stop: CancellationToken,
    /// Cancelled at the end of the unit: what still runs is dropped, and may end.
    end: CancellationToken,
    first: watch::Sender<Option<First>>,
    failures: Family<TaskLabel, Counter>,
    faults: Faults,
}

/// The failure that came first.
#[derive(Debug)]
struct First {
    failure: TaskFailure,
    at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabel {
    task: String,
}

impl Tasks {
    /// The tasks of the unit whose health this is. `stop` is cancelled when one of them fails.
    #[must_use]
    pub fn new(health: Health, stop: CancellationToken, faults: Faults) -> Self {
        let inner = Inner {
            health,
            stop,
            end: CancellationToken::new(),
            first: watch::Sender::new(None),
            failures: Family::default(),
            faults,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Shows how often each task has failed.
    pub(crate) fn register(&self, to: &Metrics) {
        let help = "Background tasks that panicked or ended unasked; the unit stops then";
        to.register("task_failures", help, self.inner.failures.clone());
    }

    /// Cancelled at the shutdown that these tasks were made with, and when one of them fails.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.inner.stop
    }

    /// Runs a task in the background. The handle is that of the supervised task and tells when it
    /// is over; it need not be kept.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(
        &self,
        name: impl Into<Cow<'static, str>>,
        ends: Ends,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let name = self.named(name);
        let inner = Arc::clone(&self.inner);
        // a large future is moved once
        let task = Box::pin(task);
        tokio::spawn(async move {
            let planted = async {
                tokio::select! {
                    () = inner.faults.until_hit(inner.health.unit(), &name) => planted_panic(),
                    () = task => {}
                }
            };
            let caught = AssertUnwindSafe(planted).catch_unwind();
            if let Some(outcome) = inner.end.run_until_cancelled(caught).await {
                inner.over(name, &ends, outcome);
            }
        })
    }

    /// Runs a task on a thread of its own, which bears the task's name.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn_thread(
        &self,
        name: impl Into<Cow<'static, str>>,
        ends: Ends,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let name = self.named(name);
        let inner = Arc::clone(&self.inner);
        std::thread::Builder::new().name(name.clone().into_owned()).spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if inner.faults.hit(inner.health.unit(), &name) {
                    planted_panic();
                }
                work();
            }));
            inner.over(name, &ends, outcome);
        })?;
        Ok(())
    }

    /// Starts threads that end when their owners let go of them, for code that knows no [`Tasks`].
    pub fn thread_starter(
        &self,
    ) -> impl Fn(&'static str, Box<dyn FnOnce() + Send>) -> std::io::Result<()> + Send + Sync + 'static
    {
        let tasks = self.clone();
        move |name, work| tasks.spawn_thread(name, Ends::WhenDone, work)
    }

    /// The failure that came first, if any did.
    #[must_use]
    pub fn failure(&self) -> Option<TaskFailure> {
        self.inner.first.borrow().as_ref().map(|first| first.failure.clone())
    }

    /// When that was.
    pub(crate) fn failed_at(&self) -> Option<Instant> {
        self.inner.first.borrow().as_ref().map(|first| first.at)
    }

    /// Waits for the first failure, for ever if need be.
    pub async fn failed(&self) -> TaskFailure {
        let mut first = self.inner.first.subscribe();
        // it does not fail, for the sender is held by `self`
        drop(first.wait_for(Option::is_some).await);
        match self.failure() {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Does the unit's work to its end. A task that fails stops it, and is its error; `patience` is
    /// how long the work may take to stop then, before it is dropped.
    ///
    /// # Errors
    /// The first [`TaskFailure`], or else the work's own error.
    pub async fn supervise<E>(
        &self,
        work: impl Future<Output = Result<(), E>>,
        patience: Duration,
    ) -> Result<(), E>
    where
        E: From<TaskFailure> + AsRef<dyn std::error::Error>,
    {
        let overdue = async {
            self.failed().await;
            tokio::time::sleep(patience).await;
        };
        let work = async {
            match AssertUnwindSafe(work).catch_unwind().await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    self.inner.over(self.named(WORK), &Ends::Never, Err(panic));
                    Ok(())
                }
            }
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = overdue => {
                let patience_s = patience.as_secs_f64();
                tracing::error!(patience_s, "the work has not stopped in time");
                Ok(())
            }
        };
        if outcome.is_err() {
            // the failure that explains it, if there is one
            drop(tokio::time::timeout(NOTICED_WITHIN, self.failed()).await);
        }
        let Some(failure) = self.failure() else { return outcome };
        if let Err(error) = outcome {
            let unit = self.inner.health.unit();
            tracing::warn!(
                unit,
                error = text::with_causes(error.as_ref()),
                "the work ended with an error, too"
            );
        }
        Err(failure.into())
    }

    /// The end of the unit, when it is dropped: every task that still runs is dropped, too, and
    /// none of them fails any more by ending.
    pub(crate) fn end_guard(&self) -> DropGuard {
        self.inner.end.clone().drop_guard()
    }

    fn named(&self, name: impl Into<Cow<'static, str>>) -> Cow<'static, str> {
        let name = name.into();
        // a rate needs its zero
        drop(self.inner.failures.get_or_create(&TaskLabel { task: name.clone().into_owned() }));
        name
    }
}

fn planted_panic() {
    panic!("a fault that a test has planted");
}

impl Inner {
    /// A task is over.
    fn over(&self, task: Cow<'static, str>, ends: &Ends, outcome: Result<(), Box<dyn Any + Send>>) {
        let cause = match (outcome, ends) {
            (Err(panic), _) => TaskEnd::Panicked(panic_text(panic.as_ref()).to_owned()),
            (Ok(()), Ends::WhenDone) => return,
            (Ok(()), Ends::WhenAsked(asked)) if asked.is_cancelled() => return,
            (Ok(()), Ends::Never | Ends::WhenAsked(_)) if self.end.is_cancelled() => return,
            (Ok(()), Ends::Never | Ends::WhenAsked(_)) => TaskEnd::Unasked,
        };
        let unit = self.health.unit().to_owned();
        tracing::error!(unit, task = &*task, %cause, "background task failed: the unit stops");
        self.failures.get_or_create(&TaskLabel { task: task.clone().into_owned() }).inc();
        let failure = TaskFailure { unit, task, cause };
        self.health.task_failed(failure.clone());
        self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(First { failure, at: Instant::now() });
            is_first
        });
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
