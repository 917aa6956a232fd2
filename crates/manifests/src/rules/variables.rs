//! The variables of our programs: their names, and values as the program itself reads them.

use crate::finding::Finding;
use crate::knowledge::Given;
use crate::world::{Container, World};
use std::collections::BTreeMap;
use text::similar;

pub(super) const UNKNOWN: &str = "unknown-variable";
pub(super) const SETTING: &str = "setting";

/// Stands for what is in a Secret, or comes from the cluster.
const UNKNOWN_VALUE: &str = "not-known-here";

pub(super) fn unknown(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (workload, container) in world.containers() {
        let Some(program) = container.program else { continue };
        for (name, variable) in container.environment.iter() {
            if !name.starts_with("MLVI_") || program.knows(name) {
                continue;
            }
            // a ConfigMap for all units may hold what only some of them read
            let shared = variable.field.object.kind == "ConfigMap";
            if shared
                && world.containers().any(|(_, other)| {
                    other.program.is_some_and(|program| program.knows(name)) && takes(other, name)
                })
            {
                continue;
            }
            let finding = variable.field.error(
                UNKNOWN,
                format!("{} ({}) does not read {name}", program.name, workload.object.title()),
            );
            let mut known = program.variables.iter().map(|known| known.name.as_str());
            findings.push(match similar(name, &mut known) {
                Some(meant) => finding.help(format!("did you mean {meant}?")),
                None => finding.help(format!("{} --help lists what it reads", program.name)),
            });
        }
    }
    findings
}

fn takes(container: &Container<'_>, name: &str) -> bool {
    container.environment.get(name).is_some()
}

pub(super) fn refused(world: &World<'_>) -> Vec<Finding> {
    world.containers().flat_map(|(_, container)| refused_by(container)).collect()
}

fn refused_by(container: &Container<'_>) -> Vec<Finding> {
    let Some(program) = container.program else { return Vec::new() };
    let mut variables = BTreeMap::new();
    // what a value that is not known leads to is not a fault of the manifests
    let mut uncertain = Vec::new();
    for (name, variable) in container.environment.iter() {
        let value = variable.value.clone().unwrap_or_else(|| {
            uncertain.push(name.to_owned());
            UNKNOWN_VALUE.to_owned()
        });
        let hidden = container.files.known.get(&value).is_some_and(Option::is_none);
        if hidden || container.files.is_open(&value) {
            uncertain.push(name.to_owned());
        }
        variables.insert(name.to_owned(), value);
    }
    let files = container.files.known.iter();
    let files = files
        .map(|(path, content)| {
            (path.clone(), content.clone().unwrap_or_else(|| UNKNOWN_VALUE.to_owned()))
        })
        .collect();
    let given = Given { variables, files, arguments: container.arguments() };
    let refusals = (program.refuse)(&given)
        .into_iter()
        .filter(|refusal| !uncertain.contains(&refusal.variable));
    let finding = |refusal: crate::RefusedSetting| {
        let field = container
            .environment
            .get(&refusal.variable)
            .map_or_else(|| container.field.get("env"), |variable| variable.field.clone());
        let value = if refusal.value.is_empty() {
            "is not set".to_owned()
        } else {
            format!("is '{}'", refusal.value)
        };
        let message = format!("{} refuses this: {} {value}", program.name, refusal.variable);
        field.error(SETTING, message).help(format!("it must be {}", refusal.allowed))
    };
    refusals.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found, pod};

    fn worker(name: &str, value: &str) -> String {
        deployment("worker", &format!("env: [{{name: {name}, value: '{value}'}}]"), "")
    }

    #[test]
    fn a_variable_that_nobody_reads() {
        assert!(found(&worker("MLVI_BROKERS", "a:1"), "unknown-variable").is_empty());
        assert!(found(&worker("OTHER", "a:1"), "unknown-variable").is_empty());
        assert!(
            found(&worker("MLVI_BROKER", "a:1"), "unknown-variable")[0]
                .contains("did you mean MLVI_BROKERS?")
        );
    }

    #[test]
    fn a_value_that_the_unit_refuses() {
        assert!(found(&worker("MLVI_PARTITIONS", "12"), "setting").is_empty());
        let refused = found(&worker("MLVI_PARTITIONS", "many"), "setting");
        assert!(
            refused[0].starts_with("error spec.template.spec.containers[0].env[0].value"),
            "{refused:?}"
        );
        let secret = pod(
            "image: worker:1, env: [{name: MLVI_PARTITIONS, valueFrom: {secretKeyRef: {name: \
             login, key: password}}}]",
            "",
        );
        assert!(found(&secret, "setting").is_empty(), "what is in a Secret is not known");
    }

    #[test]
    fn a_value_of_a_config_map_is_told_where_it_stands() {
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: \
            {MLVI_PARTITIONS: many}\n---\n";
        let text =
            config.to_owned() + &deployment("worker", "envFrom: [{configMapRef: {name: c}}]", "");
        assert!(found(&text, "setting")[0].starts_with("error data.MLVI_PARTITIONS"));
    }
}
