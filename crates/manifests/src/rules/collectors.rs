//! OpenTelemetry Collectors: their configuration is read as they would read it at their start, as
//! far as it can be told without them. Format:
//! <https://opentelemetry.io/docs/collector/configuration/>.

use super::endpoints;
use super::network::Policies;
use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, Workload, World};
use serde_json::Value;
use std::collections::BTreeSet;
use text::similar;

pub(super) const ID: &str = "collector";

/// What a Collector is made of, and what a pipeline may name of it. A connector is the end of one
/// pipeline and the beginning of another.
const PARTS: [(&str, &[&str]); 3] = [
    ("receivers", &["receivers", "connectors"]),
    ("processors", &["processors"]),
    ("exporters", &["exporters", "connectors"]),
];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let policies = Policies::of(world);
    let mut findings = Vec::new();
    for (workload, container) in world.containers().filter(|(_, container)| is_collector(container))
    {
        for (argument, path) in configurations(container) {
            match container.files.known.get(path) {
                Some(Some(text)) => {
                    let place = place_of(world, workload, text).unwrap_or_else(|| argument.clone());
                    let own = Own { world, policies: &policies, workload, container, place };
                    findings.extend(own.check(text));
                }
                Some(None) => {}
                None if container.files.is_open(path) => {}
                None => {
                    let finding = argument.error(ID, format!("nothing puts a file at {path}"));
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let mut beside = container.files.known.keys().filter(|known| {
                        known.rsplit_once('/').is_some_and(|(known, _)| known == folder)
                    });
                    findings.push(match beside.next() {
                        Some(other) => finding.help(format!("there is {other}")),
                        None => finding.help("mount a ConfigMap that has it as a key"),
                    });
                }
            }
        }
    }
    findings
}

/// The files that its arguments name, and where; what is no file is read from elsewhere.
fn configurations<'a>(container: &Container<'a>) -> Vec<(Field<'a>, &'a str)> {
    let mut files = Vec::new();
    let mut is_next = false;
    for argument in container.field.get("args").items() {
        let text = argument.text().unwrap_or_default();
        let named = if is_next { Some(text) } else { text.strip_prefix("--config=") };
        is_next = text == "--config";
        let path = named.map(|path| path.strip_prefix("file:").unwrap_or(path));
        if let Some(path) = path.filter(|path| path.starts_with('/')) {
            files.push((argument, path));
        }
    }
    files
}

fn is_collector(container: &Container<'_>) -> bool {
    let image = container.field.get("image").text().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    name.starts_with("opentelemetry-collector") || name.starts_with("otelcol")
}

/// Where a text stands that a ConfigMap has put into a file.
pub(super) fn place_of<'a>(
    world: &World<'a>,
    workload: &Workload<'a>,
    text: &str,
) -> Option<Field<'a>> {
    let names = workload.pod.each("volumes[].configMap.name");
    names.iter().filter_map(Field::text).find_map(|name| {
        let config = world.find("ConfigMap", name, &workload.object.namespace)?;
        let mut entries = config.at("data").entries().into_iter();
        entries.find(|(_, field)| field.text() == Some(text)).map(|(_, field)| field)
    })
}

/// A Collector whose configuration is checked.
struct Own<'w, 'a> {
    world: &'w World<'a>,
    policies: &'w Policies<'a>,
    workload: &'w Workload<'a>,
    container: &'w Container<'a>,
    /// Where the configuration stands.
    place: Field<'a>,
}

impl Own<'_, '_> {
    fn check(&self, text: &str) -> Vec<Finding> {
        let documents = match crate::yaml::read(text) {
            Ok(documents) => documents,
            Err(error) => {
                let message = format!("line {}: {}", error.line, error.reason);
                return vec![self.place.error(ID, message)];
            }
        };
        let Some(config) = documents.first().map(|document| document.root.to_json()) else {
            return vec![self.place.error(ID, "the configuration is empty")];
        };
        let mut findings = self.pipelines(&config);
        findings.extend(self.extensions(&config));
        findings.extend(self.storages(&config));
        findings.extend(self.addresses(&config));
        findings.extend(self.log_files(&config));
        findings
    }

