//! A unit by its kind and its settings, in this process.

use mlvi::suite::UnitKind;
use settings::{ConfigError, Settings};
use std::pin::Pin;
use tokio_util::sync::CancellationToken;
use unit::Listen;

/// A unit that was set up; it runs while it is polled.
pub(crate) type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Reads the settings and sets the unit up; `admin` is its admin port when that is bound already.
pub(crate) fn set_up(
    kind: UnitKind,
    mut settings: Settings,
    admin: Option<Listen>,
    token: CancellationToken,
) -> Result<Running, ConfigError> {
    macro_rules! running {
        ($config:expr, $run:path) => {{
            let mut config = $config;
            settings.finish()?;
            if let Some(admin) = admin {
                config.shell.admin = admin;
            }
            Box::pin($run(config, token))
        }};
    }
    Ok(match kind {
        UnitKind::WebServer => {
            running!(web_server::Config::from_settings(&mut settings), web_server::run)
        }
        UnitKind::Preprocessor => {
            running!(preprocessor::Config::from_settings(&mut settings), preprocessor::run)
        }
        UnitKind::EdgeInference => {
            running!(edge_inference::config(&mut settings), edge_inference::run)
        }
        UnitKind::CloudInference => {
            running!(cloud_inference::config(&mut settings), cloud_inference::run)
        }
    })
}
