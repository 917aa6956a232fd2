//! The database: opened when it can be, and stored to until it takes what there is.

use crate::metrics::{Metrics, Outcome};
use backoff::Backoff;
use results_db::{Access, Batch, Database, DatabaseUrl, DbError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use unit::Condition;

/// The first and the longest pause between two tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Stores batches.
pub(crate) struct Keeper {
    pub(crate) url: DatabaseUrl,
    pub(crate) metrics: Metrics,
    /// Holds while the database takes results.
    pub(crate) condition: Condition,
    database: Option<Database>,
    was_away: bool,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Kept {
    /// It is stored.
    Stored,
    /// It is stored but for these, by their place in the batch, which the database refused.
    But(Vec<(usize, DbError)>),
}

impl Keeper {
    pub(crate) const fn new(url: DatabaseUrl, metrics: Metrics, condition: Condition) -> Self {
        Self { url, metrics, condition, database: None, was_away: false }
    }

    /// Opens the database, as soon as it can be; `None` at shutdown.
    ///
    /// # Errors
    /// When waiting does not help.
    pub(crate) async fn open(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<Database>, DbError> {
        let [first, longest] = PAUSES;
        let mut backoff = Backoff::new(first, longest);
        loop {
            match self.try_open().await {
                Ok(database) => return Ok(Some(database)),
                Err(error) if error.is_transient() => self.is_away(&error),
                Err(error) => return Err(error),
            }
            let pause = tokio::time::sleep(backoff.next_delay());
            if stop.run_until_cancelled(pause).await.is_none() {
                return Ok(None);
            }
        }
    }

    async fn try_open(&mut self) -> Result<Database, DbError> {
        if let Some(database) = &self.database {
            return Ok(database.clone());
        }
        let database = Database::open(&self.url, Access::Write).await?;
        tracing::info!(database = %self.url, "results are kept here");
        self.is_back();
        self.database = Some(database.clone());
        Ok(database)
    }

    /// Stores a batch, however long that takes; `None`: told to give up before it was.
    ///
    /// # Errors
    /// When waiting does not help.
    pub(crate) async fn keep(
        &mut self,
        batch: &Batch,
        give_up: &CancellationToken,
    ) -> Result<Option<Kept>, DbError> {
        let [first, longest] = PAUSES;
        let mut backoff = Backoff::new(first, longest);
        loop {
            let attempt = Box::pin(async {
                let database = self.try_open().await?;
                self.store(&database, batch).await
            });
            // a database that does not answer holds nobody up who gives up
            let Some(outcome) = give_up.run_until_cancelled(attempt).await else {
                return Ok(None);
            };
            match outcome {
                Ok(kept) => {
                    self.is_back();
                    return Ok(Some(kept));
                }
                Err(error) if error.is_transient() => {
                    self.metrics.failures.inc();
                    self.is_away(&error);
                }
                Err(error) => return Err(error),
            }
            let pause = tokio::time::sleep(backoff.next_delay());
            if give_up.run_until_cancelled(pause).await.is_none() {
                return Ok(None);
            }
        }
    }

    async fn store(&self, database: &Database, batch: &Batch) -> Result<Kept, DbError> {
        let started = Instant::now();
        match database.store(batch).await {
            Ok(stored) => {
                self.metrics.stored(stored, started.elapsed());
                Ok(Kept::Stored)
            }
            Err(DbError::Refused { .. }) => self.store_apart(database, batch).await,
            Err(error) => Err(error),
        }
    }

    /// One by one, so that one that is refused keeps no other from being stored.
    async fn store_apart(&self, database: &Database, batch: &Batch) -> Result<Kept, DbError> {
        let mut refused = Vec::new();
        for (place, one) in batch.apart().enumerate() {
            let started = Instant::now();
            match database.store(&one).await {
                Ok(stored) => self.metrics.stored(stored, started.elapsed()),
                Err(error @ DbError::Refused { .. }) => refused.push((place, error)),
                Err(error) => return Err(error),
            }
        }
        self.metrics.count(Outcome::Refused, refused.len() as u64);
        Ok(Kept::But(refused))
    }

    fn is_away(&mut self, error: &DbError) {
        self.metrics.database_up.set(0);
        self.condition.not_ready(error.to_string());
        if !self.was_away {
            tracing::warn!(database = %self.url, %error, "results wait on the topic");
        }
        self.was_away = true;
    }

    fn is_back(&mut self) {
        self.metrics.database_up.set(1);
        self.condition.ready();
        if self.was_away {
            tracing::info!(database = %self.url, "the database takes results again");
        }
        self.was_away = false;
    }
}
