//! The objects of a namespace read through the played API server.

use super::played_api::PlayedApi;
use super::write_kubeconfig;
use cluster::{LiveError, LookConfig, read_live};
use serde_json::json;
use std::path::Path;

fn config(kubeconfig: &Path) -> LookConfig {
    LookConfig { kubeconfig: Some(kubeconfig.to_owned()), context: None, namespace: None }
}

fn list(kind: &str, items: serde_json::Value) -> String {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": "1"}, "items": items})
        .to_string()
}

fn forbidden(what: &str) -> String {
    let message = format!("{what} is forbidden: User \"tester\" cannot list resource \"{what}\"");
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden", "message": message})
        .to_string()
}

#[tokio::test]
async fn a_kind_that_is_refused_is_named_once_and_the_rest_is_read() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    let object = json!({"metadata": {"name": "bus", "managedFields": [{"manager": "x"}]}, "data": {"A": "b"}});
    let service = json!({"metadata": {"name": "door"}, "spec": {"ports": [{"port": 80}]}});
    api.change(|world| {
        let core = "/api/v1/namespaces/video";
        world
            .served
            .insert(format!("{core}/configmaps"), (200, list("ConfigMapList", json!([object]))));
        world
            .served
            .insert(format!("{core}/services"), (200, list("ServiceList", json!([service]))));
        world.served.insert(
            "/apis/apps/v1/namespaces/video/deployments".into(),
            (403, forbidden("deployments")),
        );
    });
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    write_kubeconfig(&kubeconfig, &api)?;
    let live = read_live(&config(&kubeconfig)).await?;
    assert_eq!(live.namespace, "video");
    let named: Vec<&str> = live.refused.iter().map(|(kinds, _)| kinds.as_str()).collect();
    assert_eq!(named, ["deployments"]);
    assert!(live.refused[0].1.contains("cannot list"), "{:?}", live.refused);
    let expected = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bus"}, "data": {"A": "b"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "door"}, "spec": {"ports": [{"port": 80}]}}),
    ];
    assert_eq!(live.objects, expected);
    // whoever has no KEDA has no ScaledObjects, which is no trouble
    assert!(live.absent.contains(&"scaledobjects".to_owned()), "{:?}", live.absent);
    Ok(())
}

#[tokio::test]
async fn without_a_cluster_it_is_said_why() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    let error = read_live(&config(&kubeconfig)).await.unwrap_err();
    assert!(matches!(error, LiveError::NoCluster(_)), "{error}");

    let away = PlayedApi::away().await?;
    write_kubeconfig(&kubeconfig, &away)?;
    let error = read_live(&config(&kubeconfig)).await.unwrap_err();
    assert!(matches!(error, LiveError::Unreachable(_)), "{error}");

    let named = LookConfig { context: Some("other".into()), ..config(&kubeconfig) };
    let error = read_live(&named).await.unwrap_err().to_string();
    assert!(error.contains("other"), "{error}");

    let broken = PlayedApi::start().await?;
    write_kubeconfig(&kubeconfig, &broken)?;
    broken.change(|world| {
        let answer =
            json!({"kind": "Status", "status": "Failure", "code": 500, "message": "etcd is away"})
                .to_string();
        world.served.insert("/api/v1/namespaces/video/configmaps".into(), (500, answer));
    });
    let error = read_live(&config(&kubeconfig)).await.unwrap_err().to_string();
    assert!(error.contains("etcd is away"), "{error}");
    Ok(())
}