    /// Every pipeline names what is defined, and what is defined is named by one.
    fn pipelines(&self, config: &Value) -> Vec<Finding> {
        let mut findings = Vec::new();
        let pipelines = entries(&config["service"]["pipelines"]);
        if pipelines.is_empty() {
            return vec![
                self.place.error(ID, "service.pipelines has no pipeline: nothing is done"),
            ];
        }
        let mut used = BTreeSet::new();
        for (pipeline, parts) in &pipelines {
            for (part, sections) in PARTS {
                let named = texts(&parts[part]);
                if named.is_empty() && part != "processors" {
                    let message = format!("the pipeline {pipeline} has no {part}");
                    findings.push(self.place.error(ID, message));
                }
                for name in named {
                    used.insert(name);
                    let defined: Vec<&str> = sections
                        .iter()
                        .flat_map(|section| entries(&config[*section]))
                        .map(|(name, _)| name)
                        .collect();
                    findings.extend(self.undefined(
                        &defined,
                        name,
                        format!("the pipeline {pipeline} names {part} '{name}'"),
                    ));
                }
            }
        }
        for section in ["receivers", "processors", "exporters", "connectors"] {
            let idle =
                entries(&config[section]).into_iter().filter(|(name, _)| !used.contains(name));
            findings.extend(idle.map(|(name, _)| {
                self.place
                    .warning(ID, format!("no pipeline has {section} '{name}': it does nothing"))
                    .help("name it in service.pipelines, or remove it")
            }));
        }
        findings
    }

    fn extensions(&self, config: &Value) -> Vec<Finding> {
        let defined: Vec<&str> =
            entries(&config["extensions"]).into_iter().map(|(name, _)| name).collect();
        let named = texts(&config["service"]["extensions"]);
        let absent = named.iter().filter_map(|name| {
            self.undefined(&defined, name, format!("service.extensions names '{name}'"))
        });
        let idle = defined.iter().filter(|name| !named.contains(name)).map(|name| {
            self.place.warning(
                ID,
                format!("service.extensions does not name '{name}': it is not started"),
            )
        });
        absent.chain(idle).collect()
    }

    /// A file's position, or a queue, is kept by an extension that is started.
    fn storages(&self, config: &Value) -> Vec<Finding> {
        let started = texts(&config["service"]["extensions"]);
        let mut findings = Vec::new();
        for section in ["receivers", "exporters"] {
            for (name, own) in entries(&config[section]) {
                for storage in [&own["storage"], &own["sending_queue"]["storage"]] {
                    let Some(storage) = storage.as_str() else { continue };
                    findings.extend(self.undefined(
                        &started,
                        storage,
                        format!("{section}.{name} keeps its state in '{storage}'"),
                    ));
                }
            }
        }
        findings
    }

    fn addresses(&self, config: &Value) -> Vec<Finding> {
        let exporters = entries(&config["exporters"]).into_iter();
        let urls = exporters.flat_map(|(_, own)| {
            ["endpoint", "logs_endpoint", "traces_endpoint", "metrics_endpoint"]
                .into_iter()
                .filter_map(|key| own[key].as_str())
        });
        urls.flat_map(|url| {
            let url = self.expanded(url);
            endpoints::of_address(self.world, self.policies, self.workload, &self.place, &url)
        })
        .collect()
    }

    /// The folder that is read must be mounted: in the image there are no logs.
    fn log_files(&self, config: &Value) -> Vec<Finding> {
        let receivers = entries(&config["receivers"]).into_iter();
        let of_files = receivers
            .filter(|(name, _)| matches!(name.split('/').next(), Some("file_log" | "filelog")));
        let patterns = of_files.flat_map(|(_, own)| texts(&own["include"]));
        let mut findings = Vec::new();
        for pattern in patterns {
            let pattern = self.expanded(pattern);
            let folder = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
            let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            if folder.starts_with('/') && !self.container.files.is_mounted(folder) {
                findings.push(
                    self.place
                        .error(ID, format!("'{pattern}' is read, and nothing is mounted there"))
                        .help("a hostPath volume and its volumeMount"),
                );
            }
        }
        findings
    }

