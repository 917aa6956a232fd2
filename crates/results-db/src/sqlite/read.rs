//! History, counts and sightings.

use crate::ask::{Ask, Parameters, Value};
use crate::{Bucket, Count, Filter, Page, Sighting};
use frame::FrameId;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;

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

/// Adds up here: the rows come in the order of time, and SQLite would sort all of them by span.
pub(super) fn counts(
    connection: &Connection,
    filter: &Filter,
    by: Bucket,
    at_most: u32,
) -> rusqlite::Result<Vec<Count>> {
    let ask = Ask::minutes(filter);
    let mut prepared = connection.prepare_cached(&ask.text)?;
    let mut rows = prepared.query(rusqlite::params_from_iter(&ask.values))?;
    let mut counts = Vec::new();
    let mut span = Span::default();
    while let Some(row) = rows.next()? {
        let start_ms = count(row, 0)? * 60_000 / by.ms() * by.ms();
        if start_ms != span.start_ms {
            counts.extend(std::mem::take(&mut span).counts());
            if counts.len() >= at_most as usize {
                break;
            }
            span.start_ms = start_ms;
        }
        let seen = [row.get::<_, i64>(3)?, row.get(4)?];
        span.add(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?, seen);
    }
    counts.extend(span.counts());
    counts.truncate(at_most as usize);
    Ok(counts)
}

/// What was seen in a span of time: by camera and class, how many detections and frames.
#[derive(Default)]
struct Span {
    start_ms: u64,
    cameras: BTreeMap<String, BTreeMap<String, [i64; 2]>>,
}

impl Span {
    fn add(&mut self, camera: &str, class: &str, seen: [i64; 2]) {
        if !self.cameras.contains_key(camera) {
            self.cameras.insert(camera.to_owned(), BTreeMap::new());
        }
        let Some(classes) = self.cameras.get_mut(camera) else { return };
        match classes.get_mut(class) {
            Some(held) => *held = [held[0] + seen[0], held[1] + seen[1]],
            None => drop(classes.insert(class.to_owned(), seen)),
        }
    }

    fn counts(self) -> impl Iterator<Item = Count> {
        let start_ms = self.start_ms;
        self.cameras.into_iter().flat_map(move |(camera, classes)| {
            classes.into_iter().filter(|(_, [_, frames])| *frames > 0).map(move |(class, seen)| {
                let [detections, frames] = seen.map(|n| u64::try_from(n).unwrap_or(0));
                Count { start_ms, camera: camera.clone(), class, detections, frames }
            })
        })
    }
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
