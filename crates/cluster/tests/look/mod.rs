//! One look through a played API server, with and without the right to.

use super::played_api::PlayedApi;
use super::write_kubeconfig;
use cluster::{AutoscalerSeen, DeploymentSeen, LookConfig, Looker, RunningPod};
use serde_json::{Value, json};
use std::time::Duration;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/video/deployments";
const AUTOSCALERS: &str = "/apis/autoscaling/v2/namespaces/video/horizontalpodautoscalers";
/// How long a pod may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PODS: &str = "/api/v1/namespaces/video/pods";

fn list(kind: &str, items: &Value) -> (u64, String) {
    (
        200,
        json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
            .to_string(),
    )
}

fn refusal(path: &str) -> (u64, String) {
    let status = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": format!("{path} is forbidden")});
    (403, status.to_string())
}

fn serve(api: &PlayedApi, path: &str, answer: (u64, String)) {
    api.change(|world| drop(world.served.insert(path.to_owned(), answer)));
}

async fn looker(api: &PlayedApi, context: Option<&str>) -> anyhow::Result<Result<Looker, String>> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    write_kubeconfig(&kubeconfig, api)?;
    let config = LookConfig {
        kubeconfig: Some(kubeconfig),
        context: context.map(str::to_owned),
        namespace: None,
    };
    Ok(Looker::new(&config).await)
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
    let api = PlayedApi::start().await?;
    let deployment = json!({"metadata": {"name": "edge-inference"}, "status": {"readyReplicas": 2},
        "spec": {"replicas": 4, "selector": {"matchLabels": {}}, "template": {}}});
    serve(&api, DEPLOYMENTS, list("Deployment", &json!([deployment])));
    let limited = json!([{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": "wants more"}]);
    serve(&api, AUTOSCALERS, list("HorizontalPodAutoscaler", &json!([autoscaler(&limited)])));
    let pods = json!([pod("a", "Running", "True"), pod("b", "Running", "False"), pod("c", "Pending", "False"), {"metadata": {"name": "other"}}]);
    serve(&api, PODS, list("Pod", &pods));
    serve(&api, &format!("{PODS}/a:9600/proxy/metrics"), (200, "mlvi_x 1\n".into()));

    let looker = looker(&api, None).await?.map_err(anyhow::Error::msg)?;
    assert_eq!(looker.namespace(), "video");
    let seen = looker.look().await;
    let deployment = DeploymentSeen {
        name: "edge-inference".into(),
        app: "edge-inference".into(),
        wanted: 4,
        ready: 2,
    };
    assert_eq!(seen.deployments, Ok(vec![deployment]));
    let expected = AutoscalerSeen {
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
    assert_eq!(looker.metrics("a", 9600, PATIENCE).await, Ok("mlvi_x 1\n".into()));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_rest_is_seen() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    serve(&api, DEPLOYMENTS, list("Deployment", &json!([])));
    serve(&api, AUTOSCALERS, refusal(AUTOSCALERS));
    serve(&api, PODS, list("Pod", &json!([pod("a", "Running", "True")])));
    let proxied = format!("{PODS}/a:9600/proxy/metrics");
    serve(&api, &proxied, refusal("pods/proxy"));
    let looker = looker(&api, Some("played")).await?.map_err(anyhow::Error::msg)?;
    let seen = looker.look().await;
    assert_eq!(seen.deployments, Ok(Vec::new()));
    assert!(
        seen.autoscalers
            .is_err_and(|reason| reason.contains("horizontalpodautoscalers is forbidden"))
    );
    assert_eq!(seen.pods.map(|pods| pods.len()), Ok(1));
    assert!(
        looker
            .metrics("a", 9600, PATIENCE)
            .await
            .is_err_and(|reason| reason.contains("pods/proxy is forbidden"))
    );
    // a pod that is not there any more
    assert!(looker.metrics("gone", 9600, PATIENCE).await.is_err());
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
        let api = PlayedApi::start().await?;
        serve(
            &api,
            AUTOSCALERS,
            list("HorizontalPodAutoscaler", &json!([autoscaler(&conditions)])),
        );
        let seen = looker(&api, None).await?.map_err(anyhow::Error::msg)?.look().await;
        let kept_by = seen.autoscalers.map_err(anyhow::Error::msg)?[0].kept_by.clone();
        assert_eq!(kept_by.as_deref(), expected, "{conditions}");
    }
    Ok(())
}

#[tokio::test]
async fn a_context_that_is_not_there_is_named_with_those_that_are() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    let reason = looker(&api, Some("elsewhere")).await?.err().unwrap_or_default();
    assert!(reason.contains("no context 'elsewhere'; it has: played"), "{reason}");
    Ok(())
}