    fn undefined(&self, defined: &[&str], name: &str, what: String) -> Option<Finding> {
        if defined.contains(&name) {
            return None;
        }
        let finding = self.place.error(ID, format!("{what}, which is not there"));
        Some(match similar(name, &mut defined.iter().copied()) {
            Some(meant) => finding.help(format!("did you mean '{meant}'?")),
            None if defined.is_empty() => finding.help("none is defined"),
            None => finding.help(format!("there are: {}", defined.join(", "))),
        })
    }

    /// With `${env:NAME:-DEFAULT}` replaced, where it can be told by what.
    fn expanded(&self, text: &str) -> String {
        let mut rest = text;
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("${env:") {
            let Some((inside, behind)) = after.split_once('}') else { break };
            whole.push_str(before);
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            whole.push_str(self.container.variable(name).unwrap_or(default));
            rest = behind;
        }
        whole + rest
    }
}

fn entries(value: &Value) -> Vec<(&str, &Value)> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.as_str(), value)).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    const CONFIG: &str = "extensions: {store: {}}\nreceivers: {filelog: {include: ['${env:LOGS:-/logs}/*/0.log'], storage: \
                          store}}\nprocessors: {batch: }\nexporters: {otlp/out: {endpoint: 'plain:4317'}}\nservice:\n  extensions: \
                          [store]\n  pipelines: {logs: {receivers: [filelog], processors: [batch], exporters: [otlp/out]}}\n";

    fn set(config: &str) -> String {
        let config: String = config.lines().map(|line| format!("    {line}\n")).collect();
        let pod = "volumes: [{name: config, configMap: {name: config}}, {name: logs, hostPath: {path: /logs}}]";
        let container = "image: 'otel/opentelemetry-collector-contrib:1', args: ['--config=/etc/c/c.yml'], ports: \
                         [{containerPort: 4317}], volumeMounts: [{name: config, mountPath: /etc/c}, {name: logs, mountPath: \
                         /logs}]";
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config}}\ndata:\n  c.yml: |\n{config}\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: plain}}\nspec: {{selector: {{app: plain}}, ports: [{{port: 4317}}]}}\n"
        ) + &deployment("plain", container, pod)
    }

    #[test]
    fn a_configuration_that_a_collector_would_start_with_is_clean() {
        for rule in ["collector", "endpoint"] {
            assert_eq!(found(&set(CONFIG), rule), Vec::<String>::new());
        }
    }

    #[test]
    fn what_a_collector_would_refuse_is_found() {
        for (from, to, expected) in [
            ("receivers: [filelog]", "receivers: [file_log]", "did you mean 'filelog'?"),
            (
                "exporters: [otlp/out]",
                "exporters: [otlp]",
                "the pipeline logs names exporters 'otlp'",
            ),
            ("processors: [batch]", "processors: []", "no pipeline has processors 'batch'"),
            ("exporters: [otlp/out]", "exporters: []", "the pipeline logs has no exporters"),
            ("extensions: [store]", "extensions: [stores]", "service.extensions names 'stores'"),
            ("storage: store", "storage: disk", "keeps its state in 'disk'"),
            ("/logs}", "/log}", "nothing is mounted there"),
            ("service:", "service: [", "line "),
        ] {
            let config = CONFIG.replacen(from, to, 1);
            assert_ne!(config, CONFIG, "{from}");
            let found = found(&set(&config), "collector");
            let told = found
                .iter()
                .any(|finding| finding.contains(expected) && finding.contains("data[\"c.yml\"]"));
            assert!(told, "{to}: {found:?}");
        }
        for argument in
            ["'--config=/etc/c/d.yml'", "'--config=file:/etc/c/d.yml'", "--config, /etc/c/d.yml"]
        {
            let absent = set(CONFIG).replace("'--config=/etc/c/c.yml'", argument);
            let found = found(&absent, "collector");
            assert!(found.len() == 1 && found[0].contains("there is /etc/c/c.yml"), "{found:?}");
        }
    }

    #[test]
    fn an_exporter_leads_to_a_service() {
        let found = found(&set(&CONFIG.replace("plain:4317", "plan:4317")), "endpoint");
        assert!(found.len() == 1 && found[0].contains("did you mean 'plain'?"), "{found:?}");
    }
}
