//! Small sets for the tests of rules.

use crate::{
    ExpectedSecret, Given, Input, Knowledge, KnownVariable, Program, RefusedSetting, Set, check,
};

/// Findings of one rule as `severity field: message; help`.
pub(crate) fn found(text: &str, rule: &str) -> Vec<String> {
    found_in(text, rule, None)
}

/// The same of a running cluster that did not show these kinds.
pub(crate) fn found_live(text: &str, rule: &str, refused: &[&str]) -> Vec<String> {
    let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
    found_in(text, rule, Some(&refused))
}

fn found_in(text: &str, rule: &str, refused: Option<&[String]>) -> Vec<String> {
    let set = Set::of_text(text, "test.yml").unwrap();
    let report = check(&set, &knowledge(), refused);
    let findings = report.findings.into_iter().filter(|finding| finding.rule == rule);
    let line = |finding: crate::Finding| {
        format!(
            "{} {}: {}; {}",
            finding.severity,
            finding.field,
            finding.message,
            finding.help.unwrap_or_default()
        )
    };
    findings.map(line).collect()
}

/// Findings in a container with these fields, in a Deployment of another program than ours.
pub(crate) fn found_in_container(fields: &str, rule: &str) -> Vec<String> {
    found(&deployment("plain", fields, ""), rule)
}

/// A Deployment with the fields of its container, and those of its pod.
pub(crate) fn deployment(name: &str, container: &str, pod: &str) -> String {
    let image =
        if container.contains("image: ") { String::new() } else { format!("image: '{name}:1', ") };
    let pod = if pod.is_empty() { String::new() } else { format!(", {pod}") };
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: \
         {{app: {name}}}}},\n  \
         spec: {{containers: [{{name: {name}, {image}{container}}}]{pod}}}}}}}\n"
    )
}

/// A Deployment named `plain`.
pub(crate) fn pod(container: &str, pod: &str) -> String {
    deployment("plain", container, pod)
}

/// An autoscaler by the CPU of one container.
pub(crate) fn hpa(target: &str, container: &str, min: u32, max: u32) -> String {
    format!(
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: \
         scaler}}\n\
         spec: {{minReplicas: {min}, maxReplicas: {max}, scaleTargetRef: {{apiVersion: apps/v1, \
         kind: Deployment, name: {target}}},\n  \
         metrics: [{{type: ContainerResource, containerResource: {{name: cpu, container: \
         {container}, target: {{type: Utilization, averageUtilization: 70}}}}}}]}}\n"
    )
}

/// A broker with a plain listener on 9092 and one with login on 9094.
pub(crate) fn broker() -> String {
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kafka}\ndata:\n  server.properties: |\n    \
     listeners=SITE://:9092,CONTROLLER://:9093,CLOUD://:9094\n    \
     listener.security.protocol.map=SITE:PLAINTEXT,CONTROLLER:PLAINTEXT,CLOUD:SASL_SSL\n    \
     controller.listener.names=CONTROLLER\n    sasl.enabled.mechanisms=SCRAM-SHA-512\n    \
     message.max.bytes=1000\n    replica.fetch.max.bytes=1000\n\
     ---\napiVersion: v1\nkind: Service\nmetadata: {name: kafka}\n\
     spec: {selector: {app: kafka}, ports: [{name: site, port: 9092}, {name: controller, port: \
     9093}, {name: cloud, port: 9094}]}\n\
     ---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: kafka}\nspec:\n  serviceName: \
     kafka\n  \
     selector: {matchLabels: {app: kafka}}\n  template:\n    metadata: {labels: {app: kafka}}\n    \
     spec:\n      \
     volumes: [{name: config, configMap: {name: kafka}}]\n      containers:\n      - name: \
     kafka\n        image: kafka:4\n        \
     ports: [{name: site, containerPort: 9092}, {name: controller, containerPort: 9093}, {name: \
     cloud, containerPort: 9094}]\n        \
     volumeMounts: [{name: config, mountPath: /config}]\n"
        .to_owned()
}

fn knowledge() -> Knowledge {
    let variables = [
        ("MLVI_BROKERS", "kafka:9092"),
        ("MLVI_TOPIC_PREFIX", "mlvi"),
        ("MLVI_PARTITIONS", "6"),
        ("MLVI_KAFKA_SECURITY", "plaintext"),
        ("MLVI_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("MLVI_GROUP", "mlvi-worker"),
        ("MLVI_ADMIN_LISTEN", "0.0.0.0:9600"),
        ("MLVI_DRAIN", "8s"),
        ("MLVI_REGIONS_FILE", ""),
    ];
    let variables = variables
        .map(|(name, default)| KnownVariable { name: name.into(), default: default.into() });
    let refuse = |given: &Given| {
        let value =
            given.variables.get("MLVI_PARTITIONS").filter(|value| value.parse::<u32>().is_err());
        let refusal = |value: &String| RefusedSetting {
            variable: "MLVI_PARTITIONS".into(),
            value: value.clone(),
            allowed: "a number".into(),
        };
        value.map(refusal).into_iter().collect()
    };
    Knowledge {
        programs: vec![Program {
            name: "worker",
            is_unit: true,
            variables: variables.to_vec(),
            input: Some(Input { group: "MLVI_GROUP", topic: "frames" }),
            refuse: Box::new(refuse),
        }],
        topics: vec!["frames".into()],
        compacted_topic: "settings",
        max_message_bytes: 1000,
        secrets: vec![ExpectedSecret {
            name: "login",
            keys: vec!["password"],
            command: "mlvi credentials",
        }],
        image_models_dir: "/usr/share/mlvi/models",
    }
}
