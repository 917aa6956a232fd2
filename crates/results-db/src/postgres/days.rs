//! Partitions: one for each day, in UTC.

use super::schema::lock;
use super::translated;
use crate::{DbError, Forgotten};
use frame::FrameId;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::Client;

const DAY_MS: u64 = 86_400_000;
/// The partitioned tables.
const TABLES: [&str; 3] = ["frames", "detections", "zones"];

/// The days whose partitions are known to be there, since the epoch.
#[derive(Default)]
pub(super) struct Days(Mutex<HashSet<u64>>);

impl Days {
    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the partitions for these frames, as far as they are not there.
    pub(super) async fn make(
        &self,
        client: &mut Client,
        ids: impl Iterator<Item = FrameId>,
    ) -> Result<(), DbError> {
        let mut missing: Vec<u64> = {
            let known = self.known();
            ids.filter_map(FrameId::made_at_ms)
                .map(|ms| ms / DAY_MS)
                .filter(|day| !known.contains(day))
                .collect()
        };
        missing.sort_unstable();
        missing.dedup();
        for day in missing {
            Self::make_day(client, day).await?;
            self.known().insert(day);
        }
        Ok(())
    }

    async fn make_day(client: &mut Client, day: u64) -> Result<(), DbError> {
        let failed = |error| translated(&error);
        let change = client.transaction().await.map_err(failed)?;
        lock(&change).await?;
        let name = day_name(&change, day).await?;
        let bounds = [day, day + 1].map(|day| FrameId::from_then_on(day * DAY_MS));
        for table in TABLES {
            let [from, to] = bounds;
            let statement = format!(
                "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} \
                 FOR VALUES FROM ('{from}') TO ('{to}')"
            );
            change.batch_execute(&statement).await.map_err(failed)?;
        }
        change.commit().await.map_err(failed)
    }

    /// Drops the days that end before this time, with their counts.
    pub(super) async fn forget_before(
        &self,
        client: &mut Client,
        ms: u64,
    ) -> Result<Forgotten, DbError> {
        let failed = |error| translated(&error);
        let first_kept = ms / DAY_MS;
        let change = client.transaction().await.map_err(failed)?;
        lock(&change).await?;
        let name = day_name(&change, first_kept).await?;
        let old = change
            .query(
                "SELECT substr(child.relname, 8) FROM pg_inherits \
                 JOIN pg_class child ON child.oid = inhrelid \
                 WHERE inhparent = 'mlvi.frames'::regclass \
                 AND child.relname >= 'frames_00000000' AND child.relname < 'frames_' || $1 \
                 ORDER BY 1",
                &[&name],
            )
            .await
            .map_err(failed)?;
        let mut frames = 0;
        for row in old {
            let day: String = row.get(0);
            let count = change.query_one(&format!("SELECT count(*) FROM frames_{day}"), &[]).await;
            frames += count.map_err(failed)?.get::<_, i64>(0) as u64;
            for table in TABLES {
                let statement = format!("DROP TABLE {table}_{day}");
                change.batch_execute(&statement).await.map_err(failed)?;
            }
        }
        let minute = (first_kept * (DAY_MS / 60_000)) as i64;
        change
            .execute("DELETE FROM minutes WHERE minute < $1", &[&minute])
            .await
            .map_err(failed)?;
        let bound = FrameId::from_then_on(first_kept * DAY_MS);
        change
            .execute("DELETE FROM thumbnails WHERE frame_id < $1", &[&super::write::uuid(bound)])
            .await
            .map_err(failed)?;
        change.commit().await.map_err(failed)?;
        self.known().retain(|day| *day >= first_kept);
        Ok(Forgotten { frames, is_all: true })
    }
}

/// `YYYYMMDD`
async fn day_name(
    client: &impl tokio_postgres::GenericClient,
    day: u64,
) -> Result<String, DbError> {
    let day = i32::try_from(day).unwrap_or(i32::MAX);
    let row = client
        .query_one("SELECT to_char(date '1970-01-01' + $1::int, 'YYYYMMDD')", &[&day])
        .await
        .map_err(|error| translated(&error))?;
    Ok(row.get(0))
}
