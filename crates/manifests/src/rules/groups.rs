//! Consumer groups.

use crate::finding::Finding;
use crate::knowledge::Program;
use crate::world::{Container, Setting, World};

pub(super) const ID: &str = "group";

/// What units are told of others' groups: the variable, and whose.
const TOLD: [(&str, &str); 3] = [
    ("MLVI_PREPROCESSOR_GROUP", "preprocessor"),
    ("MLVI_EDGE_GROUP", "edge-inference"),
    ("MLVI_CLOUD_GROUP", "cloud-inference"),
];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (workload, container, program) in world.units() {
        for (variable, unit) in TOLD {
            let Some(told) = container
                .program
                .filter(|program| program.knows(variable))
                .and(container.setting(variable))
            else {
                continue;
            };
            for (other, own) in groups_of(world, unit) {
                if own.value != told.value {
                    let message = format!(
                        "{} watches the backlog of '{}', but {other} is in the group '{}': it \
                         would never see a backlog",
                        workload.object.title(),
                        told.value,
                        own.value
                    );
                    // whoever says something is told, rather than whoever has the default
                    let field = if container.environment.get(variable).is_some() {
                        &told.field
                    } else {
                        &own.field
                    };
                    findings.push(field.error(ID, message).help(format!(
                        "{variable} of {} must be MLVI_GROUP of {unit}",
                        program.name
                    )));
                }
            }
        }
    }
    findings.extend(shared(world));
    findings
}

fn groups_of<'a>(world: &World<'a>, unit: &str) -> Vec<(String, Setting<'a>)> {
    let own = world.units().filter(|(.., program)| program.name == unit);
    own.filter_map(|(workload, container, program)| {
        Some((workload.object.title(), container.setting(program.input?.group)?))
    })
    .collect()
}

/// A unit's name, its group, and the group in which it watches over frames, if it does.
type Membership<'a> = (&'static str, Setting<'a>, Option<Setting<'a>>);

fn membership<'a>(container: &Container<'a>, program: &Program) -> Option<Membership<'a>> {
    let watch = program
        .knows("MLVI_REDISPATCH_GROUP")
        .then(|| container.setting("MLVI_REDISPATCH_GROUP"))
        .flatten();
    Some((program.name, container.setting(program.input?.group)?, watch))
}

/// Two units in one group share partitions of topics that only one of them reads.
fn shared(world: &World<'_>) -> Vec<Finding> {
    let groups: Vec<_> = world
        .units()
        .filter_map(|(_, container, program)| membership(container, program))
        .collect();
    let mut findings = Vec::new();
    for (place, (unit, group, watch)) in groups.iter().enumerate() {
        for (other, before, _) in &groups[..place] {
            if unit != other && group.value == before.value {
                let message = format!(
                    "{unit} and {other} are both in the group '{}', and read different topics",
                    group.value
                );
                findings.push(
                    group.field.error(ID, message).help("each unit needs a group of its own"),
                );
            }
        }
        for watch in watch
            .iter()
            .filter(|watch| groups.iter().any(|(_, group, _)| group.value == watch.value))
        {
            let message = format!("'{}' is the group of a unit already", watch.value);
            findings.push(
                watch
                    .field
                    .error(ID, message)
                    .help("MLVI_REDISPATCH_GROUP must be a group of its own"),
            );
        }
    }
    findings
}
