//! Manifests as they should be, and with one mistake each.

use super::*;
use crate::{Knowledge, Set, World, documents};
use autoscale::{Behavior, ChangePolicy, Metric, PolicyKind, Rules, Select, Spec};
use std::time::Duration;

const HPA: &str = r"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: edge-inference}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: edge-inference}
  minReplicas: 2
  maxReplicas: 8
  metrics:
    - type: ContainerResource
      containerResource: {container: edge-inference, name: cpu, target: {type: Utilization, averageUtilization: 65}}
  behavior:
    scaleUp:
      tolerance: 0.05
      policies: [{type: Pods, value: 2, periodSeconds: 30}]
    scaleDown:
      stabilizationWindowSeconds: 600
      selectPolicy: Min
";

fn read(text: &str) -> Result<Option<Autoscaler>, ManifestError> {
    Autoscaler::read(&documents(text)?[0])
}

#[test]
fn an_autoscaler_is_read_over_what_the_api_server_fills_in() {
    let found = read(HPA).unwrap().unwrap();
    let up_policy =
        ChangePolicy { kind: PolicyKind::Pods, value: 2, period: Duration::from_secs(30) };
    let expected = Spec {
        min: 2,
        max: 8,
        metrics: vec![Metric::CpuUtilisation {
            container: Some("edge-inference".into()),
            percent: 65,
        }],
        behavior: Some(Behavior {
            up: Rules { policies: vec![up_policy], tolerance: 0.05, ..Rules::up() },
            down: Rules {
                stabilisation: Duration::from_secs(600),
                select: Select::Min,
                ..Rules::down()
            },
        }),
    };
    assert_eq!(
        (found.kind, found.target.as_str(), found.spec),
        (AutoscalerKind::Hpa, "edge-inference", expected)
    );
    let bare = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n\
                spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: a}}";
    let spec = read(bare).unwrap().unwrap().spec;
    let cpu = vec![Metric::CpuUtilisation { container: None, percent: 80 }];
    assert_eq!(spec, Spec { min: 1, max: 3, metrics: cpu, behavior: None });
}

#[test]
fn each_mistake_is_named_with_its_object_and_field() {
    for (from, to, parts) in [
        ("maxReplicas", "maxReplica", vec!["edge-inference", "spec.maxReplica is not known"]),
        ("scaleDown", "scaledown", vec!["spec.behavior.scaledown is not known"]),
        ("minReplicas: 2", "minReplicas: two", vec!["spec.minReplicas", "invalid type", "two"]),
        ("minReplicas: 2", "minReplicas: 9", vec!["maxReplicas is 8", "which is 9"]),
        ("minReplicas: 2", "minReplicas: 0", vec!["minReplicas is 0", "at least 1"]),
        (
            "averageUtilization: 65",
            "averageUtilization: 0",
            vec!["averageUtilization is 0", "at least 1"],
        ),
        (
            "type: Utilization",
            "type: Utilisation",
            vec!["'Utilisation'", "Utilization or AverageValue"],
        ),
        (
            "selectPolicy: Min",
            "selectPolicy: Least",
            vec!["scaleDown.selectPolicy is 'Least'", "Max, Min or Disabled"],
        ),
        ("type: Pods", "type: Pod", vec!["scaleUp.policies[0].type is 'Pod'", "Pods or Percent"]),
        ("periodSeconds: 30", "periodSeconds: 3000", vec!["periodSeconds is 3000", "1 to 1800"]),
        ("WindowSeconds: 600", "WindowSeconds: 6000", vec!["WindowSeconds is 6000", "0 to 3600"]),
        (
            "autoscaling/v2",
            "autoscaling/v2beta2",
            vec!["autoscaling/v2beta2", "must be autoscaling/v2"],
        ),
        ("maxReplicas: 8", "maxReplicas: 8\n  maxReplicas: 9", vec!["maxReplicas"]),
    ] {
        assert!(HPA.contains(from), "{from}");
        let message = read(&HPA.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{to}: {message}");
    }
}

const SCALED_OBJECT: &str = r#"
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: edge-inference}
spec:
  scaleTargetRef: {name: edge-inference}
  minReplicaCount: 0
  maxReplicaCount: 6
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 120}}
  triggers:
    - type: kafka
      metadata: {bootstrapServers: "edge-broker:9092", consumerGroup: g, topic: t, lagThreshold: "20", version: "4.0.0"}
      authenticationRef: {name: broker}
