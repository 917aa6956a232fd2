//! Committed offsets: a map in memory over an append-only file that is rewritten when it has grown.

mod entry;
mod store;

pub(crate) use store::{Committed, OffsetStore};
