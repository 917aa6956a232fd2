//! Results of the past, out of the database that `results-store` fills.

mod cursor;
mod question;

pub(crate) use cursor::place;
pub(crate) use question::{Counting, Form, Looking, Paging, Pictured};

use crate::problem::RequestError;
use results_db::{Access, Database, DatabaseUrl, DbError};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

/// How many questions are with the database at a time; a further one is refused.
const MAX_QUESTIONS: usize = 8;

/// How long a question that is answered at once waits for its turn.
const TURN: Duration = Duration::from_secs(5);

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
        let url = self.url()?;
        let place = self.questions.try_acquire();
        let place = place.map_err(|_| RequestError::TooManyQuestions(MAX_QUESTIONS))?;
        self.opened(url, place).await
    }

    /// For one that is answered at once, of which a page asks many: it waits for its turn.
    pub(crate) async fn ask_in_turn(&self) -> Result<Asking<'_>, RequestError> {
        let url = self.url()?;
        let place = tokio::time::timeout(TURN, self.questions.acquire()).await.ok();
        let place = place.and_then(Result::ok);
        let place = place.ok_or(RequestError::TooManyQuestions(MAX_QUESTIONS))?;
        self.opened(url, place).await
    }

    fn url(&self) -> Result<&DatabaseUrl, RequestError> {
        self.url.as_ref().ok_or(RequestError::NoHistory)
    }

    async fn opened<'a>(
        &'a self,
        url: &DatabaseUrl,
        place: SemaphorePermit<'a>,
    ) -> Result<Asking<'a>, RequestError> {
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
            DbError::Away { .. } | DbError::Full { .. } | DbError::Empty { .. } => {
                Self::HistoryAway(error.to_string())
            }
            // until this program is replaced by the newer one, too
            DbError::Newer { .. } => {
                tracing::error!(%error, "the history cannot be read");
                Self::HistoryAway(error.to_string())
            }
            DbError::TooSlow => Self::HistorySlow,
            DbError::Foreign { .. } | DbError::Refused { .. } => {
                tracing::error!(%error, "the history cannot be read");
                Self::Internal(error.to_string())
            }
        }
    }
}
