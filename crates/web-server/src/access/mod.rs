//! Who may do what: every request passes `guard`, which knows the right that its route needs.

mod config;
mod guard;
mod right;

pub use config::AccessConfig;
pub use right::{Rights, UnknownRight};

pub(crate) use guard::{Guard, guard};
pub(crate) use right::Right;

/// Who may do what, for all requests.
#[derive(Debug)]
pub(crate) struct Access {
    config: AccessConfig,
}

impl Access {
    pub(crate) fn new(config: AccessConfig) -> Self {
        Self { config }
    }

    /// What needs no token.
    fn open(&self) -> Rights {
        self.config.open.unwrap_or(Rights::WITHOUT_TOKENS)
    }
}
