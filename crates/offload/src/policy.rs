//! The contract of a policy, and the function that asks it.

use crate::{Choice, FrameFacts, Lessons, Measured, Outcome, Snapshot};

/// How it is decided which tier gets a frame.
///
/// A policy of your own is a type with this trait; the example `own_policy` of the preprocessor
/// runs one, and `judge_own_policy` of the simulator judges it. A policy that panics costs the
/// decision or the lesson, and leaves the [`Decider`](crate::Decider) usable.
pub trait Policy: Send + Sync {
    /// The name that results carry.
    fn name(&self) -> &str;

    /// Decides. Pure: the same frame, snapshot and history of [`Policy::learn`] give the same
    /// choice. It never calls out and never waits, so that it can be replayed over a recorded
    /// trace; it is called for each frame, so it should take microseconds. It always
    /// answers: what is not known is `None`, and the reason says so.
    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice;

    /// Is told what the edge measured of a frame that it may send on, as soon as the edge has
    /// answered; what becomes of the frame [`Policy::learn`] tells later. `choice` was made for
    /// it, maybe by a policy before this one, and names the measure.
    fn measured(&mut self, _frame: &FrameFacts, _choice: &Choice, _measured: &Measured) {}

    /// Is told what became of a frame that it decided on, in the order in which it becomes known.
    fn learn(&mut self, _outcome: &Outcome) {}

    /// What the cloud's answers taught about the edge's; `None` of a policy that compares none.
    fn lessons(&self) -> Option<&Lessons> {
        None
    }

    /// The same, to be filled with what was learned elsewhere.
    fn lessons_mut(&mut self) -> Option<&mut Lessons> {
        None
    }

    /// Gives its lessons to the policy that takes its place.
    fn hand_over(&mut self) -> Option<Lessons> {
        None
    }

    /// Goes on with the lessons of the policy before it.
    fn take_over(&mut self, _lessons: Lessons) {}
}

/// Decides what becomes of a frame: the policy's choice, as a pure function of the frame's facts
/// and a snapshot of the tiers.
#[must_use]
pub fn estimate_to_cloud(frame: &FrameFacts, load: &Snapshot, policy: &dyn Policy) -> Choice {
    policy.choose(frame, load)
}
