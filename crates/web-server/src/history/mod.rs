//! Results of the past, out of the database that `results-store` fills.

mod cursor;
mod question;

pub(crate) use question::{Counting, Looking, Paging};

use crate::problem::RequestError;
use results_db::{Access, Database, DatabaseUrl, DbError};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

/// How many questions are with the database at a time; a further one is refused.
const MAX_QUESTIONS: usize = 8;

/// The way to the database, opened when it is first asked.
#[derive(Debug)]
pub(crate) struct History {
    url: Option<DatabaseUrl>,
    open: Mutex<Option<Database>>,
    questions: Semaphore,
}

/// The database, for one question.
pub(crate) struct Asking<'a> {
    pub(crate) database: Database,
    _place: SemaphorePermit<'a>,
}

impl History {
    pub(crate) fn new(url: Option<DatabaseUrl>) -> Self {
        Self { url, open: Mutex::default(), questions: Semaphore::new(MAX_QUESTIONS) }
    }

    /// For one question.
    pub(crate) async fn ask(&self) -> Result<Asking<'_>, RequestError> {
        let url = self.url.as_ref().ok_or(RequestError::NoHistory)?;
        let place = self
            .questions
            .try_acquire()
            .map_err(|_| RequestError::TooManyQuestions(MAX_QUESTIONS))?;
        let mut open = self.open.lock().await;
        let database = match &*open {
            Some(database) => database.clone(),
            None => open.insert(Database::open(url, Access::Read).await?).clone(),
        };
        Ok(Asking { database, _place: place })
    }
}

impl From<DbError> for RequestError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Away { .. }
            | DbError::Full { .. }
            | DbError::Empty { .. }
            | DbError::TooSlow => Self::HistoryAway(error.to_string()),
            DbError::Foreign { .. } | DbError::Newer { .. } | DbError::Refused { .. } => {
                tracing::error!(%error, "the history cannot be read");
                Self::Internal(error.to_string())
            }
        }
    }
}
