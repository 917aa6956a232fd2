//! What a Grafana finds at its start: data sources and dashboards from files. Format:
//! <https://grafana.com/docs/grafana/latest/administration/provisioning/>.

use super::collectors::place_of;
use super::endpoints;
use super::network::Policies;
use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, Workload, World};
use serde_json::Value;
use std::collections::BTreeSet;
use text::similar;

pub(super) const ID: &str = "grafana";

/// Where Grafana looks for data sources.
const DATA_SOURCES: &str = "/provisioning/datasources/";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let policies = Policies::of(world);
    let containers = world.containers().filter(|(_, container)| {
        let image = container.field.get("image").text().unwrap_or_default();
        image.rsplit('/').next().is_some_and(|name| name.starts_with("grafana"))
    });
    containers
        .flat_map(|(workload, container)| of_grafana(world, &policies, workload, container))
        .collect()
}

fn of_grafana(
    world: &World<'_>,
    policies: &Policies<'_>,
    workload: &Workload<'_>,
    container: &Container<'_>,
) -> Vec<Finding> {
    let mut sources = Vec::new();
    let mut boards = Vec::new();
    let mut findings = Vec::new();
    for (path, text) in &container.files.known {
        let Some(text) = text else { continue };
        let Some(place) = place_of(world, workload, text) else { continue };
        if path.contains(DATA_SOURCES) {
            match crate::yaml::read(text) {
                Ok(documents) => sources.extend(
                    documents.iter().map(|document| (document.root.to_json(), place.clone())),
                ),
                Err(error) => {
                    findings.push(place.error(ID, format!("line {}: {}", error.line, error.reason)))
                }
            }
        } else if path.ends_with(".json") {
            match serde_json::from_str::<Value>(text) {
                Ok(board) => boards.push((board, place)),
                Err(error) => findings.push(place.error(ID, format!("no JSON: {error}"))),
            }
        }
    }
    // elsewhere they may be made by hand
    if sources.is_empty() {
        return findings;
    }
    let mut known = BTreeSet::new();
    for (file, place) in &sources {
        for source in file["datasources"].as_array().into_iter().flatten() {
            known.extend(source["uid"].as_str());
            let url = source["url"].as_str().unwrap_or_default();
            findings.extend(endpoints::of_address(world, policies, workload, place, url));
        }
    }
    for (file, place) in &sources {
        named(file, "datasourceUid", &mut |uid| findings.extend(unknown(&known, uid, place)));
    }
    for (board, place) in &boards {
        let mut told = BTreeSet::new();
        each(board, "datasource", &mut |source| {
            let uid = source["uid"].as_str().unwrap_or_default();
            // one that the reader chooses, or Grafana's own
            let own = uid.is_empty() || uid.contains(['$', '-']);
            if !own && told.insert(uid.to_owned()) {
                findings.extend(unknown(&known, uid, place));
            }
        });
    }
    findings
}

fn unknown(known: &BTreeSet<&str>, uid: &str, place: &Field<'_>) -> Option<Finding> {
    if known.contains(uid) {
        return None;
    }
    let finding = place.error(ID, format!("there is no data source with the uid '{uid}'"));
    Some(match similar(uid, &mut known.iter().copied()) {
        Some(meant) => finding.help(format!("did you mean '{meant}'?")),
        None => finding
            .help(format!("there are: {}", known.iter().copied().collect::<Vec<_>>().join(", "))),
    })
}

/// Calls with every text of this key, however deep it stands.
fn named(value: &Value, key: &str, call: &mut impl FnMut(&str)) {
    each(value, key, &mut |found| {
        if let Some(text) = found.as_str() {
            call(text);
        }
    });
}

fn each<'v>(value: &'v Value, key: &str, call: &mut impl FnMut(&'v Value)) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == key {
                    call(inner);
                }
                each(inner, key, call);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, key, call)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    fn set(uid: &str, link: &str, panel: &str, url: &str) -> String {
        let pod = "volumes: [{name: s, configMap: {name: s}}, {name: d, configMap: {name: d}}]";
        let container = "image: 'grafana/grafana:1', volumeMounts: [{name: s, mountPath: /etc/grafana/provisioning/datasources}, \
                         {name: d, mountPath: /boards}]";
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: s}}\ndata:\n  s.yml: |\n    datasources:\n    - {{uid: {uid}, url: '{url}', \
             jsonData: {{to: {{datasourceUid: {link}}}}}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: d}}\ndata:\n  \
             b.json: '{{\"panels\": [{{\"datasource\": {{\"uid\": \"{panel}\"}}}}]}}'\n---\napiVersion: v1\nkind: \
             Service\nmetadata: {{name: loki}}\nspec: {{ports: [{{port: 3100}}], selector: {{app: plain}}}}\n"
        ) + &deployment("plain", container, pod)
    }

    #[test]
    fn what_is_named_is_there() {
        let url = "http://loki:3100";
        for (uid, link, panel, expected) in [
            ("loki", "loki", "loki", 0),
            ("loki", "loki", "${source}", 0),
            ("loki", "tempo", "loki", 1),
            ("loki", "loki", "loky", 1),
        ] {
            let found = found(&set(uid, link, panel, url), "grafana");
            assert_eq!(found.len(), expected, "{uid} {link} {panel}: {found:?}");
        }
        let port = found(&set("loki", "loki", "loki", "http://loki:3101"), "endpoint");
        assert!(port.len() == 1 && port[0].contains("no port 3101"), "{port:?}");
        let broken = set("loki", "loki", "loki", url).replace("\"panels\":", "\"panels\"");
        assert!(found(&broken, "grafana")[0].contains("no JSON"));
    }
}
