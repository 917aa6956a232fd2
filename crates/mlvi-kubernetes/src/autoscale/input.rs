//! What is simulated: the autoscaler from its manifest, the pods, the load.

use super::AutoscaleArgs;
use super::pod::{Coming, Known, Manifest};
use autoscale::{FleetSetup, LoadShape, Metric, Steps, saturation_percent};
use cli::UsageError;
use manifests::{
    Autoscaler, AutoscalerKind, Container, Knowledge, Set, Workload, World, documents,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use unit::About;
use units::UnitKind;

/// How long frames come in when nothing else is said, in minutes.
const MINUTES: f64 = 60.0;

/// An autoscaler that may have more is not simulated.
const MAX_PODS: u32 = 2000;

/// All of it, read.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) unit: String,
    pub(super) scaler: Autoscaler,
    pub(super) setup: FleetSetup,
    pub(super) load_text: String,
    pub(super) known: Vec<Known>,
    remarks: Vec<String>,
}

impl Input {
    /// Reads manifests and options.
    ///
    /// # Errors
    /// Names the file, object, field or option that cannot be used.
    pub(super) fn read(args: &AutoscaleArgs) -> anyhow::Result<Self> {
        let unit = UnitKind::named(&args.unit).map(UnitKind::about).ok_or_else(|| {
            UsageError::new(format!(
                "--unit {}: it must be one of {}",
                args.unit,
                UnitKind::names()
            ))
        })?;
        let scaler = find_scaler(args, unit)?;
        let mut remarks = scaler.notes.clone();
        let (folder, asked) = match &args.deploy {
            Some(folder) => (folder.clone(), true),
            None => (args.file.parent().unwrap_or(Path::new("")).to_owned(), false),
        };
        let manifest = read_folder(&folder, &scaler, asked, &mut remarks)?;
        let (load, length) = read_load(&args.load, args.share)?;
        let minutes = args.minutes.or(length).unwrap_or(MINUTES);
        let (setup, known) =
            args.pod.setup(unit, &manifest, Coming { load, minutes, seed: args.seed })?;
        check(&scaler, &setup)?;
        Ok(Self {
            unit: unit.name.into(),
            scaler,
            setup,
            load_text: args.load.clone(),
            known,
            remarks,
        })
    }

    /// What is not as one might think.
    pub(super) fn notes(&self) -> &[String] {
        &self.remarks
    }

    /// The most pods that can have work.
    pub(super) fn useful_pods(&self) -> u32 {
        self.setup.partitions.unwrap_or(u32::MAX)
    }
}

fn read_objects(path: &Path) -> Result<Vec<Value>, UsageError> {
    let text = text::read(path)
        .map_err(|error| UsageError::about(format!("cannot read {}", path.display()), error))?;
    documents(&text).map_err(|error| UsageError::about(path.display(), error))
}

/// The one autoscaler of the unit, with `--set` over it.
fn find_scaler(args: &AutoscaleArgs, unit: &About) -> Result<Autoscaler, UsageError> {
    let about = |problem: &dyn std::fmt::Display| UsageError::about(args.file.display(), problem);
    let mut found: Vec<Autoscaler> = Vec::new();
    let mut others = Vec::new();
    for object in &mut read_objects(&args.file)? {
        let Some(plain) = Autoscaler::read(object).map_err(|error| about(&error))? else {
            continue;
        };
        if plain.target_kind != "Deployment" || UnitKind::named(&plain.target).is_none() {
            let problem = format!(
                "{}: it scales the {} '{}', which is no unit; the units' Deployments are {}",
                plain.name,
                plain.target_kind,
                plain.target,
                UnitKind::names()
            );
            return Err(about(&problem));
        }
        if plain.target != unit.name {
            others.push(plain.target);
            continue;
        }
        args.set.iter().try_for_each(|set| put(object, set))?;
        let with_sets = |error| {
            UsageError::about(
                format!("{} with --set {}", args.file.display(), args.set.join(" --set ")),
                error,
            )
        };
        let changed = Autoscaler::read(object)
            .map_err(|error| if args.set.is_empty() { about(&error) } else { with_sets(error) })?;
        found.extend(changed);
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let others = if others.is_empty() { "none".into() } else { others.join(", ") };
            Err(about(&format!(
                "no autoscaler scales {}; those that are there scale: {others}",
                unit.name
            )))
        }
        _ => {
            let names: Vec<String> = found.into_iter().map(|scaler| scaler.name).collect();
            Err(about(&format!(
                "{} are scaled by more than one: {}; they would fight",
                unit.name,
                names.join(", ")
            )))
        }
    }
}

/// Puts `a.b.0.c=value` into an object. What stands there already need not be of that type: the
/// decoder refuses what does not fit.
fn put(object: &mut Value, set: &str) -> Result<(), UsageError> {
    let (path, text) = set
        .split_once('=')
        .ok_or_else(|| UsageError::new(format!("--set {set}: write PATH=VALUE")))?;
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let mut place = object;
    for step in path.split('.') {
        place = match place {
            Value::Array(items) => {
                let count = items.len();
                let item = step.parse::<usize>().ok().and_then(|number| items.get_mut(number));
                item.ok_or_else(|| {
                    UsageError::new(format!(
                        "--set {set}: '{step}' is not the number of an item, 0 to {}",
                        count.max(1) - 1
                    ))
                })?
            }
            Value::Object(fields) => {
                fields.entry(step).or_insert_with(|| Value::Object(serde_json::Map::new()))
            }
            _ => {
                return Err(UsageError::new(format!(
                    "--set {set}: there is nothing below the field before '{step}'"
                )));
            }
        };
    }
    *place = value;
    Ok(())
}

