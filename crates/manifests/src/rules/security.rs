//! The Pod Security standard of each namespace: "restricted", unless its labels say another one.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>. A namespace that
//! allows more does so for a few pods. Where it is "baseline", whoever says that root is meant may be
//! root. Where it is "privileged", so may the pods of a DaemonSet that mount a folder of their node,
//! and they may mount it. Everybody and everything else is held against "restricted" there, too.

use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, Workload, World};

pub(super) const ID: &str = "pod-security";

/// What a namespace enforces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standard {
    Restricted,
    /// Root is allowed.
    Baseline,
    /// Folders of the node, too.
    Privileged,
}

impl Standard {
    /// What is asked of a workload: that its namespace is privileged is for those of the node alone.
    fn of(world: &World<'_>, workload: &Workload<'_>) -> Self {
        match Self::of_namespace(world, &workload.object.namespace) {
            Self::Privileged if !is_of_the_node(workload) => Self::Restricted,
            standard => standard,
        }
    }

    fn of_namespace(world: &World<'_>, namespace: &str) -> Self {
        let object = world.of_kind("Namespace").find(|object| object.name == namespace);
        let labels = object.map(|object| object.at("metadata.labels"));
        let label = labels.map(|labels| labels.get("pod-security.kubernetes.io/enforce"));
        match label.and_then(|label| label.text()) {
            Some("privileged") => Self::Privileged,
            Some("baseline") => Self::Baseline,
            _ => Self::Restricted,
        }
    }
}

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in &world.workloads {
        let standard = Standard::of(world, workload);
        findings.extend(of_pod(workload, standard));
        findings.extend(
            workload
                .containers
                .iter()
                .flat_map(|container| of_container(&workload.pod, container, standard)),
        );
    }
    findings
}

/// It runs on each node, and a container mounts a folder of it.
fn is_of_the_node(workload: &Workload<'_>) -> bool {
    let mounted = |name: Option<&str>| {
        workload.containers.iter().any(|container| {
            let mounts = container.field.each("volumeMounts[].name");
            name.is_some() && mounts.iter().any(|mount| mount.text() == name)
        })
    };
    workload.object.kind == "DaemonSet"
        && workload
            .pod
            .get("volumes")
            .items()
            .iter()
            .any(|volume| volume.get("hostPath").exists() && mounted(volume.get("name").text()))
}

fn of_pod(workload: &Workload<'_>, standard: Standard) -> Vec<Finding> {
    // image volumes are in the admission's code and not in the standard's page
    const VOLUMES: [&str; 9] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let mut findings = Vec::new();
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        let field = workload.pod.get(name);
        if field.flag() == Some(true) {
            findings.push(field.error(ID, "a restricted pod may not share this with its node"));
        }
    }
    for volume in workload.pod.get("volumes").items() {
        for (kind, field) in volume.entries() {
            let is_of_the_node = kind == "hostPath" && standard == Standard::Privileged;
            if kind != "name" && !VOLUMES.contains(&kind) && !is_of_the_node {
                findings.push(
                    field
                        .error(
                            ID,
                            format!("a restricted pod may not mount a volume of the kind {kind}"),
                        )
                        .help(
                            "another kind, or a DaemonSet in a namespace of its own with the label \
                             pod-security.kubernetes.io/enforce: privileged",
                        ),
                );
            }
        }
    }
    findings
}

