//! The objects of a running cluster.

use cluster_inspect::{InspectConfig, read_live};
use manifests::Set;

/// Reads a namespace; also gives the kinds that may not be seen. What may not be seen is named
/// once, and the rest is checked all the same.
pub(super) fn read(namespace: &str, context: Option<&str>) -> anyhow::Result<(Set, Vec<String>)> {
    let config = InspectConfig {
        kubeconfig: None,
        context: context.map(str::to_owned),
        namespace: Some(namespace.to_owned()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let live = runtime.block_on(read_live(&config))?;
    for (kinds, reason) in &live.refused {
        eprintln!(
            "mlvi check: the cluster does not show {kinds}, so that what names them is not \
             certain: {reason}"
        );
    }
    anyhow::ensure!(
        !live.objects.is_empty(),
        "the cluster shows no objects in the namespace '{}'",
        live.namespace
    );
    let refused: Vec<String> = live.refused.into_iter().map(|(kinds, _)| kinds).collect();
    // without these nothing is left to check, or every setting seems to be missing
    for needed in ["deployments", "configmaps"] {
        anyhow::ensure!(
            !refused.iter().any(|kinds| kinds == needed),
            "nothing can be said without the right to list {needed}"
        );
    }
    Ok((Set::of_objects(live.objects), refused))
}
