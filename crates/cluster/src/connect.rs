//! How the cluster is found, and a client for it.

use crate::trouble::with_causes;
use crate::{ClusterAccess, ClusterConfig};
use kube::config::Kubeconfig;
use kube::{Client, Config};
use std::error::Error;
use std::path::Path;

/// Where Kubernetes puts a pod's service account, unless the pod declines it.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A client, and the namespace to look into.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// Why no cluster shall be watched, now and ever; `None` when one shall.
pub(crate) fn none_wanted(access: &ClusterAccess) -> Option<&'static str> {
    match access {
        ClusterAccess::Off => Some("switched off"),
        ClusterAccess::Auto if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() => {
            Some("not running inside a pod")
        }
        ClusterAccess::Auto if !Path::new(TOKEN).exists() => {
            Some("the pod has no service account token")
        }
        ClusterAccess::Auto | ClusterAccess::Kubeconfig(_) => None,
    }
}

/// Makes a client. This does not talk to the cluster yet.
///
/// # Errors
/// When the credentials cannot be read; in words.
pub(crate) async fn connect(config: &ClusterConfig) -> Result<Connection, String> {
    let config = config.clone();
    // files are read, and a kubeconfig may run a program that gets a token
    match tokio::task::spawn_blocking(move || connect_blocking(&config)).await {
        Ok(made) => made.map_err(|error| with_causes(error.as_ref())),
        Err(ended) => Err(ended.to_string()),
    }
}

fn connect_blocking(config: &ClusterConfig) -> Result<Connection, Box<dyn Error + Send + Sync>> {
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

fn of_context(
    mut file: Kubeconfig,
    config: &ClusterConfig,
) -> Result<Config, Box<dyn Error + Send + Sync>> {
    if let Some(context) = &config.context {
        let names: Vec<&str> = file.contexts.iter().map(|context| context.name.as_str()).collect();
        if !names.contains(&context.as_str()) {
            return Err(format!(
                "the kubeconfig has no context '{context}'; it has: {}",
                names.join(", ")
            )
            .into());
        }
        file.current_context = Some(context.clone());
    }
    Ok(Config::try_from(file)?)
}
