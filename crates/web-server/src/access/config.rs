//! What the web-server is told about access at its start.

use super::right::{Rights, UnknownRight};
use settings::Settings;
use std::str::FromStr;

/// Who may do what.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    /// What needs no token, if it is said.
    pub open: Option<Rights>,
}

/// A setting whose default depends on others.
struct Auto<T>(Option<T>);

impl FromStr for Auto<Rights> {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        if text == "auto" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

impl AccessConfig {
    /// Reads the settings.
    pub(crate) fn from_settings(settings: &mut Settings) -> Self {
        let open: Auto<Rights> = settings.parsed(
            "MLVI_OPEN_RIGHTS",
            "auto",
            "auto, none, or some of send, read and settings, separated by commas",
            "what needs no token; auto: send and read",
        );
        Self { open: open.0 }
    }
}
