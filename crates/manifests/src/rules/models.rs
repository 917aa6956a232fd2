//! Models: the folder that a unit reads must be filled, with the model that it loads.

use crate::finding::Finding;
use crate::world::{Container, Workload, World};

pub(super) const ID: &str = "model";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (workload, container, program) in
        world.units().filter(|(.., program)| program.knows("MLVI_MODEL"))
    {
        let (Some(dir), Some(model)) =
            (container.setting("MLVI_MODELS_DIR"), container.setting("MLVI_MODEL"))
        else {
            continue;
        };
        let inside = world.knowledge.image_models_dir;
        if !container.files.is_mounted(&dir.value) {
            let message = if dir.value == inside {
                format!("{inside} of the image holds descriptions, but no weights")
            } else {
                format!(
                    "nothing is mounted at '{}': {} finds no models there",
                    dir.value, program.name
                )
            };
            findings.push(
                dir.field
                    .error(ID, message)
                    .help("mount a volume that an init container fills with: mlvi models fetch"),
            );
            continue;
        }
        let fetched: Vec<_> = workload
            .containers
            .iter()
            .filter_map(|other| fetched_by(other, container, &dir.value))
            .collect();
        let Some((first, field)) = fetched.first() else {
            findings.extend(unfilled(workload, container, &dir.value));
            continue;
        };
        if fetched.iter().all(|(name, _)| *name != model.value) {
            let message = format!(
                "{} loads the model '{}', but only '{first}' is fetched",
                program.name, model.value
            );
            let field = if container.environment.get("MLVI_MODEL").is_some() {
                model.field
            } else {
                field.clone()
            };
            findings.push(
                field
                    .error(ID, message)
                    .help("MLVI_MODEL and the init container must name the same model"),
            );
        }
    }
    findings
}

/// The model that an init container fetches into the volume from which the unit reads it.
fn fetched_by<'a>(
    init: &Container<'a>,
    unit: &Container<'a>,
    dir: &str,
) -> Option<(String, crate::object::Field<'a>)> {
    if !init.runs(&["models", "fetch"]) || !init.is_init {
        return None;
    }
    let volume = |container: &Container<'a>, path: &str| {
        let mut mounts = container.files.mounts.iter();
        mounts.find(|(mount, _)| path.starts_with(mount.as_str())).and_then(|(_, name)| name.text())
    };
    let mounted: Vec<&str> = init.files.mounts.iter().filter_map(|(_, name)| name.text()).collect();
    volume(unit, dir).filter(|name| mounted.contains(name))?;
    // behind `models fetch`; an option may take the next word
    let arguments = init.arguments();
    let place = arguments.iter().position(|argument| argument == "fetch")?;
    let mut name = None;
    let mut rest = arguments[place + 1..].iter();
    while let Some(argument) = rest.next() {
        if argument.starts_with("--") {
            if !argument.contains('=') {
                rest.next();
            }
        } else {
            name.get_or_insert_with(|| argument.clone());
        }
    }
    let name = match name {
        // $(MLVI_MODEL) is what the container itself is told
        Some(text) if text.starts_with("$(") => {
            init.setting(text.trim_start_matches("$(").trim_end_matches(')'))?.value
        }
        Some(text) => text,
        None => "yolov3-tiny".to_owned(),
    };
    Some((name, init.field.get("args")))
}

/// An empty folder that nobody fills.
fn unfilled(workload: &Workload<'_>, container: &Container<'_>, dir: &str) -> Option<Finding> {
    let (_, name) =
        container.files.mounts.iter().find(|(mount, _)| dir.starts_with(mount.as_str()))?;
    let volumes = workload.pod.get("volumes").items();
    let volume = volumes.iter().find(|volume| volume.get("name").text() == name.text())?;
    let empty = volume.get("emptyDir").value.is_some()
        && !workload.containers.iter().any(|other| other.is_init && mounts(other, name.text()));
    empty.then(|| {
        volume
            .error(
                ID,
                format!("{dir} is empty when the pod starts, and no init container fills it"),
            )
            .help("mlvi models fetch in an init container")
    })
}

fn mounts(container: &Container<'_>, name: Option<&str>) -> bool {
    container.files.mounts.iter().any(|(_, own)| own.text() == name)
}