/// What the folder's manifests tell of the Deployment that is scaled.
fn read_folder(
    folder: &Path,
    scaler: &Autoscaler,
    asked: bool,
    remarks: &mut Vec<String>,
) -> Result<Manifest, UsageError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // one level down: a folder for each unit; overlays change what is here and are not read
    let mut objects = Vec::new();
    for path in yaml_files(folder, asked)? {
        match read_objects(&path) {
            Ok(read) => objects.extend(read),
            Err(error) if asked => return Err(error),
            Err(_) => {}
        }
    }
    let (set, knowledge) = (Set::of_objects(objects), Knowledge::default());
    let world = World::of(&set, &knowledge, None);
    let Some(workload) = world.workload(&scaler.target_kind, &scaler.target) else {
        let missing = format!("{} has no Deployment {}", folder.display(), scaler.target);
        if asked {
            return Err(UsageError::about("--deploy", missing));
        }
        remarks
            .push(format!("{missing}: requests and settings are taken from options and defaults"));
        return Ok(Manifest::default());
    };
    let container = measured_container(scaler, workload)?;
    let in_folder = |error| UsageError::about(folder.display(), error);
    let request_cores = container.cpu_request().map_err(in_folder)?;
    let limit_cores = container.cpu_limit().map_err(in_folder)?;
    if scaler.spec.cpu_percent().is_some() && request_cores.is_none() {
        remarks.push(format!(
            "container {} of {} requests no CPU: in a cluster its autoscaler would do nothing; a \
             request is assumed here",
            container.name(),
            scaler.target
        ));
    }
    let (variables, pre_stop_s) = (container.variables(), workload.pre_stop_s());
    Ok(Manifest { request_cores, limit_cores, variables, pre_stop_s })
}

/// The container whose CPU the autoscaler measures, else the first one.
fn measured_container<'w, 'a>(
    scaler: &Autoscaler,
    workload: &'w Workload<'a>,
) -> Result<&'w Container<'a>, UsageError> {
    let measured = scaler.spec.metrics.iter().find_map(|metric| match metric {
        Metric::CpuUtilisation { container, .. } | Metric::CpuUsage { container, .. } => {
            container.as_deref()
        }
        Metric::Lag { .. } | Metric::Other { .. } => None,
    });
    let mut containers = workload.main_containers();
    let Some(name) = measured else {
        return containers.next().ok_or_else(|| {
            UsageError::new(format!("Deployment {} has no containers", scaler.target))
        });
    };
    containers.find(|container| container.name() == name).ok_or_else(|| {
        let all: Vec<&str> = workload.main_containers().map(Container::name).collect();
        UsageError::new(format!(
            "{}: its metric is that of the container '{name}', but the pods of {} have: {}",
            scaler.name,
            scaler.target,
            all.join(", ")
        ))
    })
}

fn yaml_files(folder: &Path, asked: bool) -> Result<Vec<PathBuf>, UsageError> {
    let list = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut paths = std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        Ok(paths)
    };
    let is_yaml = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
    };
    let top = match list(folder) {
        Ok(top) => top,
        Err(error) if asked => {
            return Err(UsageError::about(
                format!("--deploy: cannot read {}", folder.display()),
                error,
            ));
        }
        Err(_) => return Ok(Vec::new()),
    };
    let below =
        top.iter().filter(|path| path.is_dir()).filter_map(|path| list(path).ok()).flatten();
    Ok(top.iter().cloned().chain(below).filter(is_yaml).filter(|path| path.is_file()).collect())
}

/// The shape, and how long it is in minutes where a file tells.
fn read_load(text: &str, share: f64) -> Result<(LoadShape, Option<f64>), UsageError> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(UsageError::new(format!(
            "--share is {share}: it must be above 0 and at most 1"
        )));
    }
    let is_file =
        Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if !is_file {
        let shape =
            text.parse::<LoadShape>().map_err(|error| UsageError::about("--load", error))?;
        return Ok((shape.scaled(share), None));
    }
    let about = |error: &dyn std::fmt::Display| UsageError::about(format!("--load {text}"), error);
    let csv = text::read(text).map_err(|error| about(&error))?;
    let steps = Steps::from_csv(&csv).map_err(|error| about(&error))?;
    let minutes = (steps.last_s() / 60.0).max(1.0);
    Ok((LoadShape::Table(steps).scaled(share), Some(minutes)))
}

/// What can never work.
fn check(scaler: &Autoscaler, setup: &FleetSetup) -> Result<(), UsageError> {
    let all_full = saturation_percent(setup);
    if let Some(percent) = scaler.spec.cpu_percent()
        && percent > 100
        && f64::from(percent) > all_full
    {
        return Err(UsageError::new(format!(
            "{}: a target of {percent} % of the requests is never reached: a pod with all hands \
             full measures {all_full:.0} %, \
             as it requests {} cores and uses at most {:.2}",
            scaler.name,
            setup.request_cores,
            all_full * setup.request_cores / 100.0
        )));
    }
    if scaler.spec.max > MAX_PODS {
        return Err(UsageError::new(format!(
            "{}: {} pods are more than the {MAX_PODS} that are simulated",
            scaler.name, scaler.spec.max
        )));
    }
    let simulated =
        scaler.spec.metrics.iter().any(|metric| !matches!(metric, Metric::Other { .. }));
    if simulated {
        return Ok(());
    }
    let kind = match scaler.kind {
        AutoscalerKind::Hpa => "HorizontalPodAutoscaler",
        AutoscalerKind::ScaledObject => "ScaledObject",
    };
    Err(UsageError::new(format!(
        "{kind} {}: it has no metric that is simulated: cpu of a container or pod, or Kafka's lag",
        scaler.name
    )))
}
