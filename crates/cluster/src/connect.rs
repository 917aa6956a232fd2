//! How the cluster is found, and a client for it.

use crate::{ClusterAccess, ClusterConfig};
use kube::config::{InClusterError, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// A client, and the namespace that it is for.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The namespace of the configuration, else that of the credentials.
    pub namespace: String,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read, or its credentials cannot be used.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The kubeconfig has no such context.
    #[error("the kubeconfig has no context '{context}'; it has: {known}")]
    NoContext {
        /// The context that was asked for.
        context: String,
        /// Those that there are.
        known: String,
    },
    /// This pod's service account cannot be used.
    #[error(transparent)]
    ServiceAccount(#[from] InClusterError),
    /// A client cannot be made of the credentials.
    #[error(transparent)]
    Client(#[from] kube::Error),
    /// The thread that reads the credentials has ended early.
    #[error("the credentials were not read to the end")]
    Unfinished(#[from] tokio::task::JoinError),
}

/// Makes a client. This does not talk to the cluster yet.
///
/// # Errors
/// When the credentials cannot be read.
pub async fn connect(config: &ClusterConfig) -> Result<Connection, ConnectError> {
    let config = config.clone();
    // files are read, and a kubeconfig may run a program that gets a token
    tokio::task::spawn_blocking(move || connect_blocking(&config)).await?
}

fn connect_blocking(config: &ClusterConfig) -> Result<Connection, ConnectError> {
    let mut found = match &config.access {
        ClusterAccess::Kubeconfig(Some(path)) => of_context(Kubeconfig::read_from(path)?, config)?,
        ClusterAccess::Kubeconfig(None) => of_context(Kubeconfig::read()?, config)?,
        ClusterAccess::Auto | ClusterAccess::Off => Config::incluster()?,
    };
    found.connect_timeout = Some(config.pacing.answer);
    // the followers have their own backoff, which is the same for every kind of trouble
    found.default_retry = false;
    let namespace = config.namespace.clone().unwrap_or_else(|| found.default_namespace.clone());
    Ok(Connection { client: Client::try_from(found)?, namespace })
}

fn of_context(mut file: Kubeconfig, config: &ClusterConfig) -> Result<Config, ConnectError> {
    if let Some(context) = &config.context {
        let names: Vec<&str> = file.contexts.iter().map(|context| context.name.as_str()).collect();
        if !names.contains(&context.as_str()) {
            return Err(ConnectError::NoContext {
                context: context.clone(),
                known: names.join(", "),
            });
        }
        file.current_context = Some(context.clone());
    }
    Ok(Config::try_from(file)?)
}
