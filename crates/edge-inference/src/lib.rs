//! The unit that runs inference on the edge; everything that it does is in `inference-worker`.

use frame::Destination;
use inference_worker::Config;
use settings::Settings;
use tokio_util::sync::CancellationToken;

/// Reads the unit's settings.
pub fn config(settings: &mut Settings) -> Config {
    Config::from_settings(settings, Destination::Edge)
}

/// Runs the unit until `shutdown`.
///
/// # Errors
/// When the model cannot be loaded or a port cannot be bound. A broker that is away is waited for.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    inference_worker::run(config, shutdown).await
}
