//! Whether there is a cluster to watch at all.

use crate::ClusterAccess;
use std::path::Path;

/// Where Kubernetes puts a pod's service account, unless the pod declines it.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Why no cluster shall be watched, now and ever; `None` when one shall.
pub(crate) fn none_wanted(access: &ClusterAccess) -> Option<&'static str> {
    match access {
        ClusterAccess::Off => Some("switched off"),
        ClusterAccess::Auto | ClusterAccess::Kubeconfig(_) if !cfg!(feature = "kubernetes") => {
            Some("this program was built without the feature `kubernetes`")
        }
        ClusterAccess::Auto if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() => {
            Some("not running inside a pod")
        }
        ClusterAccess::Auto if !Path::new(TOKEN).exists() => {
            Some("the pod has no service account token")
        }
        ClusterAccess::Auto | ClusterAccess::Kubeconfig(_) => None,
    }
}
