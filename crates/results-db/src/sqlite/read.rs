//! History, counts and sightings.

use crate::ask::{Ask, Parameters, Value};
use crate::{Bucket, Count, Filter, Page, Sighting};
use frame::FrameId;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Row};

const QUESTION: Parameters = Parameters::Question;

pub(super) fn history(
    connection: &Connection,
    filter: &Filter,
    page: Page,
) -> rusqlite::Result<Vec<(FrameId, String)>> {
    answer(connection, &Ask::history(QUESTION, filter, page), |row| Ok((id(row)?, row.get(1)?)))
}

pub(super) fn oldest(
    connection: &Connection,
    filter: &Filter,
) -> rusqlite::Result<Option<FrameId>> {
    Ok(answer(connection, &Ask::oldest(QUESTION, filter), id)?.pop())
}

pub(super) fn counts(
    connection: &Connection,
    filter: &Filter,
    by: Bucket,
    at_most: u32,
) -> rusqlite::Result<Vec<Count>> {
    answer(connection, &Ask::counts(QUESTION, filter, by, at_most), |row| {
        Ok(Count {
            start_ms: count(row, 0)? * by.ms(),
            camera: row.get(1)?,
            class: row.get(2)?,
            detections: count(row, 3)?,
            frames: count(row, 4)?,
        })
    })
}

pub(super) fn sightings(
    connection: &Connection,
    filter: &Filter,
    page: Page,
) -> rusqlite::Result<Vec<Sighting>> {
    answer(connection, &Ask::sightings(QUESTION, filter, page), |row| {
        Ok(Sighting {
            frame_id: id(row)?,
            camera: row.get(1)?,
            class: row.get(2)?,
            detections: count(row, 3)?,
            confidence: row.get(4)?,
        })
    })
}

pub(super) fn answer<T>(
    connection: &Connection,
    ask: &Ask,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut prepared = connection.prepare_cached(&ask.text)?;
    prepared.query_map(rusqlite::params_from_iter(&ask.values), read)?.collect()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Id(id) => id.as_bytes().as_slice().to_sql(),
            Self::Text(text) => text.to_sql(),
            Self::Real(number) => number.to_sql(),
            Self::Integer(number) => number.to_sql(),
        }
    }
}

pub(super) fn id(row: &Row<'_>) -> rusqlite::Result<FrameId> {
    row.get(0).map(FrameId::from_bytes)
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
}
