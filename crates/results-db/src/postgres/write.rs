//! Storing: a few statements for a whole batch.

use super::days::Days;
use super::translated;
use crate::row::{Tally, measures, replacing};
use crate::{Batch, DbError, Stored};
use frame::{FrameId, FrameResult};
use std::collections::{HashMap, HashSet};
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

type Outcome<T> = Result<T, tokio_postgres::Error>;

pub(super) async fn store(
    client: &mut Client,
    days: &Days,
    batch: &Batch,
) -> Result<Stored, DbError> {
    let mut counted = batch.counted();
    let rows = batch.rows();
    if rows.is_empty() {
        return Ok(counted);
    }
    days.make(client, rows.iter().map(|row| row.frame_id)).await?;
    let stored = store_rows(client, rows).await.map_err(|error| translated(&error))?;
    counted += stored;
    Ok(counted)
}

async fn store_rows(client: &mut Client, rows: &[FrameResult]) -> Outcome<Stored> {
    let change = client.transaction().await?;
    let new = insert(&change, rows).await?;
    let (mut tally, mut detected) = (Tally::default(), Vec::with_capacity(rows.len()));
    for row in rows.iter().filter(|row| new.contains(&row.frame_id)) {
        tally.add(row);
        detected.push(row);
    }
    let others: HashMap<FrameId, &FrameResult> = rows
        .iter()
        .filter(|row| !new.contains(&row.frame_id))
        .map(|row| (row.frame_id, row))
        .collect();
    let mut replaced = Vec::new();
    for held in held(&change, &others).await? {
        if let Some(better) = replacing(&held, others[&held.frame_id]) {
            tally.take_away(&held);
            tally.add(&better);
            replaced.push(better);
        }
    }
    replace(&change, &replaced).await?;
    detected.extend(&replaced);
    insert_detections(&change, &detected).await?;
    insert_zones(&change, &detected).await?;
    count(&change, &tally).await?;
    change.commit().await?;
    let (all, new, replaced) = (rows.len() as u64, new.len() as u64, replaced.len() as u64);
    Ok(Stored { new, replaced, repeated: all - new - replaced, foreign: 0 })
}

/// Columns of frames, each as an array.
struct Frames<'a> {
    ids: Vec<Uuid>,
    received: Vec<f64>,
    cameras: Vec<&'a str>,
    are_final: Vec<bool>,
    destinations: Vec<Option<&'a str>>,
    results: Vec<String>,
}

impl<'a> Frames<'a> {
    fn of(rows: &'a [FrameResult]) -> Self {
        let destination =
            |row: &'a FrameResult| row.decision.as_ref().map(|by| by.destination.as_str());
        let seconds = |row: &FrameResult| row.frame_id.made_at_ms().unwrap_or(0) as f64 / 1000.0;
        Self {
            ids: rows.iter().map(|row| uuid(row.frame_id)).collect(),
            received: rows.iter().map(seconds).collect(),
            cameras: rows.iter().map(|row| row.camera.as_str()).collect(),
            are_final: rows.iter().map(|row| row.status.is_final()).collect(),
            destinations: rows.iter().map(destination).collect(),
            results: rows
                .iter()
                .map(|row| String::from_utf8(row.to_json()).expect("JSON is text"))
                .collect(),
        }
    }
}

/// The ids that were not there before.
async fn insert(change: &Transaction<'_>, rows: &[FrameResult]) -> Outcome<HashSet<FrameId>> {
    let columns = Frames::of(rows);
    let inserted = change
        .query(
            "INSERT INTO frames (frame_id, received_at, camera, final, destination, result) \
             SELECT id, to_timestamp(received), camera, final, destination, result::json \
             FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::bool[], $5::text[], $6::text[]) \
             AS rows (id, received, camera, final, destination, result) \
             ON CONFLICT (frame_id) DO NOTHING RETURNING frame_id",
            &[
                &columns.ids,
                &columns.received,
                &columns.cameras,
                &columns.are_final,
                &columns.destinations,
                &columns.results,
            ],
        )
        .await?;
    Ok(inserted.iter().map(|row| id(row.get(0))).collect())
}

