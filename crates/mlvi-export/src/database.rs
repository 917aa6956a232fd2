//! Results out of a database, a page at a time.

use anyhow::Context;
use frame::{FrameId, FrameResult};
use results_db::{Access, Database, DatabaseUrl, DbError, Filter, Page};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How many frames are read at a time.
const PAGE: u32 = 1_000;
/// How often a database that is away is asked again, and after which first and longest pause.
const TRIES: u32 = 5;
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// A database that is read from its newest frame on.
pub(crate) struct FromDatabase {
    runtime: Runtime,
    database: Database,
    filter: Filter,
    after: Option<FrameId>,
    is_at_end: bool,
}

impl FromDatabase {
    pub(crate) fn open(url: &DatabaseUrl, filter: Filter) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the async runtime")?;
        let database = runtime
            .block_on(Database::open(url, Access::Export))
            .with_context(|| format!("--database {url}"))?;
        Ok(Self { runtime, database, filter, after: None, is_at_end: false })
    }

    /// When the oldest frame was received that may match, in milliseconds since the epoch.
    pub(crate) fn oldest_ms(&self) -> anyhow::Result<Option<u64>> {
        let oldest = self.runtime.block_on(self.database.oldest(self.filter.clone()))?;
        Ok(oldest.and_then(FrameId::made_at_ms))
    }

    /// The next page; empty at the end.
    pub(crate) fn page(&mut self) -> anyhow::Result<Vec<FrameResult>> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let page = Page { limit: PAGE, after: self.after };
        let rows = self.rows(page)?;
        self.is_at_end = rows.len() < PAGE as usize;
        self.after = rows.last().map(|(id, _)| *id);
        let read = |(id, json): (FrameId, String)| {
            serde_json::from_str(&json).with_context(|| format!("the result of frame {id}"))
        };
        rows.into_iter().map(read).collect()
    }

    /// What is written so far is not lost to a database that restarts.
    fn rows(&self, page: Page) -> Result<Vec<(FrameId, String)>, DbError> {
        let [mut pause, longest] = PAUSES;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.runtime.block_on(self.database.history(self.filter.clone(), page)) {
                Err(DbError::Away { .. }) if tries < TRIES => std::thread::sleep(pause),
                answer => return answer,
            }
            pause = (pause * 2).min(longest);
        }
    }
}
