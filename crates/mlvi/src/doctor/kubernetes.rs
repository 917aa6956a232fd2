//! What the commands for a cluster need. Nothing of it is in the way of `mlvi up`.

use super::finding::Finding;
use super::programs::{first_line, in_path};
use crate::external::Binary;

const WHAT: &str = "Kubernetes";

pub(super) fn look() -> Vec<Finding> {
    let mut findings = Vec::new();
    if !Binary::Kubernetes.is_there() {
        findings.push(Finding::doubtful(
            WHAT,
            "mlvi-kubernetes is neither beside mlvi nor in PATH: no check, autoscale, status, \
             credentials",
            "cargo build --release -p mlvi-kubernetes",
        ));
    }
    findings.push(cluster());
    findings
}

fn cluster() -> Finding {
    let mend = "nothing, if you want no cluster; else install kubectl and give it a kubeconfig";
    if in_path("kubectl").is_none() {
        return Finding::doubtful(WHAT, "no kubectl in PATH", mend);
    }
    let Some(context) = first_line("kubectl", &["config", "current-context"]) else {
        return Finding::doubtful(WHAT, "kubectl has no current context", mend);
    };
    let asked = ["--request-timeout=3s", "get", "--raw", "/version"];
    match first_line("kubectl", &asked) {
        Some(_) => Finding::fine(WHAT, format!("the cluster of context {context} answers")),
        None => Finding::doubtful(
            WHAT,
            format!("the cluster of context {context} does not answer"),
            "kubectl version shows why",
        ),
    }
}
