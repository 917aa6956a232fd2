//! Small pictures of frames.

use super::read::{answer, id};
use crate::ask::{Ask, Parameters};
use crate::thumbnail::{REMOVE_OLDEST, SINCE_VERSION};
use crate::{Filter, Page, Pictured, Thumbnail};
use frame::{CameraId, FrameId};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::collections::HashSet;

pub(super) fn keep(
    connection: &mut Connection,
    pictures: &[Thumbnail],
    budget: u64,
) -> rusqlite::Result<Pictured> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut kept = Pictured::default();
    for Thumbnail { frame_id, camera, jpeg } in pictures {
        kept.new += change
            .prepare_cached(
                "INSERT INTO thumbnails (frame_id, camera, size, jpeg) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO NOTHING",
            )?
            .execute((frame_id.as_bytes(), camera.as_str(), jpeg.len() as i64, jpeg))?
            as u64;
    }
    kept.bytes = bytes(&change)?;
    if kept.bytes > budget {
        kept.removed = change.execute(REMOVE_OLDEST, [(kept.bytes - budget) as i64])? as u64;
        kept.bytes = bytes(&change)?;
    }
    change.commit()?;
    Ok(kept)
}

fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(sum(size), 0) FROM thumbnails")?
        .query_row((), |row| row.get::<_, i64>(0))
        .map(|bytes| u64::try_from(bytes).unwrap_or(0))
}

/// Whether the writer has made their table yet.
fn are_there(connection: &Connection) -> rusqlite::Result<bool> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= SINCE_VERSION)
}

pub(super) fn one(connection: &Connection, of: FrameId) -> rusqlite::Result<Option<Thumbnail>> {
    if !are_there(connection)? {
        return Ok(None);
    }
    let found: Option<(String, Vec<u8>)> = connection
        .prepare_cached("SELECT camera, jpeg FROM thumbnails WHERE frame_id = ?1")?
        .query_row([of.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.and_then(|(camera, jpeg)| {
        Some(Thumbnail { frame_id: of, camera: camera.parse::<CameraId>().ok()?, jpeg })
    }))
}

pub(super) fn of(connection: &Connection, ids: Vec<FrameId>) -> rusqlite::Result<HashSet<FrameId>> {
    if !are_there(connection)? {
        return Ok(HashSet::new());
    }
    let mut is_there = connection.prepare_cached("SELECT 1 FROM thumbnails WHERE frame_id = ?1")?;
    let mut found = HashSet::new();
    for id in ids {
        if is_there.exists([id.as_bytes()])? {
            found.insert(id);
        }
    }
    Ok(found)
}

pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    page: Page,
) -> rusqlite::Result<Vec<FrameId>> {
    if !are_there(connection)? {
        return Ok(Vec::new());
    }
    answer(connection, &Ask::thumbnails(Parameters::Question, filter, page), id)
}
