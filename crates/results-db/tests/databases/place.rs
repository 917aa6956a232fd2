//! A database for one test.

use results_db::{Access, Database, DatabaseUrl};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Runs each test on SQLite, and on PostgreSQL where there is a server.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::Place::sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(place) = super::Place::postgres().await {
                        super::$test(place).await;
                    }
                }
            )*
        }
    };
}

/// A database of each version as it was released, with the same results in it, in the words of
/// SQLite and of PostgreSQL.
pub(crate) const RELEASED: [[&str; 2]; 1] =
    [[include_str!("released/1.sqlite.sql"), include_str!("released/1.postgres.sql")]];

pub(crate) struct Place {
    pub(crate) url: DatabaseUrl,
    text: String,
    _folder: Option<TempDir>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!("sqlite:{}", folder.path().join("results.sqlite").display());
        Self { url: text.parse().unwrap(), text, _folder: Some(folder) }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = requires::postgres()?;
        let (number, process) = (NUMBER.fetch_add(1, Ordering::Relaxed), std::process::id());
        let name = format!("mlvi_test_{process}_{number}");
        let place = Self { url: server.parse().unwrap(), text: server.clone(), _folder: None };
        place.execute(&format!("CREATE DATABASE {name}")).await;
        let (host, _) = server.rsplit_once('/').unwrap();
        let text = format!("{host}/{name}");
        Some(Self { url: text.parse().unwrap(), text, _folder: None })
    }

    /// A further one of its kind.
    pub(crate) async fn another(&self) -> Self {
        match &self.url {
            DatabaseUrl::Sqlite(_) => Self::sqlite(),
            DatabaseUrl::Postgres { .. } => Self::postgres().await.unwrap(),
        }
    }

    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.url, Access::Write).await.unwrap()
    }

    /// As a release left it, with results in it.
    pub(crate) async fn as_released(&self, version: usize) {
        let [sqlite, postgres] = RELEASED[version - 1];
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                rusqlite::Connection::open(path).unwrap().execute_batch(sqlite).unwrap();
            }
            DatabaseUrl::Postgres { .. } => self.execute(postgres).await,
        }
    }

    /// Its tables, columns and indexes, a line each; without the partitions of days.
    pub(crate) async fn tables(&self) -> Vec<String> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                let mut asked = file
                    .prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name")
                    .unwrap();
                asked.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            DatabaseUrl::Postgres { .. } => {
                let (client, connection) =
                    tokio_postgres::connect(&self.text, NoTls).await.unwrap();
                let connection = tokio::spawn(connection);
                let asked = "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, \
                     column_default) AS line FROM information_schema.columns \
                     WHERE table_schema = 'mlvi' AND table_name !~ '_[0-9]{8}$' \
                     UNION ALL SELECT indexdef FROM pg_indexes \
                     WHERE schemaname = 'mlvi' AND tablename !~ '_[0-9]{8}$' ORDER BY line";
                let rows = client.query(asked, &[]).await.unwrap();
                drop(client);
                connection.await.unwrap().unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    async fn execute(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.text, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    /// As a later program would leave it.
    pub(crate) async fn set_version(&self, version: u32) {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.pragma_update(None, "user_version", version).unwrap();
            }
            DatabaseUrl::Postgres { .. } => {
                let sql = format!("INSERT INTO mlvi.mlvi_version (version) VALUES ({version})");
                self.execute(&sql).await;
            }
        }
    }

    /// As the release before pictures has left it.
    pub(crate) async fn undo_second_step(&self) {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.execute_batch("DROP TABLE thumbnails").unwrap();
                file.pragma_update(None, "user_version", 1).unwrap();
            }
            DatabaseUrl::Postgres { .. } => {
                let sql = "DROP TABLE mlvi.thumbnails; \
                           DELETE FROM mlvi.mlvi_version WHERE version > 1";
                self.execute(sql).await;
            }
        }
    }

    /// With tables of another program.
    pub(crate) async fn make_anothers(&self) {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
            }
            DatabaseUrl::Postgres { .. } => {
                self.execute("CREATE SCHEMA mlvi; CREATE TABLE mlvi.songs (title text)").await;
            }
        }
    }
}
