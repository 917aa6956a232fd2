//! Small pictures of frames.

use super::read::{answer, id};
use super::translated;
use super::write::uuid;
use crate::ask::{Ask, Parameters};
use crate::thumbnail::REMOVE_OLDEST;
use crate::{DbError, Filter, Page, Pictured, Thumbnail};
use frame::{CameraId, FrameId};
use std::collections::HashSet;
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

pub(super) async fn keep(
    client: &mut Client,
    pictures: &[Thumbnail],
    budget: u64,
) -> Result<Pictured, tokio_postgres::Error> {
    let change = client.transaction().await?;
    let mut kept = Pictured::default();
    for Thumbnail { frame_id, camera, jpeg } in pictures {
        let size = i32::try_from(jpeg.len()).unwrap_or(i32::MAX);
        kept.new += change
            .execute(
                "INSERT INTO thumbnails (frame_id, camera, size, jpeg) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                &[&uuid(*frame_id), &camera.as_str(), &size, jpeg],
            )
            .await?;
    }
    kept.bytes = bytes(&change).await?;
    if kept.bytes > budget {
        let excess = i64::try_from(kept.bytes - budget).unwrap_or(i64::MAX);
        kept.removed = change.execute(REMOVE_OLDEST, &[&excess]).await?;
        kept.bytes = bytes(&change).await?;
    }
    change.commit().await?;
    Ok(kept)
}

async fn bytes(client: &impl GenericClient) -> Result<u64, tokio_postgres::Error> {
    let sum = client.query_one("SELECT coalesce(sum(size), 0) FROM thumbnails", &[]).await?;
    Ok(u64::try_from(sum.get::<_, i64>(0)).unwrap_or(0))
}

/// Whether the writer has made their table yet.
async fn are_there(client: &Client) -> Result<bool, DbError> {
    let row = client.query_one("SELECT to_regclass('mlvi.thumbnails') IS NOT NULL", &[]).await;
    row.map(|row| row.get(0)).map_err(|error| translated(&error))
}

pub(super) async fn one(client: &Client, of: FrameId) -> Result<Option<Thumbnail>, DbError> {
    if !are_there(client).await? {
        return Ok(None);
    }
    let found = client
        .query_opt("SELECT camera, jpeg FROM thumbnails WHERE frame_id = $1", &[&uuid(of)])
        .await
        .map_err(|error| translated(&error))?;
    Ok(found.and_then(|row| {
        let camera: CameraId = row.get::<_, String>(0).parse().ok()?;
        Some(Thumbnail { frame_id: of, camera, jpeg: row.get(1) })
    }))
}

pub(super) async fn of(client: &Client, ids: &[FrameId]) -> Result<HashSet<FrameId>, DbError> {
    if ids.is_empty() || !are_there(client).await? {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = ids.iter().copied().map(uuid).collect();
    let found = client
        .query("SELECT frame_id FROM thumbnails WHERE frame_id = ANY($1)", &[&ids])
        .await
        .map_err(|error| translated(&error))?;
    Ok(found.iter().map(id).collect())
}

pub(super) async fn list(
    client: &Client,
    filter: &Filter,
    page: Page,
) -> Result<Vec<FrameId>, DbError> {
    if !are_there(client).await? {
        return Ok(Vec::new());
    }
    let rows = answer(client, Ask::thumbnails(Parameters::Dollar, filter, page)).await?;
    Ok(rows.iter().map(id).collect())
}
