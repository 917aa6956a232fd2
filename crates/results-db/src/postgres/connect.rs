//! Connections: a few, made when they are wanted, kept while they live.

use super::tls::Tls;
use super::translated;
use crate::{Access, DbError, READ_LIMIT};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

/// How many connections a process has at most.
const CONNECTIONS: usize = 4;
/// How long connecting, login included, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a writer's statement may take: a first partition of a day waits for readers.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// How long an export's statement may take.
const EXPORT_LIMIT: Duration = Duration::from_secs(3_600);
/// A job has so many statements that wait for others at most.
const STATEMENTS: u32 = 3;
/// The server ends a statement itself: a client waits so much longer for it to say so.
const GRACE: Duration = Duration::from_secs(5);
/// A network that has been silent for so long is away.
const SILENCE: Duration = Duration::from_secs(30);

/// How connections are made, and those that are idle.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    config: Config,
    tls: Option<Tls>,
    password_file: Option<PathBuf>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Open>>,
    /// How long a job may take, whatever the server says.
    limit: Duration,
}

/// A connection, and the task that serves it.
struct Open {
    client: Client,
    task: AbortHandle,
}

/// A connection in use. It is closed when it is dropped: whoever had it may have gone before the
/// answer came.
pub(super) struct Connection {
    open: Option<Open>,
    of: Connections,
    _place: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(
        mut config: Config,
        tls: Option<Tls>,
        password_file: Option<PathBuf>,
        access: Access,
    ) -> Self {
        let (limit, read_only) = match access {
            Access::Read => (READ_LIMIT, "on"),
            Access::Write => (WRITE_LIMIT, "off"),
            Access::Export => (EXPORT_LIMIT, "on"),
        };
        config
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE / 2)
            .keepalives_interval(SILENCE / 6)
            .keepalives_retries(3)
            .application_name("mlvi")
            .ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable })
            .options(format!(
                "-c search_path=mlvi -c statement_timeout={} -c default_transaction_read_only={}",
                limit.as_millis(),
                read_only,
            ));
        Self(Arc::new(Inner {
            config,
            tls,
            password_file,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::default(),
            limit: limit * STATEMENTS + GRACE,
        }))
    }

    /// The database's name.
    pub(super) fn place(&self) -> String {
        format!("the database '{}'", self.0.config.get_dbname().unwrap_or_default())
    }

    /// One that is idle, or a new one; waits while all are in use.
    pub(super) async fn take(&self) -> Result<Connection, DbError> {
        let place = Arc::clone(&self.0.places).acquire_owned().await;
        let place = place.expect("nobody closes the places");
        loop {
            let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let open = match idle {
                Some(open) if open.client.is_closed() => continue,
                Some(open) => open,
                None => self.connect().await?,
            };
            return Ok(Connection { open: Some(open), of: self.clone(), _place: place });
        }
    }

    /// The answer of a job, unless the server has not said a word for longer than it may take.
    pub(super) async fn in_time<T>(
        &self,
        job: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        let limit = self.0.limit;
        tokio::time::timeout(limit, job).await.unwrap_or_else(|_| {
            Err(DbError::Away { reason: format!("no answer in {} s", limit.as_secs()) })
        })
    }

    async fn connect(&self) -> Result<Open, DbError> {
        let mut config = self.0.config.clone();
        if let Some(file) = &self.0.password_file {
            let password = std::fs::read_to_string(file).map_err(|error| DbError::Away {
                reason: format!("MLVI_DATABASE_PASSWORD_FILE {}: {error}", file.display()),
            })?;
            config.password(password.trim_end_matches(['\r', '\n']));
        }
        let connecting = async {
            match &self.0.tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls.clone()).await?;
                    let task = tokio::spawn(connection).abort_handle();
                    Ok(Open { client, task })
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    let task = tokio::spawn(connection).abort_handle();
                    Ok(Open { client, task })
                }
            }
        };
        match tokio::time::timeout(2 * PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error: tokio_postgres::Error| translated(&error)),
            Err(_) => Err(DbError::Away { reason: "no answer to the login in 10 s".into() }),
        }
    }
}

impl Connection {
    /// Gives the answer of a job, and the connection back to those that are idle.
    pub(super) fn end<T>(mut self, answer: Result<T, DbError>) -> Result<T, DbError> {
        let is_sound = !matches!(answer, Err(DbError::Away { .. }));
        if let Some(open) = self.open.take_if(|open| is_sound && !open.client.is_closed()) {
            self.of.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(open);
        }
        answer
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.open.as_ref().expect("it is there until it is dropped").client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.open.as_mut().expect("it is there until it is dropped").client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(Open { task, .. }) = self.open.take() {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_without_an_answer_is_closed_and_another_one_is_made() {
        let Some(server) = requires::postgres() else { return };
        let config = server.parse().unwrap();
        let mut connections = Connections::new(config, None, None, Access::Read);
        Arc::get_mut(&mut connections.0).unwrap().limit = Duration::from_millis(100);
        let connection = connections.take().await.unwrap();
        let slow = async {
            let answer = connection.batch_execute("SELECT pg_sleep(5)").await;
            answer.map_err(|error| translated(&error))
        };
        let answer = connections.in_time(slow).await;
        let error = connection.end(answer).unwrap_err();
        assert!(matches!(error, DbError::Away { .. }), "{error}");
        assert!(connections.0.idle.lock().unwrap().is_empty());
        // nor is one used again whose user has gone
        drop(connections.take().await.unwrap());
        assert!(connections.0.idle.lock().unwrap().is_empty());
        let connection = connections.take().await.unwrap();
        connection.batch_execute("SELECT 1").await.unwrap();
        connection.end(Ok(())).unwrap();
        assert_eq!(connections.0.idle.lock().unwrap().len(), 1);
    }
}
