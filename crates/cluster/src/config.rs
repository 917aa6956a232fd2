//! Which cluster is watched, what in it, and at what pace.

use settings::Settings;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Everything that [`Cluster::watch`](crate::Cluster::watch) needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// How the cluster is found.
    pub access: ClusterAccess,
    /// The context of the kubeconfig; `None` is its current one.
    pub context: Option<String>,
    /// The namespace of the Deployments; `None` is the pod's own, or that of the kubeconfig's
    /// context.
    pub namespace: Option<String>,
    /// The name of the Deployment of the edge tier.
    pub edge_deployment: String,
    /// The name of the Deployment of the cloud tier.
    pub cloud_deployment: String,
    /// How patient and how insistent it is.
    pub pacing: Pacing,
}

/// How the cluster is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterAccess {
    /// By the pod's service account when this process runs inside a pod, else not at all.
    Auto,
    /// Not at all.
    Off,
    /// By a kubeconfig: this file, or with `None` what `KUBECONFIG` names, or `~/.kube/config`.
    Kubeconfig(Option<PathBuf>),
}

/// The times at which things are tried again, given up or forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// The pause before the first new try, and before a watch that has ended is opened again.
    pub first_retry: Duration,
    /// The longest pause between two tries.
    pub longest_retry: Duration,
    /// How long the API server may take until it begins to answer.
    pub answer: Duration,
    /// After how long the API server is asked to end a quiet watch. A connection that is silent
    /// for [`Pacing::answer`] beyond that is taken to be dead.
    pub watch: Duration,
    /// How long what is known outlives the connection: the restart of an API server shall not make
    /// a decision forget everything.
    pub keep: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            answer: Duration::from_secs(15),
            watch: Duration::from_secs(60),
            keep: Duration::from_secs(60),
        }
    }
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            access: ClusterAccess::Auto,
            context: None,
            namespace: None,
            edge_deployment: "edge-inference".into(),
            cloud_deployment: "cloud-inference".into(),
            pacing: Pacing::default(),
        }
    }
}

impl ClusterConfig {
    /// Reads `MLVI_CLUSTER`, `MLVI_CLUSTER_NAMESPACE`, `MLVI_EDGE_DEPLOYMENT` and
    /// `MLVI_CLOUD_DEPLOYMENT`.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let default = Self::default();
        let access = settings.choice(
            "MLVI_CLUSTER",
            "auto",
            &[
                ("auto", ClusterAccess::Auto),
                ("off", ClusterAccess::Off),
                ("kubeconfig", ClusterAccess::Kubeconfig(None)),
            ],
            "whether the cluster is asked for ready pods and autoscalers; auto: when running \
             inside a pod",
        );
        let Namespace(namespace) = settings.parsed(
            "MLVI_CLUSTER_NAMESPACE",
            "",
            "a Kubernetes namespace, or nothing for the pod's own",
            "the namespace of the inference deployments",
        );
        let mut deployment = |variable, default: &str, help| {
            let ObjectName(name) =
                settings.parsed(variable, default, "a name as Kubernetes allows it", help);
            name
        };
        Self {
            access,
            context: default.context,
            namespace,
            edge_deployment: deployment(
                "MLVI_EDGE_DEPLOYMENT",
                &default.edge_deployment,
                "the deployment of the edge tier",
            ),
            cloud_deployment: deployment(
                "MLVI_CLOUD_DEPLOYMENT",
                &default.cloud_deployment,
                "the deployment of the cloud tier",
            ),
            pacing: default.pacing,
        }
    }
}

/// A name that Kubernetes allows for a Deployment: a DNS subdomain of RFC 1123.
struct ObjectName(String);

impl FromStr for ObjectName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = text.len() <= 253 && text.split('.').all(is_label);
        if valid { Ok(Self(text.to_owned())) } else { Err("not a DNS subdomain") }
    }
}

/// A name that Kubernetes allows for a namespace, a DNS label, or none.
struct Namespace(Option<String>);

impl FromStr for Namespace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self(None)),
            label if is_label(label) => Ok(Self(Some(label.to_owned()))),
            _ => Err("not a DNS label"),
        }
    }
}

/// A DNS label of RFC 1123.
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        let mut settings = Settings::from_pairs([("", ""); 0]);
        assert_eq!(ClusterConfig::from_settings(&mut settings), ClusterConfig::default());
        settings.finish().unwrap();
    }

    #[test]
    fn every_variable_is_read() {
        let mut settings = Settings::from_pairs([
            ("MLVI_CLUSTER", "kubeconfig"),
            ("MLVI_CLUSTER_NAMESPACE", "video"),
            ("MLVI_EDGE_DEPLOYMENT", "edge.v2"),
            ("MLVI_CLOUD_DEPLOYMENT", "cloud-9"),
        ]);
        let expected = ClusterConfig {
            access: ClusterAccess::Kubeconfig(None),
            context: None,
            namespace: Some("video".into()),
            edge_deployment: "edge.v2".into(),
            cloud_deployment: "cloud-9".into(),
            pacing: Pacing::default(),
        };
        assert_eq!(ClusterConfig::from_settings(&mut settings), expected);
        settings.finish().unwrap();
    }

    #[test]
    fn what_kubernetes_would_not_allow_is_named() {
        let long = "a".repeat(64);
        for (variable, value) in [
            ("MLVI_CLUSTER", "maybe"),
            ("MLVI_CLUSTER_NAMESPACE", "a.b"),
            ("MLVI_CLUSTER_NAMESPACE", &long),
            ("MLVI_EDGE_DEPLOYMENT", "Edge"),
            ("MLVI_EDGE_DEPLOYMENT", "edge,metadata.name!=x"),
            ("MLVI_CLOUD_DEPLOYMENT", "-cloud"),
            ("MLVI_CLOUD_DEPLOYMENT", "cloud..v2"),
        ] {
            let mut settings = Settings::from_pairs([(variable, value)]);
            ClusterConfig::from_settings(&mut settings);
            let text = settings.finish().unwrap_err().to_string();
            assert!(text.contains(variable) && text.contains(value), "{text}");
        }
    }
}
