//! History, counts and sightings.

use super::translated;
use crate::ask::{Ask, Parameters, Value};
use crate::{Bucket, Count, DbError, Filter, Page, Sighting};
use frame::FrameId;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

const DOLLAR: Parameters = Parameters::Dollar;

pub(super) async fn history(
    client: &Client,
    filter: &Filter,
    page: Page,
) -> Result<Vec<(FrameId, String)>, DbError> {
    let rows = answer(client, Ask::history(DOLLAR, filter, page)).await?;
    Ok(rows.iter().map(|row| (id(row), row.get(1))).collect())
}

pub(super) async fn oldest(client: &Client, filter: &Filter) -> Result<Option<FrameId>, DbError> {
    let rows = answer(client, Ask::oldest(DOLLAR, filter)).await?;
    Ok(rows.first().map(id))
}

pub(super) async fn counts(
    client: &Client,
    filter: &Filter,
    by: Bucket,
    at_most: u32,
) -> Result<Vec<Count>, DbError> {
    let rows = answer(client, Ask::counts(filter, by, at_most)).await?;
    let read = |row: &Row| Count {
        start_ms: count(row, 0) * by.ms(),
        camera: row.get(1),
        class: row.get(2),
        detections: count(row, 3),
        frames: count(row, 4),
    };
    Ok(rows.iter().map(read).collect())
}

pub(super) async fn sightings(
    client: &Client,
    filter: &Filter,
    page: Page,
) -> Result<Vec<Sighting>, DbError> {
    let rows = answer(client, Ask::sightings(DOLLAR, filter, page)).await?;
    let read = |row: &Row| Sighting {
        frame_id: id(row),
        camera: row.get(1),
        class: row.get(2),
        detections: count(row, 3),
        confidence: row.get(4),
    };
    Ok(rows.iter().map(read).collect())
}

pub(super) async fn answer(client: &Client, ask: Ask) -> Result<Vec<Row>, DbError> {
    let values: Vec<Box<dyn ToSql + Sync + Send>> = ask
        .values
        .into_iter()
        .map(|value| -> Box<dyn ToSql + Sync + Send> {
            match value {
                Value::Id(id) => Box::new(Uuid::from_bytes(*id.as_bytes())),
                Value::Text(text) => Box::new(text.replace('\0', "\u{fffd}")),
                Value::Real(number) => Box::new(number),
                Value::Integer(number) => Box::new(number),
            }
        })
        .collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
    client.query(&ask.text, &values).await.map_err(|error| translated(&error))
}

pub(super) fn id(row: &Row) -> FrameId {
    FrameId::from_bytes(row.get::<_, Uuid>(0).into_bytes())
}

fn count(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}
