//! Keeping a panic to the frame that caused it.

use crate::metrics::{Metrics, PolicyCall};
use frame::{Destination, Problem};
use offload::{Choice, FrameFacts, Lessons, Measured, Outcome, Policy, Snapshot};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_util::sync::CancellationToken;

/// So many frames in a row are not bad luck but a bad release: the unit then stops, before the
/// whole topic becomes dead letters.
const MAX_PANICS_IN_A_ROW: u32 = 100;

/// Runs what may panic, and stops the unit when it does nothing else.
#[derive(Debug)]
pub(crate) struct Guard {
    in_a_row: AtomicU32,
    halt: CancellationToken,
}

impl Guard {
    /// Cancels `halt` when it is time to stop.
    pub(crate) fn new(halt: CancellationToken) -> Self {
        Self { in_a_row: AtomicU32::new(0), halt }
    }

    /// A frame has got through the whole unit: whatever panicked before was about single frames.
    pub(crate) fn got_through(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// The value, or the problem that a client gets when `work` panics. What `work` leaves behind
    /// must not be used after that.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T, Problem> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(value) => Ok(value),
            Err(panic) => {
                let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if in_a_row == MAX_PANICS_IN_A_ROW {
                    tracing::error!(in_a_row, "every frame makes the preprocessor panic: stopping");
                    self.halt.cancel();
                }
                let detail = format!("it panicked: {}", unit::panic_text(panic.as_ref()));
                Err(Problem::new(
                    500,
                    "preprocessing-failed",
                    "The preprocessor failed on this frame",
                    detail,
                ))
            }
        }
    }
}

/// Why a frame is on the edge whose decision panicked.
pub(crate) const POLICY_PANICKED: &str = "policy-panicked";

/// Runs a call of a policy, or of the decider around it. A panic is counted, and `None`.
pub(crate) fn guarded<T>(
    metrics: &Metrics,
    call: PolicyCall,
    work: impl FnOnce() -> T,
) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) => {
            let panic = unit::panic_text(panic.as_ref());
            tracing::error!(
                call = call.as_str(),
                panic,
                "the policy panicked, going on without it"
            );
            metrics.policy_panicked(call);
            None
        }
    }
}

/// A caller's own policy, whose panics never reach the decider around it: a frame whose decision
/// panics goes to the edge, through the same guards as any other, and a lesson that panics is lost.
pub(crate) struct GuardedPolicy {
    policy: Box<dyn Policy>,
    name: String,
    metrics: Metrics,
}

impl GuardedPolicy {
    pub(crate) fn boxed(policy: Box<dyn Policy>, metrics: Metrics) -> Box<dyn Policy> {
        let name = policy.name().to_owned();
        Box::new(Self { policy, name, metrics })
    }
}

impl Policy for GuardedPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        guarded(&self.metrics, PolicyCall::Decide, || self.policy.choose(frame, load))
            .unwrap_or_else(|| Choice::send(Destination::Edge, POLICY_PANICKED))
    }

    fn learn(&mut self, outcome: &Outcome) {
        let Self { policy, metrics, .. } = self;
        guarded(metrics, PolicyCall::Learn, || policy.learn(outcome));
    }

    fn measured(&mut self, frame: &FrameFacts, choice: &Choice, measured: &Measured) {
        let Self { policy, metrics, .. } = self;
        guarded(metrics, PolicyCall::Learn, || policy.measured(frame, choice, measured));
    }

    fn lessons(&self) -> Option<&Lessons> {
        self.policy.lessons()
    }

    fn lessons_mut(&mut self) -> Option<&mut Lessons> {
        self.policy.lessons_mut()
    }

    fn hand_over(&mut self) -> Option<Lessons> {
        self.policy.hand_over()
    }

    fn take_over(&mut self, lessons: Lessons) {
        self.policy.take_over(lessons);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_problem_that_says_so() {
        let guard = Guard::new(CancellationToken::new());
        assert_eq!(guard.run(|| 7), Ok(7));
        let problem = guard.run(|| -> () { panic!("pixel {} is haunted", 3) }).unwrap_err();
        assert_eq!(problem.status, 500);
        assert!(problem.detail.contains("pixel 3 is haunted"), "{problem}");
    }

    #[test]
    fn only_an_unbroken_row_of_panics_stops_the_unit() {
        let halt = CancellationToken::new();
        let guard = Guard::new(halt.clone());
        let panic_times =
            |times: u32| (0..times).for_each(|_| drop(guard.run(|| -> () { panic!("again") })));
        panic_times(MAX_PANICS_IN_A_ROW - 1);
        guard.got_through();
        panic_times(MAX_PANICS_IN_A_ROW - 1);
        assert!(!halt.is_cancelled());
        panic_times(1);
        assert!(halt.is_cancelled());
    }
}
