//! Storing and forgetting.

use crate::row::{Tally, measures, replacing};
use crate::{Batch, Forgotten, Stored};
use frame::{FrameId, FrameResult};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

pub(super) fn store(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<Stored> {
    let mut counted = batch.counted();
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut tally = Tally::default();
    for row in batch.rows() {
        if insert(&change, row)? {
            tally.add(row);
            counted.new += 1;
            continue;
        }
        let held = held(&change, row)?;
        let better = held.and_then(|held| Some((replacing(&held, row)?, held)));
        if let Some((better, held)) = better {
            replace(&change, &better)?;
            tally.take_away(&held);
            tally.add(&better);
            counted.replaced += 1;
        } else {
            counted.repeated += 1;
        }
    }
    count(&change, &tally)?;
    change.commit()?;
    Ok(counted)
}

/// Whether the frame was not there before.
fn insert(change: &Transaction<'_>, row: &FrameResult) -> rusqlite::Result<bool> {
    let added = change
        .prepare_cached(
            "INSERT INTO frames (frame_id, camera, final, destination, result) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute((
            row.frame_id.as_bytes(),
            row.camera.as_str(),
            row.status.is_final(),
            row.decision.as_ref().map(|decision| decision.destination.as_str()),
            json(row),
        ))?;
    if added == 1 {
        insert_detections(change, row)?;
    }
    Ok(added == 1)
}

fn insert_detections(change: &Transaction<'_>, row: &FrameResult) -> rusqlite::Result<()> {
    let mut insert = change.prepare_cached(
        "INSERT INTO detections \
         (frame_id, ordinal, camera, class, confidence, x, y, width, height) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (ordinal, detection) in (0u32..).zip(&row.detections) {
        let [confidence, x, y, width, height] = measures(detection);
        let (camera, class) = (row.camera.as_str(), &detection.class);
        let id = row.frame_id.as_bytes();
        insert.execute((id, ordinal, camera, class, confidence, x, y, width, height))?;
        for zone in detection.zones.iter().flatten() {
            change
                .prepare_cached(
                    "INSERT OR IGNORE INTO zones (frame_id, ordinal, zone) VALUES (?1, ?2, ?3)",
                )?
                .execute((id, ordinal, zone))?;
        }
    }
    Ok(())
}

/// The provisional answer that is there, if it is one.
fn held(change: &Transaction<'_>, row: &FrameResult) -> rusqlite::Result<Option<FrameResult>> {
    let text: Option<String> = change
        .prepare_cached("SELECT result FROM frames WHERE frame_id = ?1 AND final = 0")?
        .query_row([row.frame_id.as_bytes()], |held| held.get(0))
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn replace(change: &Transaction<'_>, row: &FrameResult) -> rusqlite::Result<()> {
    for table in ["frames", "detections", "zones"] {
        change
            .prepare_cached(&format!("DELETE FROM {table} WHERE frame_id = ?1"))?
            .execute([row.frame_id.as_bytes()])?;
    }
    insert(change, row).map(drop)
}

fn count(change: &Transaction<'_>, tally: &Tally) -> rusqlite::Result<()> {
    let mut add = change.prepare_cached(
        "INSERT INTO minutes (minute, camera, class, detections, frames) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
         detections = detections + excluded.detections, frames = frames + excluded.frames",
    )?;
    for more in tally.changes() {
        add.execute(more)?;
    }
    Ok(())
}

/// Removes the oldest frames from before that time, at most so many, that a writer is not kept
/// waiting long; and the counts of the minutes before it.
pub(super) fn forget(
    connection: &mut Connection,
    ms: u64,
    at_most: u32,
) -> rusqlite::Result<Forgotten> {
    let bound = FrameId::from_then_on(ms);
    let forgotten = forget_oldest(connection, bound, at_most)?;
    if forgotten.is_all {
        connection.execute("DELETE FROM thumbnails WHERE frame_id < ?1", [bound.as_bytes()])?;
        let minute = i64::try_from(ms / 60_000).unwrap_or(i64::MAX);
        connection.execute("DELETE FROM minutes WHERE minute < ?1", [minute])?;
    }
    Ok(forgotten)
}

/// Removes the oldest frames before that id, at most so many, and the counts of the minutes before
/// the last one of these.
pub(super) fn forget_oldest(
    connection: &mut Connection,
    before: FrameId,
    at_most: u32,
) -> rusqlite::Result<Forgotten> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: Option<[u8; 16]> = change.query_row(
        "SELECT max(frame_id) FROM \
             (SELECT frame_id FROM frames WHERE frame_id < ?1 ORDER BY frame_id LIMIT ?2)",
        (before.as_bytes(), at_most),
        |row| row.get(0),
    )?;
    let Some(last) = last else { return Ok(Forgotten { frames: 0, is_all: true }) };
    for table in ["detections", "zones", "thumbnails"] {
        change.execute(&format!("DELETE FROM {table} WHERE frame_id <= ?1"), [&last])?;
    }
    let frames = change.execute("DELETE FROM frames WHERE frame_id <= ?1", [&last])?;
    let ms = FrameId::from_bytes(last).made_at_ms().unwrap_or(0);
    change.execute("DELETE FROM minutes WHERE minute < ?1", [(ms / 60_000) as i64])?;
    change.commit()?;
    Ok(Forgotten { frames: frames as u64, is_all: frames < at_most as usize })
}

fn json(row: &FrameResult) -> String {
    serde_json::to_string(row).expect("a result has text keys only, so it is always JSON")
}
