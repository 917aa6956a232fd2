//! Connections: a few, made when they are wanted, kept while they live.

use super::tls::Tls;
use super::translated;
use crate::{Access, DbError, READ_LIMIT};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

/// How many connections a process has at most.
const CONNECTIONS: usize = 4;
/// How long connecting, login included, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a writer's statement may take: a first partition of a day waits for readers.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// How connections are made, and those that are idle.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    config: Config,
    tls: Option<Tls>,
    password_file: Option<PathBuf>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Client>>,
}

/// A connection in use; it is idle again when it is dropped alive.
pub(super) struct Connection {
    client: Option<Client>,
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
        };
        config
            .connect_timeout(PATIENCE)
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
            let client = match idle {
                Some(client) if client.is_closed() => continue,
                Some(client) => client,
                None => self.connect().await?,
            };
            return Ok(Connection { client: Some(client), of: self.clone(), _place: place });
        }
    }

    async fn connect(&self) -> Result<Client, DbError> {
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
                    drop(tokio::spawn(connection));
                    Ok(client)
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    drop(tokio::spawn(connection));
                    Ok(client)
                }
            }
        };
        match tokio::time::timeout(2 * PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|error: tokio_postgres::Error| translated(&error)),
            Err(_) => Err(DbError::Away { reason: "no answer to the login in 10 s".into() }),
        }
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|client| !client.is_closed()) {
            self.of.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}
