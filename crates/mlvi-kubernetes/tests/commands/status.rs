//! `mlvi status` as a command, with a played cluster.

use crate::played::Played;
use crate::{mlvi, offline};
use serde_json::{Value, json};

const PODS: [&str; 3] = ["a", "b", "c"];

fn suite() -> Played {
    let labels = json!({"app.kubernetes.io/name": "edge-inference"});
    let pods: Vec<Value> = PODS
        .iter()
        .map(|name| json!({"metadata": {"name": name, "namespace": "mlvi", "labels": labels}, "status": {"phase": "Running"}}))
        .collect();
    let deployment = json!([{"metadata": {"name": "edge-inference", "namespace": "mlvi", "labels": labels},
        "spec": {"replicas": 3, "selector": {}, "template": {}}, "status": {"readyReplicas": 3}}]);
    let scaler = json!([{"metadata": {"name": "edge-inference", "namespace": "mlvi"},
        "spec": {"minReplicas": 1, "maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "edge-inference"}}}]);
    let suite = Played::default()
        .list("/api/v1/namespaces/mlvi/pods", json!(pods))
        .list("/apis/apps/v1/namespaces/mlvi/deployments", deployment)
        .list("/apis/autoscaling/v2/namespaces/mlvi/horizontalpodautoscalers", scaler);
    PODS.iter().fold(suite, |suite, pod| {
        suite.text(
            &format!("/api/v1/namespaces/mlvi/pods/{pod}:9600/proxy/metrics"),
            "mlvi_inference_frames_total 3\n",
        )
    })
}

const STATUS: [&str; 4] = ["status", "--over-s", "0.1", "--json"];

#[test]
fn the_pods_of_the_namespace_are_asked_all_at_once() -> anyhow::Result<()> {
    // one after the other, each would wait for the others until its patience ends
    let (_folder, kubeconfig) = suite().texts_together(PODS.len()).serve()?;
    let found = mlvi(&STATUS, "", &kubeconfig)?;
    let status: Value = serde_json::from_str(&found.stdout)
        .map_err(|_| anyhow::anyhow!("{}{}", found.stdout, found.stderr))?;
    let row = &status["units"][0];
    assert_eq!(
        (found.code, &status["namespace"], &row["unit"]),
        (0, &json!("mlvi"), &json!("edge-inference"))
    );
    assert_eq!(
        (&row["answering"], &row["ready"], &row["autoscaler"]["max"]),
        (&json!(3), &json!(3), &json!(4)),
        "{status}"
    );
    assert_eq!(status["troubles"], json!([]));
    Ok(())
}

#[test]
fn what_the_roles_refuse_is_said_once_and_the_rest_is_shown() -> anyhow::Result<()> {
    let (_folder, kubeconfig) =
        suite().refuse("horizontalpodautoscalers").refuse("proxy/metrics").serve()?;
    let found = mlvi(&["status", "--over-s", "0.1"], "", &kubeconfig)?;
    assert_eq!(found.code, 0, "{}", found.stderr);
    assert!(
        found.stdout.contains("edge-inference") && found.stdout.contains("3/3"),
        "{}",
        found.stdout
    );
    for part in ["autoscalers cannot be seen", "metrics cannot be seen, of pod a for one"] {
        assert_eq!(found.stderr.matches(part).count(), 1, "{part}: {}", found.stderr);
    }
    Ok(())
}

#[test]
fn a_namespace_without_the_suite_is_a_reason() -> anyhow::Result<()> {
    let nothing = Played::default()
        .list("/api/v1/namespaces/other/pods", json!([]))
        .list("/apis/apps/v1/namespaces/other/deployments", json!([]))
        .list("/apis/autoscaling/v2/namespaces/other/horizontalpodautoscalers", json!([]));
    let (_folder, kubeconfig) = nothing.serve()?;
    let found = mlvi(&["status", "--namespace", "other"], "", &kubeconfig)?;
    assert!(
        found.code == 1 && found.stderr.contains("namespace other has no Deployment"),
        "{}",
        found.stderr
    );
    let none = offline(&["status"], "")?;
    assert!(none.code == 1 && none.stderr.contains("--admin URL"), "{}", none.stderr);
    Ok(())
}
