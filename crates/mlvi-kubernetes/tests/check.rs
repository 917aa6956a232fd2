//! `mlvi check` on the real manifests: they are clean, and every fault that is planted in them is
//! found where it was planted.

use anyhow::{Context, ensure};
use manifests::{Report, Set, Severity, Tools};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn check(path: &Path, tools: &Tools) -> anyhow::Result<Report> {
    let set = Set::read(&[path.to_owned()], tools)?;
    Ok(manifests::check(
        &set,
        &mlvi_kubernetes::check::knowledge(&repository().join("models")),
        None,
    ))
}

fn listed(report: &Report) -> String {
    report.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // links are followed: what they name may lie beside
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

#[test]
fn the_manifests_are_clean() -> anyhow::Result<()> {
    let report = check(&repository().join("deploy"), &Tools::none())?;
    ensure!(report.is_clean(true), "{}", listed(&report));
    ensure!(report.objects > 30, "only {} objects", report.objects);
    // the Secrets that are made beside the manifests are told, and nothing else
    let mut notes = report.findings.iter();
    ensure!(
        report.notes > 0 && notes.all(|note| note.message.contains("Secret")),
        "{}",
        listed(&report)
    );
    Ok(())
}

#[test]
fn every_overlay_is_clean() -> anyhow::Result<()> {
    let overlays = [
        "k3s-single-node",
        "edge-cloud/edge",
        "edge-cloud/cloud",
        "three-brokers",
        "history",
        "keda",
        "monitoring",
        "observability",
        "strimzi",
    ];
    let mut wrong = Vec::new();
    for overlay in overlays {
        match check(&repository().join("deploy/overlays").join(overlay), &Tools::default()) {
            Ok(report) if report.is_clean(true) => {}
            Ok(report) => wrong.push(format!("{overlay}:\n{}", listed(&report))),
            Err(error) if error.to_string().contains("neither 'kubectl' nor 'kustomize'") => {
                requires::skip(requires::Requirement::Kustomize, &error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error).context(overlay),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A fault: in which file what is replaced by what, and what must be found where.
#[derive(Clone, Copy)]
struct Fault {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    rule: &'static str,
    /// What the field ends with.
    field: &'static str,
}

const fn fault(
    file: &'static str,
    from: &'static str,
    to: &'static str,
    rule: &'static str,
    field: &'static str,
) -> Fault {
    Fault { file, from, to, rule, field }
}

const WEB: &str = "web-server/deployment.yml";
const WEB_CONFIG: &str = "web-server/configuration.yml";
const PRE: &str = "preprocessor/deployment.yml";
const PRE_CONFIG: &str = "preprocessor/configuration.yml";
const PRE_ACCOUNT: &str = "preprocessor/account.yml";
const EDGE: &str = "edge-inference/deployment.yml";
const EDGE_CONFIG: &str = "edge-inference/configuration.yml";
const EDGE_BUDGET: &str = "edge-inference/disruption.yml";
const SCALE: &str = "suite/autoscale.yml";
const BUS: &str = "edge-broker/bus.yml";
const BROKER: &str = "edge-broker/configuration.yml";

/// What MLVideoInference left to luck.
const BETWEEN_UNITS: &[Fault] = &[
    fault(
        WEB_CONFIG,
        "MLVI_DRAIN:",
        "MLVI_TOPIC_PREFIX: other\n  MLVI_DRAIN:",
        "topic",
        "data.MLVI_TOPIC_PREFIX",
    ),
    fault(
        EDGE_CONFIG,
        "MLVI_DRAIN:",
        "MLVI_GROUP: mine\n  MLVI_DRAIN:",
        "group",
        "data.MLVI_GROUP",
    ),
    fault(BUS, "edge-broker:9092", "edge-brokr:9092", "broker-address", "data.MLVI_BROKERS"),
    fault(BUS, "edge-broker:9092", "edge-broker:9095", "broker-address", "data.MLVI_BROKERS"),
    fault(BUS, "edge-broker:9092", "localhost:9092", "broker-address", "data.MLVI_BROKERS"),
    fault(
        WEB_CONFIG,
        "MLVI_DRAIN:",
        "MLVI_BROKERS: other.example.org:9092\n  MLVI_DRAIN:",
        "broker-address",
        "data.MLVI_BROKERS",
    ),
    fault(BUS, "sasl_plaintext", "plaintext", "broker-security", "data.MLVI_KAFKA_SECURITY"),
    fault(BROKER, "CLOUD:SASL_SSL", "CLOUD:SSL", "broker-security", "data.MLVI_KAFKA_SECURITY"),
    fault(
        BROKER,
        "cloud.sasl.enabled.mechanisms=SCRAM-SHA-512",
        "cloud.sasl.enabled.mechanisms=PLAIN",
        "broker-security",
        "env",
    ),
    fault(
        BROKER,
        "    message.max.bytes=8454144",
        "    message.max.bytes=1048576",
        "message-size",
        "data[\"server.properties\"]",
    ),
    fault(
        BROKER,
        "    replica.fetch.max.bytes=8454144\n",
        "",
        "message-size",
        "data[\"server.properties\"]",
    ),
    fault(
        BUS,
        "MLVI_PARTITIONS: \"12\"",
        "MLVI_PARTITIONS: \"3\"",
        "partitions",
        "spec.maxReplicas",
    ),
    fault(
        WEB_CONFIG,
        "MLVI_DRAIN:",
        "MLVI_PARTITIONS: \"13\"\n  MLVI_DRAIN:",
        "partitions",
        "data.MLVI_PARTITIONS",
    ),
    fault(
        "edge-broker/network.yml",
        "values: [web-server, preprocessor,",
        "values: [web-server,",
        "network-policy",
        "spec.ingress",
    ),
    fault(
        "preprocessor/network.yml",
        "- port: 9092",
        "- port: 9094",
        "network-policy",
        "spec.egress",
    ),
    fault(
        BROKER,
        "    ssl.enabled.protocols=TLSv1.3,TLSv1.2\n",
        "",
        "broker-tls",
        "data[\"server.properties\"]",
    ),
    fault(
        BROKER,
        "=TLSv1.3,TLSv1.2",
        "=TLSv1.2,TLSv1.1",
        "broker-tls",
        "data[\"server.properties\"]",
    ),
    fault(
        "edge-broker/broker.yml",
        "0@edge-broker-0:",
        "0@edge-broker-1:",
        "broker-quorum",
        "value",
    ),
    fault(
        "edge-broker/broker.yml",
        "0@edge-broker-0:",
        "0@edge-broker-0.edge-broker-nodes.mlvi.svc:",
        "broker-quorum",
        "value",
    ),
    fault("edge-broker/broker.yml", "  replicas: 1\n", "  replicas: 3\n", "broker-quorum", "value"),
];

/// What scales what.
const SCALING: &[Fault] = &[
    fault(
        SCALE,
        "    name: edge-inference\n",
        "    name: edge-infrence\n",
        "scale-target",
        "spec.scaleTargetRef.name",
    ),
    fault(
        SCALE,
        "kind: Deployment\n    name: preprocessor",
        "kind: Deployment\n    name: web-server",
        "scale-target",
        "spec.scaleTargetRef.name",
    ),
    fault(
        SCALE,
        "container: edge-inference",
        "container: inference",
        "scale-metric",
        "containerResource.container",
    ),
    fault(SCALE, "minReplicas: 2", "minReplicas: 20", "scale-range", "spec.maxReplicas"),
    fault(
        SCALE,
        "apiVersion: autoscaling/v2\n",
        "apiVersion: autoscaling/v2beta2\n",
        "api-version",
        "apiVersion",
    ),
    fault(SCALE, "type: Percent", "type: Percents", "enum", "policies[0].type"),
    fault(
        EDGE,
        "  revisionHistoryLimit: 5",
        "  revisionHistoryLimit: 5\n  replicas: 2",
        "replicas",
        "spec.replicas",
    ),
    fault(WEB, "cpu: 100m", "ephemeral-storage: 1Gi", "scale-metric", "resources.requests.cpu"),
];

/// What each unit knows of its own settings.
const SETTINGS: &[Fault] = &[
    fault(PRE_CONFIG, "MLVI_WORKERS:", "MLVI_WORKRES:", "unknown-variable", "data.MLVI_WORKRES"),
    fault(PRE_CONFIG, "MLVI_WORKERS: \"2\"", "MLVI_WORKERS: \"0\"", "setting", "data.MLVI_WORKERS"),
    fault(
        "preprocessor/policy.yml",
        "policy = \"deadline\"",
        "policy = \"coin\"",
        "setting",
        "data.MLVI_POLICY_FILE",
    ),
    fault(
        WEB_CONFIG,
        "MLVI_DRAIN: 8s",
        "MLVI_DRAIN: 8s\n  MLVI_REGIONS_FILE: /etc/mlvi/broker/username",
        "regions",
        "data.MLVI_REGIONS_FILE",
    ),
    fault(
        PRE_CONFIG,
        "MLVI_CLUSTER: auto",
        "MLVI_EDGE_DEPLOYMENT: edge",
        "watched-deployment",
        "data.MLVI_EDGE_DEPLOYMENT",
    ),
    fault(
        EDGE_CONFIG,
        "MLVI_MODEL: yolov3-tiny",
        "MLVI_MODEL: yolov9000",
        "setting",
        "data.MLVI_MODEL",
    ),
    fault(EDGE, "$(MLVI_MODEL)", "yolov3-tiny-320", "model", "data.MLVI_MODEL"),
    fault(EDGE, "value: /models\n", "value: /model\n", "model", "env[4].value"),
    fault(
        PRE,
        "GracePeriodSeconds: 30",
        "GracePeriodSeconds: 10",
        "grace-period",
        "terminationGracePeriodSeconds",
    ),
    fault(
        PRE,
        "name: MLVI_KAFKA_USERNAME",
        "name: MLVI_KAFKA_USER",
        "unknown-variable",
        "valueFrom",
    ),
];

/// What does not fit among the objects.
const REFERENCES: &[Fault] = &[
    fault("web-server/service.yml", "targetPort: http", "targetPort: web", "port", "targetPort"),
    fault(WEB, "containerPort: 9600", "containerPort: 9601", "port", "containerPort"),
    fault(
        "web-server/service.yml",
        "selector:\n    app.kubernetes.io/name: web-server",
        "selector:\n    app.kubernetes.io/name: web",
        "selector",
        "spec.selector",
    ),
    fault(
        EDGE_BUDGET,
        "matchLabels:\n      app.kubernetes.io/name: edge-inference",
        "matchLabels:\n      app.kubernetes.io/name: edge",
        "selector",
        "spec.selector",
    ),
    fault(
        PRE,
        "matchLabels:\n      app.kubernetes.io/name: preprocessor",
        "matchLabels:\n      app.kubernetes.io/name: pre",
        "selector",
        "spec.selector",
    ),
    fault(
        EDGE_BUDGET,
        "maxUnavailable: 1",
        "maxUnavailable: 0",
        "disruption-budget",
        "spec.maxUnavailable",
    ),
    fault(
        PRE,
        "name: preprocessor-policy",
        "name: preprocessor-policies",
        "missing-object",
        "configMap.name",
    ),
    fault(
        PRE,
        "serviceAccountName: preprocessor",
        "serviceAccountName: preprocessing",
        "missing-object",
        "serviceAccountName",
    ),
    fault(
        WEB,
        "priorityClassName: mlvi-frames",
        "priorityClassName: mlvi-frame",
        "missing-object",
        "priorityClassName",
    ),
    fault(
        "suite/namespace.yml",
        "name: mlvi-broker\n",
        "name: mlvi-brokers\n",
        "missing-object",
        "priorityClassName",
    ),
    fault(
        "edge-broker/services.yml",
        "pod-name: edge-broker-0",
        "pod-name: edge-broker-1",
        "selector",
        "spec.selector",
    ),
    fault(
        PRE,
        "secretName: broker-login-site",
        "secretName: broker-login-sight",
        "missing-object",
        "secretName",
    ),
    fault(
        "edge-broker/broker.yml",
        "serviceName: edge-broker-nodes",
        "serviceName: edge-broker-node",
        "missing-object",
        "spec.serviceName",
    ),
    fault(PRE, "key: username", "key: user", "missing-key", "secretKeyRef.key"),
    fault(
        PRE,
        "- name: policy\n              mountPath",
        "- name: policies\n              mountPath",
        "mount",
        "volumeMounts[1].name",
    ),
    fault(
        PRE_ACCOUNT,
        "resourceNames: [edge-inference, cloud-inference]",
        "resourceNames: [edge-inference]",
        "rights",
        "rules",
    ),
    fault(
        PRE_ACCOUNT,
        "verbs: [get, list, watch]\n  #",
        "verbs: [get, list]\n  #",
        "rights",
        "rules",
    ),
    fault(
        PRE_ACCOUNT,
        "name: preprocessor\n    namespace: mlvi",
        "name: preprocessing\n    namespace: mlvi",
        "missing-object",
        "subjects[0].name",
    ),
];

/// What schemas know, and what they do not.
const FIELDS: &[Fault] = &[
    fault(WEB, "imagePullPolicy:", "imagePullPolcy:", "unknown-field", "imagePullPolcy"),
    fault(WEB, "containerPort: 9600", "containerPort: \"9600\"", "wrong-type", "containerPort"),
    fault(
        WEB,
        "imagePullPolicy: IfNotPresent",
        "imagePullPolicy: Sometimes",
        "enum",
        "imagePullPolicy",
    ),
    fault(EDGE_BUDGET, "AlwaysAllow", "Always", "enum", "unhealthyPodEvictionPolicy"),
    fault(WEB, "memory: 64Mi", "memory: 64MB", "quantity", "requests.memory"),
    fault(WEB, "memory: 64Mi", "memory: 64Gi", "quantity", "requests.memory"),
    fault(WEB, "path: /livez", "path: /healthz", "probe", "httpGet.path"),
    fault(WEB, "port: admin", "port: amdin", "probe", "httpGet.port"),
    fault(
        WEB,
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        "pod-security",
        "allowPrivilegeEscalation",
    ),
    fault(WEB, "drop: [ALL]", "drop: [NET_RAW]", "pod-security", "capabilities.drop"),
    fault(WEB, "runAsNonRoot: true", "runAsNonRoot: false", "pod-security", "runAsNonRoot"),
    fault(WEB, "image: mlvi/web-server:0.1.0", "image: mlvi/web-server:latest", "image", "image"),
    fault(
        WEB,
        "  selector:\n    matchLabels:\n      app.kubernetes.io/name: web-server\n",
        "",
        "required-field",
        "spec.selector",
    ),
    fault(
        WEB_CONFIG,
        "  MLVI_DRAIN: 8s",
        "  MLVI_DRAIN: 8s\n  MLVI_DRAIN: 9s",
        "duplicate-key",
        "",
    ),
];

/// What only an overlay has: its folder, and a fault in one of the files that it reaches.
const OVERLAYS: &[(&str, Fault)] = &[
    (
        "keda",
        fault(
            "components/keda/preprocessor.yml",
            "        version: 4.1.0\n",
            "",
            "keda",
            "metadata.version",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/preprocessor.yml",
            "topic: mlvi.frames",
            "topic: mlvi.frame",
            "keda",
            "metadata.topic",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/edge-inference.yml",
            "Group: mlvi-edge",
            "Group: edge",
            "keda",
            "metadata.consumerGroup",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/edge-inference.yml",
            "mlvi.svc:9092",
            "mlvi.svc:9099",
            "keda",
            "metadata.bootstrapServers",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/edge-inference.yml",
            "edge-broker.mlvi.svc:",
            "edge-broker:",
            "keda",
            "metadata.bootstrapServers",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/edge-inference.yml",
            "lagThreshold: \"5\"",
            "lagThreshold: 5",
            "keda",
            "metadata.lagThreshold",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/preprocessor.yml",
            "ReplicaCount: 6",
            "ReplicaCount: 60",
            "partitions",
            "spec.maxReplicaCount",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/preprocessor.yml",
            "      authenticationRef:\n        name: edge-broker",
            "      authenticationRef:\n        name: edge",
            "missing-object",
            "authenticationRef.name",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/login.yml",
            "key: password",
            "key: pass",
            "missing-key",
            "spec.secretTargetRef[1].key",
        ),
    ),
    (
        "keda",
        fault(
            "components/keda/Kustomization",
            "name: preprocessor|edge-inference",
            "name: edge-inference",
            "scale-target",
            "spec.scaleTargetRef.name",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/topics.yml",
            "name: mlvi.frames.edge",
            "name: mlvi.frames.edges",
            "topic",
            "metadata.name",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/topics.yml",
            "cleanup.policy: compact",
            "cleanup.policy: delete",
            "topic",
            "spec.config",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/topics.yml",
            "partitions: 12",
            "partitions: 2",
            "partitions",
            "spec.maxReplicas",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/kafka.yml",
            "message.max.bytes: 8454144",
            "message.max.bytes: 1000000",
            "message-size",
            "config[\"message.max.bytes\"]",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/kafka.yml",
            "kafka.strimzi.io/v1\n",
            "kafka.strimzi.io/v1beta2\n",
            "api-version",
            "apiVersion",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/kafka.yml",
            "tls: true",
            "tls: false",
            "broker-security",
            "data.MLVI_KAFKA_SECURITY",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/bus.yml",
            "edge-broker-kafka-bootstrap:9092",
            "edge-broker:9092",
            "broker-address",
            "data.MLVI_BROKERS",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/kafka.yml",
            "ClassName: mlvi-broker",
            "ClassName: mlvi",
            "missing-object",
            "priorityClassName",
        ),
    ),
    (
        "strimzi",
        fault(
            "overlays/strimzi/kafka.yml",
            "TLSv1.3,TLSv1.2",
            "TLSv1.2,TLSv1",
            "broker-tls",
            "enabled.protocols\"]",
        ),
    ),
    (
        "three-brokers",
        fault(
            "components/three-brokers/services.yml",
            "name: edge-broker-2\n",
            "name: edge-broker-3\n",
            "broker-quorum",
            "value",
        ),
    ),
    (
        "three-brokers",
        fault(
            "components/three-brokers/services.yml",
            "publishNotReadyAddresses: true",
            "publishNotReadyAddresses: false",
            "broker-quorum",
            "value",
        ),
    ),
    (
        "three-brokers",
        fault(
            "components/three-brokers/broker.yml",
            "replicas: 3",
            "replicas: 2",
            "broker-quorum",
            "value",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/log-collector.yml",
            "exporters: [otlp_http/loki]",
            "exporters: [otlp_http]",
            "collector",
            "data[\"log-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/log-collector.yml",
            "http://loki:3100/otlp",
            "http://lokki:3100/otlp",
            "endpoint",
            "data[\"log-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/log-collector.yml",
            "http://loki:3100/otlp",
            "http://loki:3200/otlp",
            "endpoint",
            "data[\"log-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/log-collector.yml",
            "extensions: [health_check, file_storage]",
            "extensions: [health_check]",
            "collector",
            "data[\"log-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/collector.yml",
            "--config=/etc/collector/log-collector.yml",
            "--config=/etc/collector/collector.yml",
            "collector",
            "args[0]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/collector.yml",
            "mountPath: /var/log/pods",
            "mountPath: /var/log/pod",
            "collector",
            "data[\"log-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/namespace.yml",
            "enforce: privileged",
            "enforce: restricted",
            "pod-security",
            "volumes[1].hostPath",
        ),
    ),
    (
        "observability",
        fault(
            "components/logging/network.yml",
            "port: 3100",
            "port: 3101",
            "network-policy",
            "spec.egress",
        ),
    ),
    (
        "observability",
        fault(
            "components/tracing/Kustomization",
            "otel-collector.mlvi-observability:4318",
            "otel-collector.mlvi-observability:4319",
            "endpoint",
            "value",
        ),
    ),
    (
        "observability",
        fault(
            "components/tracing/network.yml",
            "port: 4318",
            "port: 4317",
            "network-policy",
            "spec.egress",
        ),
    ),
    (
        "observability",
        fault(
            "components/observability/otel-collector.yml",
            "receivers: [otlp]",
            "receivers: [otpl]",
            "collector",
            "data[\"otel-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/observability/otel-collector.yml",
            "http://tempo:4318",
            "http://tempo:4317",
            "endpoint",
            "data[\"otel-collector.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/observability/grafana-data-sources.yml",
            "http://tempo:3200",
            "http://tempo.mlvi:3200",
            "endpoint",
            "data[\"grafana-data-sources.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/observability/grafana-data-sources.yml",
            "datasourceUid: tempo",
            "datasourceUid: tenpo",
            "grafana",
            "data[\"grafana-data-sources.yml\"]",
        ),
    ),
    (
        "observability",
        fault(
            "components/observability/suite.json",
            "\"uid\": \"loki\"",
            "\"uid\": \"lokki\"",
            "grafana",
            "data[\"suite.json\"]",
        ),
    ),
    (
        "k3s-single-node",
        fault(
            "overlays/k3s-single-node/Kustomization",
            "value: 3",
            "value: 30",
            "partitions",
            "spec.maxReplicas",
        ),
    ),
    (
        "k3s-single-node",
        fault(
            "overlays/k3s-single-node/edge-inference.yml",
            "cpu: 500m",
            "cpu: 500mm",
            "quantity",
            "requests.cpu",
        ),
    ),
    (
        "k3s-single-node",
        fault(
            "overlays/k3s-single-node/bus.yml",
            "MLVI_PARTITIONS:",
            "MLVI_PARTITION:",
            "unknown-variable",
            "data.MLVI_PARTITION",
        ),
    ),
    (
        "edge-cloud/cloud",
        fault(
            "overlays/edge-cloud/cloud/outside.yml",
            "site.example:9094",
            "site.example",
            "setting",
            "data.MLVI_BROKERS",
        ),
    ),
];

/// Components that none of the overlays has.
const COMPONENTS: &[&str] = &["tokens", "https"];

/// A component, what stands there, what is planted in its place, and the rule that finds it.
const IN_COMPONENTS: &[(&str, &str, &str, &str)] = &[
    ("https", "appProtocol: https", "appProtocol: http", "https"),
    ("https", "targetPort: http", "targetPort: https", "port"),
    ("https", "name: tls\n                secret", "name: cert\n                secret", "mount"),
    ("https", "- name: MLVI_TLS_KEY", "- name: MLVI_TLS_KEYS", "unknown-variable"),
];

/// The suite with one component, which `change` has changed; `None` where there is no kustomize.
fn report_of_component(
    component: &str,
    change: impl FnOnce(String) -> String,
) -> anyhow::Result<Option<Report>> {
    let dir = tempfile::tempdir()?;
    let deploy = dir.path().join("deploy");
    copy(&repository().join("deploy"), &deploy)?;
    let overlay = deploy.join("overlays/own");
    std::fs::create_dir(&overlay)?;
    let text = format!("resources: [../../suite]\ncomponents: [../../components/{component}]\n");
    std::fs::write(overlay.join("kustomization.yaml"), text)?;
    let file = deploy.join("components").join(component).join("Kustomization");
    std::fs::write(&file, change(std::fs::read_to_string(&file)?))?;
    match check(&overlay, &Tools::default()) {
        Err(error) if error.to_string().contains("neither 'kubectl' nor 'kustomize'") => {
            requires::skip(requires::Requirement::Kustomize, &error.to_string());
            Ok(None)
        }
        other => other.map(Some).context(component.to_owned()),
    }
}

#[test]
fn components_are_clean_and_their_faults_are_found() -> anyhow::Result<()> {
    for component in COMPONENTS {
        let Some(report) = report_of_component(component, |text| text)? else { return Ok(()) };
        ensure!(report.is_clean(true), "{component}: {}", listed(&report));
    }
    for (component, from, to, rule) in IN_COMPONENTS {
        let plant = |text: String| {
            assert!(text.contains(from), "{component} has no '{from}'");
            text.replacen(from, to, 1)
        };
        let Some(report) = report_of_component(component, plant)? else { return Ok(()) };
        let is_found = report.findings.iter().any(|finding| finding.rule == *rule);
        ensure!(is_found, "{component}, '{to}': {}", listed(&report));
    }
    Ok(())
}

#[test]
fn a_fault_in_an_overlay_is_found_in_the_file_that_brings_it_in() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let deploy = dir.path().join("deploy");
    copy(&repository().join("deploy"), &deploy)?;
    let mut missed = Vec::new();
    for (overlay, fault) in OVERLAYS {
        let report = match report_with(
            fault,
            &deploy,
            &deploy.join("overlays").join(overlay),
            &Tools::default(),
        ) {
            Err(error) if error.to_string().contains("neither 'kubectl' nor 'kustomize'") => {
                requires::skip(requires::Requirement::Kustomize, &error.to_string());
                return Ok(());
            }
            other => other?,
        };
        // some are seen where something else no longer fits
        let elsewhere = ["broker-security", "broker-quorum", "scale-target", "network-policy"]
            .contains(&fault.rule)
            || fault.field == "spec.maxReplicas";
        // a file that makes a ConfigMap stands in the kustomization that names it, and a namespace
        // beside its pods
        let (file, is_beside) = (deploy.join(fault.file), *overlay == "observability");
        let found = report.findings.iter().any(|finding| {
            let placed = finding.place.as_ref().is_some_and(|place| {
                elsewhere
                    || place.file == file
                    || (is_beside && place.file.parent() == file.parent())
            });
            finding.rule == fault.rule && finding.field.ends_with(fault.field) && placed
        });
        if !found {
            missed.push(format!(
                "{overlay} {:?}: no {} at {}; found:\n{}",
                fault.to,
                fault.rule,
                fault.field,
                listed(&report)
            ));
        }
    }
    ensure!(
        missed.is_empty(),
        "{} of {} were missed:\n{}",
        missed.len(),
        OVERLAYS.len(),
        missed.join("\n")
    );
    Ok(())
}

/// What is found below `path` with a fault planted below `dir`, which is mended again.
fn report_with(fault: &Fault, dir: &Path, path: &Path, tools: &Tools) -> anyhow::Result<Report> {
    let file = dir.join(fault.file);
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    ensure!(text.contains(fault.from), "{} does not say {:?} any more", fault.file, fault.from);
    std::fs::write(&file, text.replacen(fault.from, fault.to, 1))?;
    let report = check(path, tools);
    std::fs::write(&file, text)?;
    report
}

#[test]
fn every_planted_fault_is_found_where_it_was_planted() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let deploy = dir.path().join("deploy");
    copy(&repository().join("deploy"), &deploy)?;
    let faults = [BETWEEN_UNITS, SCALING, SETTINGS, REFERENCES, FIELDS].concat();
    let mut missed = Vec::new();
    for fault in &faults {
        let report = report_with(fault, &deploy, &deploy, &Tools::none())?;
        let found = report.findings.iter().any(|finding| {
            let placed = finding
                .place
                .as_ref()
                .is_some_and(|place| place.line > 0 && place.file.starts_with(&deploy));
            finding.rule == fault.rule
                && finding.field.ends_with(fault.field)
                && finding.severity != Severity::Note
                && placed
        });
        if !found || report.is_clean(true) {
            missed.push(format!(
                "{} {:?}: no {} at {}; found:\n{}",
                fault.file,
                fault.to,
                fault.rule,
                fault.field,
                listed(&report)
            ));
        }
    }
    ensure!(
        missed.is_empty(),
        "{} of {} were missed:\n{}",
        missed.len(),
        faults.len(),
        missed.join("\n")
    );
    Ok(())
}
