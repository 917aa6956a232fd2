//! A file of SQLite's: for one machine.

mod read;
mod room;
mod schema;
mod thumbnails;
mod write;

pub(crate) use schema::VERSION;

use crate::{
    Access, Batch, Bucket, Count, DbError, Filter, Forgotten, Page, Pictured, READ_LIMIT, Sighting,
    Stored, Thumbnail,
};
use frame::FrameId;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a statement waits for another process's lock on the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// After so many of SQLite's instructions it is looked whether the time is over: some hundred times
/// in a second.
const INSTRUCTIONS: i32 = 100_000;

/// How much of the write-ahead log stays on the disk while nothing is in it.
const WAL_BYTES: u32 = 16 << 20;

/// Whether somebody waits for an answer: until this is dropped.
struct Wanted(Arc<AtomicBool>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// An open file. Cheap to clone; statements of clones come one after the other.
#[derive(Clone)]
pub(crate) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    /// How long a question may take, with its wait for those before it; the statements of a writer
    /// or an export take as long as they do.
    limit: Option<Duration>,
}

impl Sqlite {
    pub(crate) async fn open(path: PathBuf, access: Access) -> Result<Self, DbError> {
        blocking(move || {
            let (connection, limit) = match access {
                Access::Write => (open_to_write(&path)?, None),
                Access::Read => (open_to_read(&path)?, Some(READ_LIMIT)),
                Access::Export => (open_to_read(&path)?, None),
            };
            Ok(Self { connection: Arc::new(Mutex::new(connection)), limit })
        })
        .await
    }

    /// Statements on a thread that may wait for the disk. A question that nobody waits for any more
    /// is ended.
    async fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DbError> {
        let (limit, asked) = (self.limit, Instant::now());
        // whoever waits for its turn takes no thread
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let wanted = Wanted::default();
        let is_wanted = Arc::clone(&wanted.0);
        let answer = blocking(move || {
            let Some(limit) = limit else { return job(&mut connection).map_err(translated) };
            let over = move || asked.elapsed() >= limit || !is_wanted.load(Ordering::Relaxed);
            if over() {
                return Err(DbError::TooSlow);
            }
            connection.progress_handler(INSTRUCTIONS, Some(over)).map_err(translated)?;
            let answer = job(&mut connection);
            connection.progress_handler(0, None::<fn() -> bool>).map_err(translated)?;
            answer.map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::OperationInterrupted) => DbError::TooSlow,
                _ => translated(error),
            })
        })
        .await;
        drop(wanted);
        answer
    }

    pub(crate) async fn store(&self, batch: Batch) -> Result<Stored, DbError> {
        self.with(move |connection| write::store(connection, &batch)).await
    }

    pub(crate) async fn forget_before(&self, ms: u64, at_most: u32) -> Result<Forgotten, DbError> {
        self.with(move |connection| write::forget(connection, ms, at_most)).await
    }

    pub(crate) async fn forget_beyond(
        &self,
        bytes: u64,
        at_most: u32,
    ) -> Result<Forgotten, DbError> {
        self.with(move |connection| room::forget_beyond(connection, bytes, at_most)).await
    }

    pub(crate) async fn bytes(&self) -> Result<u64, DbError> {
        self.with(|connection| Ok(room::Room::of(connection)?.file())).await
    }

    pub(crate) async fn history(
        &self,
        filter: Filter,
        page: Page,
    ) -> Result<Vec<(FrameId, String)>, DbError> {
        self.with(move |connection| read::history(connection, &filter, page)).await
    }

    pub(crate) async fn oldest(&self, filter: Filter) -> Result<Option<FrameId>, DbError> {
        self.with(move |connection| read::oldest(connection, &filter)).await
    }

    pub(crate) async fn counts(
        &self,
        filter: Filter,
        by: Bucket,
        at_most: u32,
    ) -> Result<Vec<Count>, DbError> {
        self.with(move |connection| read::counts(connection, &filter, by, at_most)).await
    }

    pub(crate) async fn sightings(
        &self,
        filter: Filter,
        page: Page,
    ) -> Result<Vec<Sighting>, DbError> {
        self.with(move |connection| read::sightings(connection, &filter, page)).await
    }

    pub(crate) async fn keep_thumbnails(
        &self,
        pictures: Vec<Thumbnail>,
        budget: u64,
    ) -> Result<Pictured, DbError> {
        self.with(move |connection| thumbnails::keep(connection, &pictures, budget)).await
    }

    pub(crate) async fn thumbnail(&self, id: FrameId) -> Result<Option<Thumbnail>, DbError> {
        self.with(move |connection| thumbnails::one(connection, id)).await
    }

    pub(crate) async fn pictured(&self, ids: Vec<FrameId>) -> Result<HashSet<FrameId>, DbError> {
        self.with(move |connection| thumbnails::of(connection, ids)).await
    }

    pub(crate) async fn thumbnails(
        &self,
        filter: Filter,
        page: Page,
    ) -> Result<Vec<FrameId>, DbError> {
        self.with(move |connection| thumbnails::list(connection, &filter, page)).await
    }
}

