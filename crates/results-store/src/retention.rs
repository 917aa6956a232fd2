//! What is older than its time goes, a little at a time.

use crate::metrics::Metrics;
use frame::Timestamp;
use results_db::Database;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(600);
/// How many frames go at a time, in SQLite: some milliseconds of the writer's lock.
const AT_ONCE: u32 = 500;
/// Between two such parts the writer has its turn.
const BETWEEN: Duration = Duration::from_millis(50);

/// Removes what is older than `keep`, until shutdown.
pub(crate) async fn forget(
    database: Database,
    keep: Duration,
    metrics: Metrics,
    stop: CancellationToken,
) {
    loop {
        let now = Timestamp::now().as_micros() / 1000;
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let pause = match database.forget_before(now.saturating_sub(keep_ms), AT_ONCE).await {
            Ok(forgotten) => {
                metrics.forgotten.inc_by(forgotten.frames);
                if forgotten.frames > 0 {
                    tracing::debug!(frames = forgotten.frames, "removed what was too old");
                }
                if forgotten.is_all { EVERY } else { BETWEEN }
            }
            Err(error) => {
                tracing::warn!(%error, "what is too old cannot be removed now");
                EVERY
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
