//! One database, whichever it is.

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{
    Batch, Bucket, Count, DatabaseUrl, DbError, Filter, Page, Pictured, Sighting, Stored, Thumbnail,
};
use frame::FrameId;
use std::collections::HashSet;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Storing: makes the tables, and brings older ones up to date.
    Write,
    /// Reading alone, with a user that may do no more.
    Read,
    /// The same, however long a question takes.
    Export,
}

/// What was removed because it is too old, or because the rest needs its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forgotten {
    /// How many frames.
    pub frames: u64,
    /// Whether nothing more is to be removed.
    pub is_all: bool,
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Database(Kind);

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.0 {
            Kind::Sqlite(_) => "SQLite",
            Kind::Postgres(_) => "PostgreSQL",
        };
        f.debug_tuple("Database").field(&kind).finish()
    }
}

#[derive(Clone)]
enum Kind {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens it.
    ///
    /// # Errors
    /// When it is away, belongs to another program, or a newer one of ours; without [`Access::Write`]
    /// also when there is nothing yet.
    pub async fn open(url: &DatabaseUrl, access: Access) -> Result<Self, DbError> {
        Ok(Self(match url {
            DatabaseUrl::Sqlite(path) => Kind::Sqlite(Sqlite::open(path.clone(), access).await?),
            DatabaseUrl::Postgres { url, ca_file, password_file } => {
                let (ca, password) = (ca_file.as_deref(), password_file.as_deref());
                Kind::Postgres(Postgres::open(url, ca, password, access).await?)
            }
        }))
    }

    /// Stores these results, all or none: each frame once, also when they were stored before. A provisional answer is replaced by the
    /// final one; everything else that is there stays.
    ///
    /// # Errors
    /// When nothing was stored.
    pub async fn store(&self, batch: &Batch) -> Result<Stored, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.store(batch.clone()).await,
            Kind::Postgres(postgres) => postgres.store(batch).await,
        }
    }

    /// Removes what is from before that time, in milliseconds since the epoch: in SQLite at most so
    /// many frames at once, in PostgreSQL whole days that end before it.
    ///
    /// # Errors
    /// When nothing was removed.
    pub async fn forget_before(&self, ms: u64, at_most: u32) -> Result<Forgotten, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.forget_before(ms, at_most).await,
            Kind::Postgres(postgres) => postgres.forget_before(ms).await,
        }
    }

    /// Removes the oldest frames, at most so many at once, while SQLite's file is fuller than so
    /// many bytes, and gives back to the disk what the file has beyond them. A PostgreSQL server
    /// has no such bound: nothing is removed.
    ///
    /// # Errors
    /// When nothing was removed.
    pub async fn forget_beyond(&self, bytes: u64, at_most: u32) -> Result<Forgotten, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.forget_beyond(bytes, at_most).await,
            Kind::Postgres(_) => Ok(Forgotten { frames: 0, is_all: true }),
        }
    }

    /// How many bytes the database takes on its disk, indexes included.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn bytes(&self) -> Result<u64, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.bytes().await,
            Kind::Postgres(postgres) => postgres.bytes().await,
        }
    }

    /// The frames that match with their results as JSON, the newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn history(
        &self,
        filter: Filter,
        page: Page,
    ) -> Result<Vec<(FrameId, String)>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.history(filter, page).await,
            Kind::Postgres(postgres) => postgres.history(&filter, page).await,
        }
    }

    /// The oldest frame of that time and camera; the rest of the filter does not count.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn oldest(&self, filter: Filter) -> Result<Option<FrameId>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.oldest(filter).await,
            Kind::Postgres(postgres) => postgres.oldest(&filter).await,
        }
    }

    /// How often each class was seen by each camera, by spans of time, the newest first: of the
    /// filter camera, class and time count, the time by whole minutes.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn counts(
        &self,
        filter: Filter,
        by: Bucket,
        at_most: u32,
    ) -> Result<Vec<Count>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.counts(filter, by, at_most).await,
            Kind::Postgres(postgres) => postgres.counts(&filter, by, at_most).await,
        }
    }

    /// The classes in the frames that match, the newest first. A page may end within a frame: its last frame's sightings are whole only on a page
    /// that is not full.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn sightings(&self, filter: Filter, page: Page) -> Result<Vec<Sighting>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.sightings(filter, page).await,
            Kind::Postgres(postgres) => postgres.sightings(&filter, page).await,
        }
    }

    /// Stores pictures of frames, each once. When all together take more than `budget` bytes, the
    /// oldest go.
    ///
    /// # Errors
    /// When nothing was stored.
    pub async fn keep_thumbnails(
        &self,
        pictures: Vec<Thumbnail>,
        budget: u64,
    ) -> Result<Pictured, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.keep_thumbnails(pictures, budget).await,
            Kind::Postgres(postgres) => postgres.keep_thumbnails(&pictures, budget).await,
        }
    }

    /// A frame's picture, if there is one.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn thumbnail(&self, id: FrameId) -> Result<Option<Thumbnail>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.thumbnail(id).await,
            Kind::Postgres(postgres) => postgres.thumbnail(id).await,
        }
    }

    /// Which of these frames have a picture.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn pictured(&self, ids: Vec<FrameId>) -> Result<HashSet<FrameId>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.pictured(ids).await,
            Kind::Postgres(postgres) => postgres.pictured(&ids).await,
        }
    }

    /// The frames that have a picture, the newest first; of the filter camera and time count.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn thumbnails(&self, filter: Filter, page: Page) -> Result<Vec<FrameId>, DbError> {
        match &self.0 {
            Kind::Sqlite(sqlite) => sqlite.thumbnails(filter, page).await,
            Kind::Postgres(postgres) => postgres.thumbnails(&filter, page).await,
        }
    }
}
