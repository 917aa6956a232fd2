//! Who may do what.
//!
//! Every request passes `protect` (headers of the answer), and then `guard`: is this server asked
//! under a name of its own (`origin`), does the route answer to this method, does a page of ours
//! ask, who asks (`secret`, `tokens`, `session`), may they do what the route needs (`right`), and
//! not too often (`rates`)? Answers without an end of
//! their own end with the right (`lapse`).

mod caller;
mod config;
mod guard;
mod headers;
mod lapse;
mod origin;
mod rates;
mod reload;
mod right;
mod secret;
mod session;
#[cfg(test)]
mod tests;
mod tokens;

pub use config::AccessConfig;
pub use origin::{Hosts, InvalidHost, InvalidOrigin, Origins};
pub use right::{Rights, UnknownRight};
pub use secret::{Hash, InvalidHash, NoRandomness, Secret};
pub use tokens::{Tokens, TokensError};

pub(crate) use caller::{Begun, Caller};
pub(crate) use guard::{Guard, Need, guard};
pub(crate) use headers::protect;
pub(crate) use right::Right;

use crate::problem::RequestError;
use frame::CameraId;
use rates::Rates;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Who may do what, for all requests.
#[derive(Debug)]
pub(crate) struct Access {
    config: AccessConfig,
    /// The server listens on the loopback interface alone.
    loopback: bool,
    /// As they were last read; `None`: nobody needs one.
    tokens: watch::Sender<Option<Arc<Tokens>>>,
    rates: Rates,
}

impl Access {
    /// `loopback`: the server listens on the loopback interface alone.
    pub(crate) fn new(config: AccessConfig, loopback: bool) -> Self {
        let tokens = config.tokens.as_ref().map(|(_, tokens)| Arc::new(tokens.clone()));
        Self { config, loopback, tokens: watch::Sender::new(tokens), rates: Rates::default() }
    }

    fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.borrow().clone()
    }

    fn exchange(&self, tokens: Tokens) {
        self.tokens.send_replace(Some(Arc::new(tokens)));
    }

    /// Whether settings may be changed over HTTP, by whoever has the right.
    pub(crate) fn settings_changes(&self) -> bool {
        // a token that has the right was given it on purpose
        self.config.settings_changes || self.config.tokens.is_some()
    }

    /// What somebody without this right is told.
    fn refusal(&self, caller: &Caller, right: Right) -> RequestError {
        match right {
            Right::Settings if !self.settings_changes() => RequestError::SettingsAreFixed,
            _ if caller.wants_token() => RequestError::NoToken(right),
            _ => RequestError::Forbidden(right),
        }
    }

    /// What needs no token.
    fn open(&self) -> Rights {
        let default = match (&self.config.tokens, self.config.settings_changes) {
            (Some(_), _) => Rights::default(),
            (None, true) => Rights::WITHOUT_TOKENS.with(Right::Settings),
            (None, false) => Rights::WITHOUT_TOKENS,
        };
        self.config.open.unwrap_or(default)
    }

    /// Whether the port speaks HTTPS.
    fn https(&self) -> bool {
        self.config.tls.is_some()
    }

    /// Counts a frame of a camera: for every frame, however it comes.
    ///
    /// # Errors
    /// When it is one too many.
    pub(crate) fn count_frame(&self, camera: &CameraId) -> Result<(), RequestError> {
        let Some(per_s) = self.config.camera_rate else { return Ok(()) };
        // the first letter keeps cameras and tokens of one name apart
        self.rates.take(("c", camera.as_str()), per_s, Instant::now()).map_err(|wait| {
            RequestError::TooOften { of: format!("the camera '{camera}'"), per_s, wait }
        })
    }

    /// Counts a request of a token.
    fn count_request(&self, caller: &Caller) -> Result<(), RequestError> {
        let Some(token) = caller.token() else { return Ok(()) };
        let Some(per_s) = token.rate.or(self.config.token_rate) else { return Ok(()) };
        self.rates.take(("t", token.name.as_str()), per_s, Instant::now()).map_err(|wait| {
            RequestError::TooOften { of: format!("the token '{}'", token.name), per_s, wait }
        })
    }
}
