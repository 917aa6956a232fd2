//! Results in a database, PostgreSQL or SQLite: each frame once, whatever comes again.
//!
//! A frame's id is a UUIDv7, so ids sort by time: they are the key of the tables, the cursor of a
//! page, and what PostgreSQL's partitions by day are bounded by. Whoever asks [`Database`] for
//! something waits on no disk: SQLite has threads of its own.
//!
//! Both databases give the same answers; `tests/databases` holds them to that.

mod address;
mod ask;
mod database;
mod error;
mod filter;
mod postgres;
mod row;
mod sqlite;
mod thumbnail;

pub use address::{DatabaseUrl, InvalidDatabaseUrl, database_from_settings};
pub use database::{Access, Database, Forgotten};
pub use error::DbError;
pub use filter::{Bucket, Count, Filter, Page, Sighting};
pub use row::{Batch, Stored};
pub use thumbnail::{Pictured, Thumbnail};

/// How long a reader's question may take.
pub const READ_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The version of the tables that this program writes and reads.
pub const SCHEMA_VERSION: u32 = sqlite::VERSION;
