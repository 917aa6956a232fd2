//! Volumes and where they are mounted.

use crate::finding::Finding;
use crate::world::{Workload, World};
use std::collections::BTreeSet;
use text::similar;

pub(super) const ID: &str = "mount";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    world.workloads.iter().flat_map(of_workload).collect()
}

fn of_workload(workload: &Workload<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let volumes = workload.pod.each("volumes[].name");
    let claims = workload.object.root().each("spec.volumeClaimTemplates[].metadata.name");
    let names: BTreeSet<&str> =
        volumes.iter().chain(&claims).filter_map(|name| name.text()).collect();
    let mut used = BTreeSet::new();
    for container in &workload.containers {
        let mut paths = BTreeSet::new();
        for mount in container.field.get("volumeMounts").items() {
            let (name, path) = (mount.get("name"), mount.get("mountPath"));
            let text = name.text().unwrap_or_default();
            used.insert(text);
            if !text.is_empty() && !names.contains(text) {
                let finding = name.error(ID, format!("there is no volume '{text}' in this pod"));
                findings.push(match similar(text, &mut names.iter().copied()) {
                    Some(meant) => finding.help(format!("did you mean '{meant}'?")),
                    None => finding,
                });
            }
            if path.text().is_some_and(|path| !path.starts_with('/')) {
                findings.push(path.error(ID, "a mount's path must begin with /"));
            }
            if path.text().is_some_and(|path| !paths.insert(path.trim_end_matches('/'))) {
                findings.push(path.error(ID, "two volumes are mounted at this path"));
            }
        }
    }
    let idle = volumes.iter().filter(|name| name.text().is_some_and(|text| !used.contains(text)));
    findings.extend(idle.map(|name| name.warning(ID, "no container mounts this volume")));
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::{found, pod};

    #[test]
    fn mounts_and_volumes_belong_together() {
        let volumes = "volumes: [{name: models, emptyDir: {}}, {name: idle, emptyDir: {}}]";
        let text = pod(
            "volumeMounts: [{name: model, mountPath: /models}, {name: models, mountPath: \
             /models/}]",
            volumes,
        );
        let found = found(&text, "mount");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found.iter().any(|finding| finding.contains("did you mean 'models'?")),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .any(|finding| finding.starts_with("warning spec.template.spec.volumes[1].name")),
            "{found:?}"
        );
    }
}