"#;

#[test]
fn a_scaled_object_is_read_as_the_autoscaler_that_it_makes() {
    let found = read(SCALED_OBJECT).unwrap().unwrap();
    assert_eq!(
        (found.kind, found.target.as_str(), found.spec.min, found.spec.max),
        (AutoscalerKind::ScaledObject, "edge-inference", 1, 6)
    );
    assert_eq!(found.spec.metrics, [Metric::Lag { per_replica: 20 }]);
    assert_eq!(found.spec.behavior.unwrap().down.stabilisation, Duration::from_secs(120));
    assert!(found.notes[0].contains("minReplicaCount is 0"), "{:?}", found.notes);
    for (from, to, part) in [
        ("maxReplicaCount", "maxReplicas", "spec.maxReplicas is not known"),
        ("{name: edge-inference}", "{nam: edge-inference}", "metadata.nam is not known"),
        ("{name: edge-inference}", "{}", "metadata.name is missing"),
        (r#"lagThreshold: "20""#, r#"lagThreshold: "many""#, "lagThreshold is 'many'"),
        ("maxReplicaCount: 6", "maxReplicaCount: 0", "maxReplicaCount is 0"),
    ] {
        let message = read(&SCALED_OBJECT.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_scaled_object_is_read_as_a_cluster_gives_it() {
    let metadata = r#"metadata:
  name: edge-inference
  namespace: mlvi
  uid: 8f0a61f5-6f3a-4d0c-9a43-0d5c6c0f2a11
  resourceVersion: "1042"
  generation: 3
  creationTimestamp: "2026-01-02T03:04:05Z"
  finalizers: [finalizer.keda.sh]
  managedFields: [{manager: keda, operation: Update, apiVersion: keda.sh/v1alpha1, fieldsType: FieldsV1, fieldsV1: {"f:status": {}}}]
status: {conditions: [{type: Ready, status: "True"}], hpaName: keda-hpa-edge-inference}"#;
    let found = read(&SCALED_OBJECT.replacen("metadata: {name: edge-inference}", metadata, 1))
        .unwrap()
        .unwrap();
    assert_eq!((found.name.as_str(), found.spec.max), ("edge-inference", 6));
}

#[test]
fn requests_settings_and_pauses_are_found() {
    let text = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-inference}
spec:
  template:
    spec:
      containers:
        - name: edge-inference
          env: [{name: MLVI_MODEL_THREADS, value: "2"}, {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
          envFrom: [{configMapRef: {name: mlvi-bus}}, {secretRef: {name: s}}]
          resources: {requests: {cpu: 1500m}, limits: {cpu: 2}}
          lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mlvi-bus}
data: {MLVI_PARTITIONS: "12"}
"#;
    let read = |text: &str| Set::of_text(text, "all.yml").unwrap();
    let (set, knowledge) = (read(text), Knowledge::default());
    let world = World::of(&set, &knowledge, None);
    let found = world.workload("Deployment", "edge-inference").unwrap();
    let container = found.main_containers().next().unwrap();
    assert_eq!(
        (container.cpu_request(), container.cpu_limit(), found.pre_stop_s()),
        (Ok(Some(1.5)), Ok(Some(2.0)), 5.0)
    );
    let own = ["MLVI_MODEL_THREADS", "MLVI_PARTITIONS"].map(|name| container.variable(name));
    assert_eq!(own, [Some("2"), Some("12")]);
    assert_eq!(container.variable("POD_NAME"), None, "nobody can say what it will be");
    let set = read(&text.replace("1500m", "lots"));
    let world = World::of(&set, &knowledge, None);
    let found = world.workload("Deployment", "edge-inference").unwrap();
    let message = found.main_containers().next().unwrap().cpu_request().unwrap_err().to_string();
    assert!(
        message.contains("Deployment edge-inference: spec.template.spec.containers[0]")
            && message.contains("resources.requests.cpu is 'lots'"),
        "{message}"
    );
}
