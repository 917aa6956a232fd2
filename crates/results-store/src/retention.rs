//! What is older than its time goes, and what is beyond the file's bound, a little at a time.

use crate::metrics::Metrics;
use frame::Timestamp;
use results_db::{Database, DbError, Forgotten};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(600);
/// How often it is looked for where the file has a bound.
const EVERY_BOUNDED: Duration = Duration::from_secs(10);
/// How many frames go at a time, in SQLite: some milliseconds of the writer's lock.
const AT_ONCE: u32 = 500;
/// Between two such parts the writer has its turn.
const BETWEEN: Duration = Duration::from_millis(50);

/// What is kept.
pub(crate) struct Retention {
    pub(crate) database: Database,
    /// For so long.
    pub(crate) keep: Duration,
    /// In so many bytes, if SQLite's file has a bound.
    pub(crate) bytes: Option<u64>,
    pub(crate) metrics: Metrics,
}

impl Retention {
    /// Removes the rest, until shutdown.
    pub(crate) async fn work(self, stop: CancellationToken) {
        let every = if self.bytes.is_some() { EVERY_BOUNDED } else { EVERY };
        let mut is_told = false;
        loop {
            let pause = match self.forget(&mut is_told).await {
                Ok(forgotten) => {
                    self.metrics.forgotten.inc_by(forgotten.frames);
                    if forgotten.frames > 0 {
                        tracing::debug!(frames = forgotten.frames, "removed the oldest results");
                    }
                    if forgotten.is_all { every } else { BETWEEN }
                }
                Err(error) => {
                    tracing::warn!(%error, "the oldest results cannot be removed now");
                    every
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn forget(&self, is_told: &mut bool) -> Result<Forgotten, DbError> {
        let now = Timestamp::now().as_micros() / 1000;
        let keep_ms = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        let old = self.database.forget_before(now.saturating_sub(keep_ms), AT_ONCE).await?;
        let Some(bytes) = self.bytes.filter(|_| old.is_all) else { return Ok(old) };
        let beyond = self.database.forget_beyond(bytes, AT_ONCE).await?;
        if beyond.frames > 0 && !std::mem::replace(is_told, true) {
            tracing::warn!(
                mib = bytes >> 20,
                frames = beyond.frames,
                "the database has reached MLVI_DATABASE_MIB: its oldest results go, from now on \
                 without a word (results_store_forgotten_frames counts them)"
            );
        }
        Ok(Forgotten { frames: old.frames + beyond.frames, is_all: beyond.is_all })
    }
}