/// The provisional answers that are there for these frames.
async fn held(
    change: &Transaction<'_>,
    of: &HashMap<FrameId, &FrameResult>,
) -> Outcome<Vec<FrameResult>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<Uuid> = of.keys().copied().map(uuid).collect();
    ids.sort_unstable();
    let rows = change
        .query(
            "SELECT result::text FROM frames WHERE frame_id = ANY($1) AND NOT final \
             ORDER BY frame_id FOR UPDATE",
            &[&ids],
        )
        .await?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(row.get(0)).ok()).collect())
}

async fn replace(change: &Transaction<'_>, rows: &[FrameResult]) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let Frames { ids, cameras, destinations, results, .. } = Frames::of(rows);
    change
        .execute(
            "UPDATE frames SET final = true, camera = rows.camera, \
             destination = rows.destination, result = rows.result::json \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) \
             AS rows (id, camera, destination, result) WHERE frame_id = rows.id",
            &[&ids, &cameras, &destinations, &results],
        )
        .await?;
    change.execute("DELETE FROM zones WHERE frame_id = ANY($1)", &[&ids]).await?;
    change.execute("DELETE FROM detections WHERE frame_id = ANY($1)", &[&ids]).await.map(drop)
}

async fn insert_detections(change: &Transaction<'_>, rows: &[&FrameResult]) -> Outcome<()> {
    let (mut ids, mut ordinals) = (Vec::<Uuid>::new(), Vec::<i32>::new());
    let (mut cameras, mut classes) = (Vec::<&str>::new(), Vec::<String>::new());
    let mut numbers: [Vec<f32>; 5] = Default::default();
    for row in rows {
        for (ordinal, detection) in (0..).zip(&row.detections) {
            ids.push(uuid(row.frame_id));
            ordinals.push(ordinal);
            cameras.push(row.camera.as_str());
            // the one character that PostgreSQL's text cannot hold
            classes.push(detection.class.replace('\0', "\u{fffd}"));
            for (column, number) in numbers.iter_mut().zip(measures(detection)) {
                column.push(number);
            }
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let [confidence, x, y, width, height] = &numbers;
    change
        .execute(
            "INSERT INTO detections \
             (frame_id, ordinal, camera, class, confidence, x, y, width, height) \
             SELECT * FROM unnest($1::uuid[], $2::int4[], $3::text[], $4::text[], \
             $5::float4[], $6::float4[], $7::float4[], $8::float4[], $9::float4[])",
            &[&ids, &ordinals, &cameras, &classes, confidence, x, y, width, height],
        )
        .await
        .map(drop)
}

async fn insert_zones(change: &Transaction<'_>, rows: &[&FrameResult]) -> Outcome<()> {
    let (mut ids, mut ordinals, mut zones) = (Vec::<Uuid>::new(), Vec::<i32>::new(), Vec::new());
    for row in rows {
        for (ordinal, detection) in (0..).zip(&row.detections) {
            for zone in detection.zones.iter().flatten() {
                ids.push(uuid(row.frame_id));
                ordinals.push(ordinal);
                zones.push(zone.replace('\0', "\u{fffd}"));
            }
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    change
        .execute(
            "INSERT INTO zones (frame_id, ordinal, zone) \
             SELECT * FROM unnest($1::uuid[], $2::int4[], $3::text[]) ON CONFLICT DO NOTHING",
            &[&ids, &ordinals, &zones],
        )
        .await
        .map(drop)
}

async fn count(change: &Transaction<'_>, tally: &Tally) -> Outcome<()> {
    let (mut minutes, mut cameras, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut detections, mut frames) = (Vec::new(), Vec::new());
    for (minute, camera, class, more_detections, more_frames) in tally.changes() {
        minutes.push(minute);
        cameras.push(camera);
        classes.push(class.replace('\0', "\u{fffd}"));
        detections.push(more_detections);
        frames.push(more_frames);
    }
    if minutes.is_empty() {
        return Ok(());
    }
    change
        .execute(
            "INSERT INTO minutes AS held (minute, camera, class, detections, frames) \
             SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::int8[], $5::int8[]) \
             ON CONFLICT (minute, camera, class) DO UPDATE SET \
             detections = held.detections + excluded.detections, \
             frames = held.frames + excluded.frames",
            &[&minutes, &cameras, &classes, &detections, &frames],
        )
        .await
        .map(drop)
}

pub(super) fn uuid(id: FrameId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn id(uuid: Uuid) -> FrameId {
    FrameId::from_bytes(uuid.into_bytes())
}
