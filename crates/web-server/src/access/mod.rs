//! Who may do what: every request passes `guard`, which knows the right that its route needs.

mod config;
mod guard;
mod right;

pub use config::AccessConfig;
pub use right::{Rights, UnknownRight};

pub(crate) use guard::{Guard, guard};
pub(crate) use right::Right;

use crate::problem::RequestError;

/// Who may do what, for all requests.
#[derive(Debug)]
pub(crate) struct Access {
    config: AccessConfig,
}

impl Access {
    pub(crate) fn new(config: AccessConfig) -> Self {
        Self { config }
    }

    /// Whether settings may be changed over HTTP, by whoever has the right.
    pub(crate) fn settings_changes(&self) -> bool {
        self.config.settings_changes
    }

    /// What somebody without this right is told.
    fn refusal(&self, right: Right) -> RequestError {
        match right {
            Right::Settings if !self.config.settings_changes => RequestError::SettingsAreFixed,
            Right::Settings | Right::Public | Right::Send | Right::Read => {
                RequestError::Forbidden(right)
            }
        }
    }

    /// What needs no token.
    fn open(&self) -> Rights {
        let auto = if self.config.settings_changes {
            Rights::WITHOUT_TOKENS.with(Right::Settings)
        } else {
            Rights::WITHOUT_TOKENS
        };
        self.config.open.unwrap_or(auto)
    }
}
