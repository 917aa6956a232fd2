//! The objects of a namespace.

use crate::fake_api::{Answers, FakeApi, failure, list};
use cluster_inspect::{InspectConfig, LiveError, read_live};
use serde_json::json;

fn config(api: &FakeApi) -> InspectConfig {
    InspectConfig { kubeconfig: Some(api.kubeconfig()), context: None, namespace: None }
}

#[tokio::test]
async fn a_refused_kind_is_named_once_and_the_rest_is_read() -> anyhow::Result<()> {
    let object = json!({"metadata": {"name": "bus", "managedFields": [{"manager": "x"}]}, "data": {"A": "b"}});
    let service = json!({"metadata": {"name": "intake"}, "spec": {"ports": [{"port": 80}]}});
    let forbidden =
        "deployments is forbidden: User \"tester\" cannot list resource \"deployments\"";
    let api = FakeApi::serve(Answers::from([
        ("/api/v1/namespaces/video/configmaps".to_owned(), list(&json!([object]))),
        ("/api/v1/namespaces/video/services".to_owned(), list(&json!([service]))),
        ("/apis/apps/v1/namespaces/video/deployments".to_owned(), failure(403, forbidden)),
    ]))
    .await?;
    let live = read_live(&config(&api)).await?;
    assert_eq!(live.namespace, "video");
    let named: Vec<&str> = live.refused.iter().map(|(kinds, _)| kinds.as_str()).collect();
    assert_eq!(named, ["deployments"]);
    assert!(live.refused[0].1.contains("cannot list"), "{:?}", live.refused);
    let expected = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bus"},
            "data": {"A": "b"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "intake"},
            "spec": {"ports": [{"port": 80}]}}),
    ];
    assert_eq!(live.objects, expected);
    // whoever has no KEDA has no ScaledObjects, which is no fault
    assert!(live.absent.contains(&"scaledobjects".to_owned()), "{:?}", live.absent);
    Ok(())
}

#[tokio::test]
async fn without_a_cluster_the_reason_is_given() -> anyhow::Result<()> {
    let away = FakeApi::absent().await?;
    let error = read_live(&config(&away)).await.unwrap_err();
    assert!(matches!(error, LiveError::Unreachable(_)), "{error}");

    let named = InspectConfig { context: Some("other".into()), ..config(&away) };
    let error = read_live(&named).await.unwrap_err();
    assert!(matches!(error, LiveError::NoCluster(_)), "{error}");
    assert!(error.to_string().contains("other"), "{error}");

    std::fs::remove_file(away.kubeconfig())?;
    let error = read_live(&config(&away)).await.unwrap_err();
    assert!(matches!(error, LiveError::NoCluster(_)), "{error}");

    let broken = ("/api/v1/namespaces/video/configmaps".to_owned(), failure(500, "etcd is away"));
    let api = FakeApi::serve(Answers::from([broken])).await?;
    let error = read_live(&config(&api)).await.unwrap_err().to_string();
    assert!(error.contains("etcd is away"), "{error}");
    Ok(())
}
