//! A PostgreSQL server, 15 or later: for clusters.
//!
//! Everything is in the schema `mlvi` of the database that the address names.

mod connect;
mod days;
mod read;
mod schema;
mod thumbnails;
mod tls;
mod write;

use crate::{
    Access, Batch, Bucket, Count, DbError, Filter, Forgotten, Page, Pictured, Sighting, Stored,
    Thumbnail,
};
use connect::Connections;
use days::Days;
use frame::FrameId;
use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use tls::Tls;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

/// A database of a server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Postgres {
    connections: Connections,
    days: Arc<Days>,
}

impl Postgres {
    pub(crate) async fn open(
        url: &str,
        ca_file: Option<&Path>,
        password_file: Option<&Path>,
        access: Access,
    ) -> Result<Self, DbError> {
        let config =
            Config::from_str(url).map_err(|error| DbError::Refused { reason: words(&error) })?;
        let tls = ca_file.map(Tls::trusting).transpose()?;
        let password_file = password_file.map(Path::to_path_buf);
        let connections = Connections::new(config, tls, password_file, access);
        let place = connections.place();
        let mut connection = connections.take().await?;
        // a change of large tables may take long
        let ready = match access {
            Access::Write => schema::migrate(&mut connection, &place).await,
            Access::Read | Access::Export => {
                connections.in_time(schema::check(&connection, &place)).await
            }
        };
        connection.end(ready)?;
        Ok(Self { connections, days: Arc::default() })
    }

    pub(crate) async fn store(&self, batch: &Batch) -> Result<Stored, DbError> {
        let mut connection = self.connections.take().await?;
        let store = write::store(&mut connection, &self.days, batch);
        let answer = self.connections.in_time(store).await;
        connection.end(answer)
    }

    pub(crate) async fn forget_before(&self, ms: u64) -> Result<Forgotten, DbError> {
        let mut connection = self.connections.take().await?;
        let forget = self.days.forget_before(&mut connection, ms);
        let answer = self.connections.in_time(forget).await;
        connection.end(answer)
    }

    pub(crate) async fn bytes(&self) -> Result<u64, DbError> {
        let connection = self.connections.take().await?;
        let size = async {
            let size = connection.query_one("SELECT pg_database_size(current_database())", &[]);
            size.await.map_err(|error| translated(&error))
        };
        let size = self.connections.in_time(size).await;
        let size: i64 = connection.end(size)?.get(0);
        Ok(u64::try_from(size).unwrap_or(0))
    }

    pub(crate) async fn history(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<Vec<(FrameId, String)>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(read::history(&connection, filter, page)).await;
        connection.end(answer)
    }

    pub(crate) async fn oldest(&self, filter: &Filter) -> Result<Option<FrameId>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(read::oldest(&connection, filter)).await;
        connection.end(answer)
    }

    pub(crate) async fn counts(
        &self,
        filter: &Filter,
        by: Bucket,
        at_most: u32,
    ) -> Result<Vec<Count>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(read::counts(&connection, filter, by, at_most)).await;
        connection.end(answer)
    }

    pub(crate) async fn sightings(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<Vec<Sighting>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(read::sightings(&connection, filter, page)).await;
        connection.end(answer)
    }

    pub(crate) async fn keep_thumbnails(
        &self,
        pictures: &[Thumbnail],
        budget: u64,
    ) -> Result<Pictured, DbError> {
        let mut connection = self.connections.take().await?;
        let keep = async {
            let kept = thumbnails::keep(&mut connection, pictures, budget).await;
            kept.map_err(|error| translated(&error))
        };
        let answer = self.connections.in_time(keep).await;
        connection.end(answer)
    }

    pub(crate) async fn thumbnail(&self, id: FrameId) -> Result<Option<Thumbnail>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(thumbnails::one(&connection, id)).await;
        connection.end(answer)
    }

    pub(crate) async fn pictured(&self, ids: &[FrameId]) -> Result<HashSet<FrameId>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(thumbnails::of(&connection, ids)).await;
        connection.end(answer)
    }

    pub(crate) async fn thumbnails(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<Vec<FrameId>, DbError> {
        let connection = self.connections.take().await?;
        let answer = self.connections.in_time(thumbnails::list(&connection, filter, page)).await;
        connection.end(answer)
    }
}

/// An error with what caused it: tokio-postgres's own words say little.
pub(crate) fn words(error: &tokio_postgres::Error) -> String {
    let mut text = match error.as_db_error() {
        Some(error) => return error.message().to_owned(),
        None => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What the server or the network says, by what helps.
fn translated(error: &tokio_postgres::Error) -> DbError {
    let reason = words(error);
    let Some(code) = error.code() else { return DbError::Away { reason } };
    // the server has no other word for a statement that took too long; writers try again
    if *code == SqlState::QUERY_CANCELED && reason.contains("timeout") {
        return DbError::TooSlow;
    }
    let away = [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::UNDEFINED_TABLE,
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::OUT_OF_MEMORY,
    ];
    // 08: the connection; 28: the login; 57: somebody ended it
    let class = &code.code()[..2];
    if away.contains(code) || ["08", "28", "57"].contains(&class) {
        DbError::Away { reason }
    } else if [SqlState::DISK_FULL, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code)
        || class == "58"
    {
        DbError::Full { reason }
    } else {
        DbError::Refused { reason }
    }
}