async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    tokio::task::spawn_blocking(job)
        .await
        .unwrap_or_else(|error| Err(DbError::Refused { reason: error.to_string() }))
}

fn open_to_write(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(translated)?;
    connection.busy_timeout(LOCK_PATIENCE).map_err(translated)?;
    // looked at before anything of the file is changed
    schema::migrate(&mut connection, path)?;
    // readers do not wait for the writer; what is committed is on the disk
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")] {
        connection.pragma_update(None, name, value).map_err(translated)?;
    }
    // the log is as long as the longest transaction since it was last cut to this
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES).map_err(translated)?;
    Ok(connection)
}

fn open_to_read(path: &Path) -> Result<Connection, DbError> {
    if !path.exists() {
        return Err(DbError::Empty { place: path.display().to_string() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(translated)?;
    connection.busy_timeout(LOCK_PATIENCE).map_err(translated)?;
    schema::check(&connection, path)?;
    Ok(connection)
}

/// What SQLite says, by what helps.
fn translated(error: rusqlite::Error) -> DbError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => {
            DbError::Full { reason }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen) => {
            DbError::Away { reason }
        }
        Some(ErrorCode::NotADatabase) => DbError::Foreign { place: "the file".into() },
        _ => DbError::Refused { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{CameraId, Detection, FrameResult, Status};

    #[tokio::test]
    async fn a_question_that_takes_too_long_is_ended_and_the_next_one_is_answered() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("results.sqlite");
        drop(Sqlite::open(path.clone(), Access::Write).await.unwrap());
        let mut reader = Sqlite::open(path, Access::Read).await.unwrap();
        assert_eq!(reader.limit, Some(READ_LIMIT));
        reader.limit = Some(Duration::from_millis(50));
        let count = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) \
                     SELECT count(*) FROM numbers";
        let endless = |connection: &mut Connection| {
            connection.query_row(count, (), |row| row.get::<_, i64>(0))
        };
        let error = reader.with(endless).await.unwrap_err();
        assert_eq!(error, DbError::TooSlow);
        reader.limit = Some(READ_LIMIT);
        let all = Page { limit: 1, after: None };
        assert_eq!(reader.history(Filter::default(), all).await, Ok(Vec::new()));
        // the same for one that nobody waits for any more: the next one has its turn before its limit
        reader.limit = Some(Duration::from_secs(3_600));
        let asked = tokio::time::timeout(Duration::from_millis(50), reader.with(endless)).await;
        assert!(asked.is_err(), "it is endless");
        assert_eq!(reader.history(Filter::default(), all).await, Ok(Vec::new()));
        // one that has waited for others until then is not begun
        reader.limit = Some(Duration::ZERO);
        let error = reader.history(Filter::default(), all).await.unwrap_err();
        assert_eq!(error, DbError::TooSlow);
    }

    fn frame(text: usize) -> FrameResult {
        let id = FrameId::fresh();
        let mut result = FrameResult::new(id, CameraId::unnamed(), 1, Status::Done);
        let bounding_box = frame::BoundingBox { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let class = "x".repeat(text);
        let found = Detection { class, class_id: 0, confidence: 0.5, bounding_box, zones: None };
        result.detections = vec![found];
        result
    }

    /// A quota of pages stands for a disk that is full.
    #[tokio::test]
    async fn a_full_disk_is_told_and_nothing_of_a_batch_is_stored_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.sqlite");
        let sqlite = Sqlite::open(path.clone(), Access::Write).await.unwrap();
        let quota = |pages: u32| {
            sqlite.with(move |connection| {
                connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            })
        };
        quota(64).await.unwrap();
        let first = frame(10);
        sqlite.store(Batch::of([first.clone()])).await.unwrap();
        let large = Batch::of((0..20).map(|_| frame(50_000)));
        let error = sqlite.store(large.clone()).await.unwrap_err();
        assert!(matches!(error, DbError::Full { .. }) && error.is_transient(), "{error}");
        assert!(error.to_string().contains("full"), "{error}");
        // who reads is not harmed
        let reader = Sqlite::open(path, Access::Read).await.unwrap();
        let page = Page { limit: 100, after: None };
        let held = reader.history(Filter::default(), page).await.unwrap();
        assert_eq!(held.iter().map(|row| row.0).collect::<Vec<_>>(), [first.frame_id]);
        quota(1_000_000).await.unwrap();
        assert_eq!(sqlite.store(large).await.unwrap().new, 20);
        assert_eq!(reader.history(Filter::default(), page).await.unwrap().len(), 21);
    }
}
