//! Deployments, autoscalers, pods and their metrics.

use crate::fake_api::{Answers, FakeApi, failure, list};
use cluster::ConnectError;
use cluster_inspect::{AutoscalerStatus, DeploymentStatus, InspectConfig, Inspector, RunningPod};
use serde_json::{Value, json};
use std::time::Duration;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/video/deployments";
const AUTOSCALERS: &str = "/apis/autoscaling/v2/namespaces/video/horizontalpodautoscalers";
/// How long a pod may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PODS: &str = "/api/v1/namespaces/video/pods";

fn forbidden(path: &str) -> (u16, String) {
    failure(403, &format!("{path} is forbidden"))
}

fn answers<const N: usize>(answers: [(&str, (u16, String)); N]) -> Answers {
    answers.map(|(path, answer)| (path.to_owned(), answer)).into()
}

async fn inspector(api: &FakeApi, context: Option<&str>) -> Result<Inspector, ConnectError> {
    let config = InspectConfig {
        kubeconfig: Some(api.kubeconfig()),
        context: context.map(str::to_owned),
        namespace: None,
    };
    Inspector::new(&config).await
}

fn pod(name: &str, phase: &str, ready: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app.kubernetes.io/name": "edge-inference"}},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}})
}

fn autoscaler(conditions: &Value) -> Value {
    json!({
        "metadata": {"name": "edge"},
        "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "edge-inference"}, "metrics": [
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": {"type": "Utilization", "averageUtilization": 60}}},
            {"type": "External", "external": {"metric": {"name": "s0-kafka"}, "target": {"type": "AverageValue", "averageValue": "10"}}}]},
        "status": {"currentReplicas": 2, "desiredReplicas": 4, "conditions": conditions, "currentMetrics": [
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "current": {"averageUtilization": 91, "averageValue": "910m"}}}]},
    })
}

#[tokio::test]
async fn everything_is_seen_that_is_allowed() -> anyhow::Result<()> {
    let deployment = json!({"metadata": {"name": "edge-inference"}, "status": {"readyReplicas": 2},
        "spec": {"replicas": 4, "selector": {"matchLabels": {}}, "template": {}}});
    let limited = json!([{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": "wants more"}]);
    let pods = json!([pod("a", "Running", "True"), pod("b", "Running", "False"), pod("c", "Pending", "False"), {"metadata": {"name": "other"}}]);
    let metrics = format!("{PODS}/a:9600/proxy/metrics");
    let api = FakeApi::serve(answers([
        (DEPLOYMENTS, list(&json!([deployment]))),
        (AUTOSCALERS, list(&json!([autoscaler(&limited)]))),
        (PODS, list(&pods)),
        (&metrics, (200, "mlvi_x 1\n".into())),
    ]))
    .await?;

    let inspector = inspector(&api, None).await?;
    assert_eq!(inspector.namespace(), "video");
    let seen = inspector.inspect().await;
    let deployment = DeploymentStatus {
        name: "edge-inference".into(),
        app: "edge-inference".into(),
        wanted: 4,
        ready: 2,
    };
    assert_eq!(seen.deployments, Ok(vec![deployment]));
    let expected = AutoscalerStatus {
        name: "edge".into(),
        deployment: "edge-inference".into(),
        min: 2,
        max: 5,
        current: 2,
        desired: 4,
        metrics: vec!["cpu 91/60 %".into(), "s0-kafka ?/10".into()],
        kept_by: Some("TooManyReplicas: wants more".into()),
    };
    assert_eq!(seen.autoscalers, Ok(vec![expected]));
    let running =
        |name: &str, ready| RunningPod { name: name.into(), app: "edge-inference".into(), ready };
    assert_eq!(seen.pods, Ok(vec![running("a", true), running("b", false)]));
    assert_eq!(inspector.metrics("a", 9600, PATIENCE).await, Ok("mlvi_x 1\n".into()));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_rest_is_seen() -> anyhow::Result<()> {
    let metrics = format!("{PODS}/a:9600/proxy/metrics");
    let api = FakeApi::serve(answers([
        (DEPLOYMENTS, list(&json!([]))),
        (AUTOSCALERS, forbidden(AUTOSCALERS)),
        (PODS, list(&json!([pod("a", "Running", "True")]))),
        (&metrics, forbidden("pods/proxy")),
    ]))
    .await?;
    let inspector = inspector(&api, Some("fake")).await?;
    let seen = inspector.inspect().await;
    assert_eq!(seen.deployments, Ok(Vec::new()));
    assert!(
        seen.autoscalers.is_err_and(|error| error
            .to_string()
            .contains("horizontalpodautoscalers is forbidden"))
    );
    assert_eq!(seen.pods.map(|pods| pods.len()), Ok(1));
    assert!(
        inspector
            .metrics("a", 9600, PATIENCE)
            .await
            .is_err_and(|error| error.to_string().contains("pods/proxy is forbidden"))
    );
    // a pod that is not there any more
    assert!(inspector.metrics("gone", 9600, PATIENCE).await.is_err());
    Ok(())
}

#[tokio::test]
async fn what_keeps_an_autoscaler_is_told_in_the_order_of_its_weight() -> anyhow::Result<()> {
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m"});
    let able = condition("AbleToScale", "True", "ReadyForNewScale");
    let blind = condition("ScalingActive", "False", "FailedGetContainerResourceMetric");
    let stabilised = condition("AbleToScale", "True", "ScaleDownStabilized");
    let limited = condition("ScalingLimited", "True", "TooFewReplicas");
    for (conditions, expected) in [
        (json!([able]), None),
        (json!([able, limited, blind]), Some("FailedGetContainerResourceMetric: m")),
        (json!([able, limited]), Some("TooFewReplicas: m")),
        (json!([stabilised]), Some("ScaleDownStabilized: m")),
    ] {
        let shown = list(&json!([autoscaler(&conditions)]));
        let api = FakeApi::serve(answers([(AUTOSCALERS, shown)])).await?;
        let seen = inspector(&api, None).await?.inspect().await;
        let kept_by = seen.autoscalers?[0].kept_by.clone();
        assert_eq!(kept_by.as_deref(), expected, "{conditions}");
    }
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_not_there_is_named_with_those_that_are() -> anyhow::Result<()> {
    let api = FakeApi::absent().await?;
    let error = inspector(&api, Some("elsewhere")).await.err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(error.contains("no context 'elsewhere'; it has: fake"), "{error}");
    Ok(())
}
