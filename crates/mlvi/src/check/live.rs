//! The objects of a running cluster.

use cluster::{LookConfig, read_live};
use manifests::Set;

/// Reads a namespace. What may not be seen is named once, and the rest is looked at all the same.
pub(super) fn read(namespace: &str, context: Option<&str>) -> anyhow::Result<Set> {
    let config = LookConfig { kubeconfig: None, context: context.map(str::to_owned), namespace: Some(namespace.to_owned()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let live = runtime.block_on(read_live(&config))?;
    for (kinds, reason) in &live.refused {
        eprintln!("mlvi check: the cluster does not show {kinds}, so that what names them is not certain: {reason}");
    }
    anyhow::ensure!(!live.objects.is_empty(), "the cluster shows no objects in the namespace '{}'", live.namespace);
    Ok(Set::of_objects(live.objects))
}
