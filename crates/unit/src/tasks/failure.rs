//! How a background task has failed.

use std::borrow::Cow;
use std::fmt;

/// A background task that panicked, or ended although nobody had asked it to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task '{task}' of {unit} {cause}")]
pub struct TaskFailure {
    /// The unit, or the process, that the task belongs to.
    pub unit: String,
    /// The task's name.
    pub task: Cow<'static, str>,
    /// What happened to it.
    pub cause: TaskEnd,
}

/// What happened to a task that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It panicked, with this message.
    Panicked(String),
    /// It ended before it was asked to.
    Unasked,
}

impl fmt::Display for TaskEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Unasked => f.write_str("ended although nobody had asked it to"),
        }
    }
}
