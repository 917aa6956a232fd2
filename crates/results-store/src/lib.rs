//! Results from the bus into a database: each frame once, in batches, nothing lost.
//!
//! Offsets are committed after the database's own commit, so a crash stores a batch again, which
//! changes nothing ([`results_db::Database::store`]). While the database is away, what was taken
//! waits here, and all else on the topic, within its retention; what retention removes before it
//! was stored is counted and logged. Several replicas share the topic's partitions.
//!
//! With `MLVI_THUMBNAILS_MIB`, small pictures of the frames in which events begin or are seen surest
//! are stored, too, without what is masked: see `thumbnails`. Results never wait for them.
//!
//! Without `MLVI_DATABASE_URL` there is nothing to do: the unit takes nothing, and is ready.

mod about;
mod config;
mod consume;
mod gaps;
mod highlights;
mod keep;
mod masks;
mod metrics;
mod picture;
mod retention;
mod run;
#[cfg(test)]
mod samples;
mod thumbnails;
mod wishes;

pub use about::{ABOUT, config};
pub use config::Config;
pub use run::run;
