//! A unit by its kind and its settings, in this process.

use mlvi::suite::{Running, Setup, UnitKind};
use settings::{ConfigError, Settings};
use tokio_util::sync::CancellationToken;
use unit::Listen;

/// Reads the settings and sets the unit up; `admin` is its admin port when that is bound already.
pub(crate) fn set_up(
    kind: UnitKind,
    settings: Settings,
    admin: Option<Listen>,
    token: CancellationToken,
) -> Result<Running, ConfigError> {
    mlvi::suite::set_up(kind, settings, Setup { admin, ..Setup::default() }, token)
}
