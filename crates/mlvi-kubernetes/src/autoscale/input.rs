//! What is simulated: the autoscaler from its manifest, the pods, the load.

use super::AutoscaleArgs;
use super::pod::{Coming, Known, Manifest};
use super::units::{self, Unit};
use cli::UsageError;
use cluster::manifest::{Scaler, ScalerKind, Workload, config_map, documents, scaler, workload};
use hpa::Metric;
use serde_json::Value;
use simulator::{FleetSetup, LoadShape, Steps, saturation_percent};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long frames come in when nothing else is said, in minutes.
const MINUTES: f64 = 60.0;

/// An autoscaler that may have more is not simulated.
const MOST_PODS: u32 = 2000;

/// All of it, read.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) unit: String,
    pub(super) scaler: Scaler,
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
        let unit = units::named(&args.unit).ok_or_else(|| {
            UsageError::new(format!("--unit {}: it must be one of {}", args.unit, units::names()))
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
fn find_scaler(args: &AutoscaleArgs, unit: &Unit) -> Result<Scaler, UsageError> {
    let about = |problem: &dyn std::fmt::Display| UsageError::about(args.file.display(), problem);
    let mut found: Vec<Scaler> = Vec::new();
    let mut others = Vec::new();
    for object in &mut read_objects(&args.file)? {
        let Some(plain) = scaler(object).map_err(|error| about(&error))? else { continue };
        if plain.target_kind != "Deployment" || units::named(&plain.target).is_none() {
            let problem = format!(
                "{}: it scales the {} '{}', which is no unit; the units' Deployments are {}",
                plain.name,
                plain.target_kind,
                plain.target,
                units::names()
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
        let changed = scaler(object)
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
    scaler: &Scaler,
    asked: bool,
    remarks: &mut Vec<String>,
) -> Result<Manifest, UsageError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (mut found, mut config_maps): (Vec<Workload>, BTreeMap<String, BTreeMap<String, String>>) =
        Default::default();
    // one level down: a folder for each unit; overlays change what is here and are not read
    for path in yaml_files(folder, asked)? {
        let objects = match read_objects(&path) {
            Ok(objects) => objects,
            Err(error) if asked => return Err(error),
            Err(_) => continue,
        };
        for object in &objects {
            let workload =
                workload(object).map_err(|error| UsageError::about(path.display(), error))?;
            found.extend(workload.filter(|workload| workload.name == scaler.target));
            config_maps.extend(config_map(object));
        }
    }
    let Some(workload) = found.into_iter().next() else {
        let missing = format!("{} has no Deployment {}", folder.display(), scaler.target);
        if asked {
            return Err(UsageError::about("--deploy", missing));
        }
        remarks
            .push(format!("{missing}: requests and settings are taken from options and defaults"));
        return Ok(Manifest::default());
    };
    let looked_at = scaler.spec.metrics.iter().find_map(|metric| match metric {
        Metric::CpuUtilisation { container, .. } | Metric::CpuUsage { container, .. } => {
            container.clone()
        }
        _ => None,
    });
    let container = match looked_at {
        Some(name) => {
            let all: Vec<String> =
                workload.containers.iter().map(|container| container.name.clone()).collect();
            let container =
                workload.containers.into_iter().find(|container| container.name == name);
            container.ok_or_else(|| {
                UsageError::new(format!(
                    "{}: its metric is that of the container '{name}', but the pods of {} have: {}",
                    scaler.name,
                    scaler.target,
                    all.join(", ")
                ))
            })?
        }
        None => match workload.containers.into_iter().next() {
            Some(container) => container,
            None => {
                return Err(UsageError::new(format!(
                    "Deployment {} has no containers",
                    scaler.target
                )));
            }
        },
    };
    let by_percent = scaler.spec.cpu_percent().is_some();
    if by_percent && container.request_cores.is_none() {
        remarks.push(format!(
            "container {} of {} requests no CPU: in a cluster its autoscaler would do nothing; a request is assumed here",
            container.name, scaler.target
        ));
    }
    let mut variables = BTreeMap::new();
    for name in &container.config_maps {
        variables.extend(
            config_maps
                .get(name)
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    variables.extend(container.env.clone());
    Ok(Manifest { container: Some(container), variables, pre_stop_s: workload.pre_stop_s })
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
fn check(scaler: &Scaler, setup: &FleetSetup) -> Result<(), UsageError> {
    let all_full = saturation_percent(setup);
    if let Some(percent) = scaler.spec.cpu_percent()
        && percent > 100
        && f64::from(percent) > all_full
    {
        return Err(UsageError::new(format!(
            "{}: a target of {percent} % of the requests is never reached: a pod with all hands full measures {all_full:.0} %, \
             as it requests {} cores and uses at most {:.2}",
            scaler.name,
            setup.request_cores,
            all_full * setup.request_cores / 100.0
        )));
    }
    if scaler.spec.max > MOST_PODS {
        return Err(UsageError::new(format!(
            "{}: {} pods are more than the {MOST_PODS} that are simulated",
            scaler.name, scaler.spec.max
        )));
    }
    let simulated =
        scaler.spec.metrics.iter().any(|metric| !matches!(metric, Metric::Other { .. }));
    if simulated {
        return Ok(());
    }
    let kind = match scaler.kind {
        ScalerKind::Hpa => "HorizontalPodAutoscaler",
        ScalerKind::ScaledObject => "ScaledObject",
    };
    Err(UsageError::new(format!(
        "{kind} {}: it has no metric that is simulated: cpu of a container or pod, or Kafka's lag",
        scaler.name
    )))
}