fn of_container(pod: &Field<'_>, container: &Container<'_>, standard: Standard) -> Vec<Finding> {
    let own = container.field.get("securityContext");
    let of_pod = pod.get("securityContext");
    // what a container does not say is taken from its pod
    let either = |path: &str| if own.at(path).exists() { own.at(path) } else { of_pod.at(path) };
    let mut findings = Vec::new();
    // whoever says that root is meant, where it is allowed, knows it
    let root_is_meant =
        standard != Standard::Restricted && either("runAsNonRoot").flag() == Some(false);
    if !root_is_meant && either("runAsNonRoot").flag() != Some(true) {
        let field = if either("runAsNonRoot").exists() {
            either("runAsNonRoot")
        } else {
            own.get("runAsNonRoot")
        };
        findings.push(
            field
                .error(ID, "a restricted container must not run as root")
                .help("runAsNonRoot: true"),
        );
    }
    let user = either("runAsUser");
    if !root_is_meant && user.integer() == Some(0) {
        findings.push(user.error(ID, "0 is root"));
    }
    let escalation = own.get("allowPrivilegeEscalation");
    if escalation.flag() != Some(false) {
        findings.push(
            escalation
                .error(ID, "a restricted container must not gain privileges")
                .help("allowPrivilegeEscalation: false"),
        );
    }
    let privileged = own.get("privileged");
    if privileged.flag() == Some(true) {
        findings.push(privileged.error(ID, "a restricted container must not be privileged"));
    }
    let dropped = own.at("capabilities.drop");
    if !dropped.items().iter().any(|name| name.text() == Some("ALL")) {
        findings.push(
            dropped
                .error(ID, "a restricted container drops all capabilities")
                .help("capabilities: {drop: [ALL]}"),
        );
    }
    let added = own
        .at("capabilities.add")
        .items()
        .into_iter()
        .filter(|name| name.text() != Some("NET_BIND_SERVICE"));
    findings.extend(
        added.map(|name| name.error(ID, "a restricted container may add NET_BIND_SERVICE only")),
    );
    let profile = either("seccompProfile.type");
    if !matches!(profile.text(), Some("RuntimeDefault" | "Localhost")) {
        let field = if profile.exists() { profile } else { own.at("seccompProfile.type") };
        findings.push(
            field
                .error(ID, "a restricted container has a seccomp profile")
                .help("seccompProfile: {type: RuntimeDefault}"),
        );
    }
    let ports = container
        .field
        .each("ports[].hostPort")
        .into_iter()
        .filter(|port| port.integer().is_some_and(|port| port != 0));
    findings.extend(
        ports.map(|port| port.error(ID, "a restricted container may not take a port of its node")),
    );
    // beyond the standard, and what these images are made for
    let root = own.get("readOnlyRootFilesystem");
    if root.flag() != Some(true) {
        findings.push(
            root.warning(ID, "the root file system can be written to")
                .help("readOnlyRootFilesystem: true, and an emptyDir where files are written"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    const RESTRICTED: &str = "securityContext: {allowPrivilegeEscalation: false, \
        readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}";
    const POD: &str =
        "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}";

    #[test]
    fn a_restricted_pod_is_clean() {
        let image = format!("{POD}, volumes: [{{name: a, image: {{reference: 'models:1'}}}}]");
        for pod in [POD, &image] {
            assert_eq!(
                found(&deployment("a", RESTRICTED, pod), "pod-security"),
                Vec::<String>::new()
            );
        }
    }

    #[test]
    fn a_namespace_says_what_its_pods_may() {
        let root = POD.replace("runAsNonRoot: true", "runAsNonRoot: false, runAsUser: 0");
        let folder = format!("{root}, volumes: [{{name: a, hostPath: {{path: /}}}}]");
        let shared = format!("{folder}, hostNetwork: true, hostPID: true, hostIPC: true");
        for (standard, kind, pod, faults) in [
            ("privileged", "DaemonSet", folder.as_str(), 0),
            ("privileged", "DaemonSet", shared.as_str(), 3),
            // nothing of the node is mounted
            ("privileged", "DaemonSet", root.as_str(), 2),
            ("privileged", "Deployment", folder.as_str(), 3),
            ("privileged", "Deployment", shared.as_str(), 6),
            ("privileged", "StatefulSet", root.as_str(), 2),
            ("privileged", "Deployment", POD, 0),
            ("privileged", "Deployment", "", 2),
            ("baseline", "Deployment", root.as_str(), 0),
            ("baseline", "DaemonSet", folder.as_str(), 1),
            ("restricted", "DaemonSet", folder.as_str(), 3),
        ] {
            let container = format!("{RESTRICTED}, volumeMounts: [{{name: a, mountPath: /a}}]");
            let set = deployment("a", &container, pod)
                .replace("kind: Deployment", &format!("kind: {kind}"))
                .replace("metadata: {name: a}", "metadata: {name: a, namespace: own}")
                + &format!(
                    "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: own, labels: \
                     {{pod-security.kubernetes.io/enforce: {standard}}}}}\n"
                );
            let found = found(&set, "pod-security");
            assert_eq!(found.len(), faults, "{standard}, {kind}, {pod}: {found:?}");
        }
    }

    #[test]
    fn each_liberty_is_named() {
        let cases = [
            (
                RESTRICTED.replace("Escalation: false", "Escalation: true"),
                POD.to_owned(),
                "allowPrivilegeEscalation",
            ),
            (RESTRICTED.replace("[ALL]", "[CHOWN]"), POD.to_owned(), "capabilities.drop"),
            (
                RESTRICTED.replace("Filesystem: true", "Filesystem: false"),
                POD.to_owned(),
                "readOnlyRootFilesystem",
            ),
            (RESTRICTED.to_owned(), POD.replace("true", "false"), "runAsNonRoot"),
            (
                RESTRICTED.to_owned(),
                POD.replace("RuntimeDefault", "Unconfined"),
                "seccompProfile.type",
            ),
            (
                RESTRICTED.to_owned(),
                POD.replace("runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0"),
                "runAsUser",
            ),
            (RESTRICTED.to_owned(), format!("{POD}, hostNetwork: true"), "hostNetwork"),
            (
                RESTRICTED.to_owned(),
                format!("{POD}, volumes: [{{name: a, hostPath: {{path: /}}}}]"),
                "volumes[0].hostPath",
            ),
        ];
        for (container, pod, field) in cases {
            let found = found(&deployment("a", &container, &pod), "pod-security");
            assert!(found.len() == 1 && found[0].contains(field), "{field}: {found:?}");
        }
    }
}
