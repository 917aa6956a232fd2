//! The tables, and how older ones become them.

use super::translated;
use crate::{DbError, SCHEMA_VERSION};
use tokio_postgres::{Client, GenericClient};

/// A step for each version: the first makes the tables, each further one changes them. A step that
/// was released is never edited.
const STEPS: [&str; SCHEMA_VERSION as usize] = [include_str!("1.sql"), include_str!("2.sql")];
/// Who makes tables or partitions has this advisory lock, `MLVI` in ASCII.
const LOCK: i64 = 0x4d4c_5649;

/// Everybody else who makes tables waits until the transaction ends.
pub(super) async fn lock(change: &impl GenericClient) -> Result<(), DbError> {
    change
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map(drop)
        .map_err(|error| translated(&error))
}

/// The version of the tables; 0: there are none.
async fn found(client: &impl GenericClient, place: &str) -> Result<u32, DbError> {
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE relname = 'mlvi_version') \
             FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE nspname = 'mlvi' AND relkind IN ('r', 'p')",
            &[],
        )
        .await
        .map_err(|error| translated(&error))?;
    match (row.get::<_, i64>(0), row.get::<_, i64>(1)) {
        (0, _) => return Ok(0),
        (_, 0) => return Err(DbError::Foreign { place: format!("the schema mlvi of {place}") }),
        _ => {}
    }
    let version = client
        .query_one("SELECT max(version) FROM mlvi_version", &[])
        .await
        .map_err(|error| translated(&error))?;
    let version = version.get::<_, Option<i32>>(0).and_then(|version| u32::try_from(version).ok());
    match version.unwrap_or(0) {
        version if version > SCHEMA_VERSION => {
            Err(DbError::Newer { found: version, known: SCHEMA_VERSION })
        }
        version => Ok(version),
    }
}

/// Brings the tables to the newest version, and lets the role `mlvi_reader` read them if it exists.
pub(super) async fn migrate(client: &mut Client, place: &str) -> Result<(), DbError> {
    let failed = |error| translated(&error);
    let change = client.transaction().await.map_err(failed)?;
    lock(&change).await?;
    let first = found(&change, place).await?;
    if first == 0 {
        change
            .batch_execute(
                "CREATE SCHEMA IF NOT EXISTS mlvi; CREATE TABLE mlvi_version \
                 (version integer NOT NULL, made_at timestamptz NOT NULL DEFAULT now())",
            )
            .await
            .map_err(failed)?;
    }
    for (version, step) in (1i32..).zip(STEPS).skip(first as usize) {
        change.batch_execute(step).await.map_err(failed)?;
        change
            .execute("INSERT INTO mlvi_version (version) VALUES ($1)", &[&version])
            .await
            .map_err(failed)?;
        tracing::info!(schema_version = version, "the database's tables are made or changed");
    }
    change
        .batch_execute(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlvi_reader') THEN \
             GRANT USAGE ON SCHEMA mlvi TO mlvi_reader; \
             GRANT SELECT ON ALL TABLES IN SCHEMA mlvi TO mlvi_reader; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA mlvi GRANT SELECT ON TABLES TO mlvi_reader; \
             END IF; END $$",
        )
        .await
        .map_err(failed)?;
    change.commit().await.map_err(failed)
}

/// Whether there is something that can be read.
pub(super) async fn check(client: &Client, place: &str) -> Result<(), DbError> {
    match found(client, place).await? {
        0 => Err(DbError::Empty { place: place.to_owned() }),
        _ => Ok(()),
    }
}
