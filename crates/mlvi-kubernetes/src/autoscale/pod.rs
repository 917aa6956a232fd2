//! What a pod needs and does: what options say, else what manifests say, else what is known of the
//! unit.

use anyhow::Context;
use autoscale::{FleetSetup, LoadShape};
use clap::Args;
use cli::Scrape;
use cli::UsageError;
use manifests::cores;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use unit::About;

/// How long a unit's /metrics may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// With how many partitions units make missing topics.
const PARTITIONS: u32 = 12;
/// A run holds all its frames, 24 bytes each.
const MAX_FRAMES: f64 = 50e6;

/// What can be told of a pod.
#[derive(Args, Debug, Default)]
pub(super) struct PodArgs {
    /// The mean time that the unit takes for a frame, in milliseconds
    #[arg(long, value_name = "MS", conflicts_with = "measured")]
    service_ms: Option<f64>,
    /// Take that time from a unit's /metrics: a URL such as http://localhost:9600/metrics, or a file with its text
    #[arg(long, value_name = "URL|FILE")]
    measured: Option<String>,
    /// How far times are spread: the standard deviation of their logarithm
    #[arg(long, value_name = "SIGMA", default_value_t = 0.1)]
    service_spread: f64,
    /// How many frames a pod works on at a time [default: the unit's setting in its manifest, else
    /// the cores of its limit or request]
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
    /// How many cores a frame keeps busy while it is worked on [default: 1; web-server: 0.3]
    #[arg(long, value_name = "CORES")]
    cores_per_frame: Option<f64>,
    /// How many cores a pod uses when it has nothing to do
    #[arg(long, value_name = "CORES", default_value_t = 0.02)]
    idle_cores: f64,
    /// What a pod requests, e.g. 500m [default: as in its manifest, else a core for each frame
    /// that it works on]
    #[arg(long, value_name = "CORES")]
    cpu_request: Option<String>,
    /// The most that it may use, e.g. 2 [default: as in its manifest, else none]
    #[arg(long, value_name = "CORES")]
    cpu_limit: Option<String>,
    /// From a pod's making until its containers run, in seconds: scheduling, image, init
    /// containers
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    pending_s: f64,
    /// From then until it is ready, in seconds [default: 2; inference: 5]
    #[arg(long, value_name = "S")]
    startup_s: Option<f64>,
    /// How long a pod that is taken away goes on as before, in seconds [default: its preStop
    /// pause, else 0]
    #[arg(long, value_name = "S")]
    stop_s: Option<f64>,
    /// How many partitions its topic has [default: MLVI_PARTITIONS of the manifests, else 12]
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    /// From how many cameras the frames come; each camera's go into one partition. 0: so many that
    /// partitions are filled evenly
    #[arg(long, value_name = "N", default_value_t = 0)]
    cameras: u32,
    /// How long a rebalance of the consumer group takes, in seconds
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    rebalance_s: f64,
}

/// A number that the simulation goes by, and where it is from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Known {
    pub(super) what: &'static str,
    pub(super) value: String,
    pub(super) from: String,
}

/// What manifests tell of the unit.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// What its container requests, in cores.
    pub(super) request_cores: Option<f64>,
    /// What it may use at most, in cores.
    pub(super) limit_cores: Option<f64>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) pre_stop_s: f64,
}

/// What comes in.
pub(super) struct Coming {
    pub(super) load: LoadShape,
    pub(super) minutes: f64,
    pub(super) seed: u64,
}

impl PodArgs {
    /// The whole of it, and where each number is from.
    ///
    /// # Errors
    /// Names the option or variable that cannot be used.
    pub(super) fn setup(
        &self,
        unit: &About,
        manifest: &Manifest,
        coming: Coming,
    ) -> anyhow::Result<(FleetSetup, Vec<Known>)> {
        let mut known = Vec::new();
        let mut tell = |what, value: String, from: &str| {
            known.push(Known { what, value, from: from.to_owned() })
        };
        let (service_ms, from) = self.service_ms(unit)?;
        tell("service time", format!("{service_ms:.1} ms a frame"), &from);
        let quantity = |option: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => cores(text).map(Some).ok_or_else(|| {
                UsageError::new(format!(
                    "{option} {text}: it must be cores above 0, such as 500m or 2"
                ))
            }),
        };
        let requested = quantity("--cpu-request", &self.cpu_request)?;
        let limited = quantity("--cpu-limit", &self.cpu_limit)?;
        let limit_cores = limited.or(manifest.limit_cores);
        let of_manifest = manifest.request_cores;
        let (workers, from) =
            self.workers(unit, manifest, limit_cores.or(requested).or(of_manifest))?;
        tell("frames at a time", format!("{workers} a pod"), &from);
        let cores_per_frame = self.cores_per_frame.unwrap_or(unit.estimate.cores_per_frame);
        let (request_cores, from) = match (requested, of_manifest) {
            (Some(cores), _) => (cores, "--cpu-request"),
            (None, Some(cores)) => (cores, "the manifest"),
            (None, None) => (
                f64::from(workers) * cores_per_frame,
                "an assumption: as much as its frames keep busy",
            ),
        };
        tell("CPU request", cores_a_pod(request_cores), from);
        if let Some(limit) = limit_cores {
            tell(
                "CPU limit",
                cores_a_pod(limit),
                if limited.is_some() { "--cpu-limit" } else { "the manifest" },
            );
        }
        let start_s = self.startup_s.unwrap_or(unit.estimate.start_s);
        let from = if self.startup_s.is_some() {
            "--startup-s"
        } else {
            "an assumption; `mlvi bench unit` measures it"
        };
        tell(
            "start",
            format!("{} s until its containers run, {start_s} s until it is ready", self.pending_s),
            from,
        );
        let partitions = if unit.input.is_some() { Some(self.partitions(manifest)?) } else { None };
        if let Some((partitions, from)) = partitions {
            tell("partitions", partitions.to_string(), from);
        }
        let Coming { load, minutes, seed } = coming;
        let setup = FleetSetup {
            seed,
            minutes,
            load,
            service_ms,
            service_sigma: self.service_spread,
            workers,
            cores_per_frame,
            idle_cores: self.idle_cores,
            request_cores,
            limit_cores,
            pending_s: self.pending_s,
            start_s,
            // a model is read and warmed up on one thread
            start_cores: 1.0,
            stop_s: self.stop_s.unwrap_or(manifest.pre_stop_s),
            partitions: partitions.map(|(partitions, _)| partitions),
            cameras: self.cameras,
            rebalance_s: self.rebalance_s,
            // readings are 15 s apart: on average an evaluation finds them half as old
            metrics_age_s: 7.5,
        };
        check_ranges(&setup)?;
        check_frames(&setup)?;
        Ok((setup, known))
    }

    fn service_ms(&self, unit: &About) -> anyhow::Result<(f64, String)> {
        if let Some(ms) = self.service_ms {
            return Ok((ms, "--service-ms".into()));
        }
        let Some(source) = &self.measured else {
            return Ok((unit.estimate.service_ms, unit.estimate.service_from.into()));
        };
        let Some((histogram, stages)) = unit.estimate.stages else {
            return Err(UsageError::new(format!(
                "--measured: {} does not measure its time a frame; give --service-ms",
                unit.name
            ))
            .into());
        };
        let text = if source.starts_with("http://") {
            let agent: ureq::Agent =
                ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
            let mut answer =
                agent.get(source).call().with_context(|| format!("cannot get {source}"))?;
            answer.body_mut().read_to_string().with_context(|| format!("cannot read {source}"))?
        } else {
            text::read(source)
                .map_err(|error| UsageError::about(format!("--measured {source}"), error))?
        };
        let scrape = Scrape::read(&text);
        let means = stages.iter().filter_map(|stage| scrape.mean(histogram, &[("stage", stage)]));
        let ms = 1000.0 * means.sum::<f64>();
        if ms <= 0.0 {
            let problem = format!(
                "has no observations of {histogram}: is it {}, and has it had frames?",
                unit.name
            );
            return Err(UsageError::about(format!("--measured {source}"), problem).into());
        }
        Ok((ms, format!("{histogram} of {source}: {}", stages.join(" + "))))
    }

    fn workers(
        &self,
        unit: &About,
        manifest: &Manifest,
        cores: Option<f64>,
    ) -> Result<(u32, String), UsageError> {
        if let Some(workers) = self.workers {
            return Ok((workers, "--workers".into()));
        }
        if let Some((variable, text)) = unit
            .estimate
            .workers_variable
            .and_then(|variable| Some((variable, manifest.variables.get(variable)?)))
        {
            let workers = text.parse().map_err(|_| {
                UsageError::new(format!("{variable} is '{text}': it must be a whole number"))
            })?;
            return Ok((workers, format!("{variable} of the manifest")));
        }
        Ok(match (unit.estimate.workers_variable, cores) {
            (None, _) => (64, "an assumption: it mostly waits for the broker".into()),
            (Some(variable), Some(cores)) => (
                (cores.ceil() as u32).max(1),
                format!("the cores of its limit or request, as {variable} is not set"),
            ),
            (Some(_), None) => (1, "an assumption".into()),
        })
    }

    fn partitions(&self, manifest: &Manifest) -> Result<(u32, &'static str), UsageError> {
        match (self.partitions, manifest.variables.get("MLVI_PARTITIONS")) {
            (Some(partitions), _) => Ok((partitions, "--partitions")),
            (None, Some(text)) => match text.parse() {
                Ok(partitions) => Ok((partitions, "MLVI_PARTITIONS of the manifests")),
                Err(_) => Err(UsageError::new(format!(
                    "MLVI_PARTITIONS is '{text}': it must be a whole number"
                ))),
            },
            (None, None) => Ok((PARTITIONS, "the default of MLVI_PARTITIONS")),
        }
    }
}

fn cores_a_pod(cores: f64) -> String {
    format!("{cores} core{} a pod", if cores == 1.0 { "" } else { "s" })
}

/// Whether every number is in its range.
fn check_ranges(setup: &FleetSetup) -> Result<(), UsageError> {
    let within = [
        ("--minutes", setup.minutes, 0.25, 100_000.0),
        ("--service-ms", setup.service_ms, 0.01, 600_000.0),
        ("--service-spread", setup.service_sigma, 0.0, 3.0),
        ("--workers", f64::from(setup.workers), 1.0, 1000.0),
        ("--cores-per-frame", setup.cores_per_frame, 0.001, 1000.0),
        ("--idle-cores", setup.idle_cores, 0.0, 1000.0),
        ("--cpu-request", setup.request_cores, 0.001, 10_000.0),
        ("--cpu-limit", setup.limit_cores.unwrap_or(1.0), 0.001, 10_000.0),
        ("--pending-s", setup.pending_s, 0.0, 3600.0),
        ("--startup-s", setup.start_s, 0.0, 3600.0),
        ("--stop-s", setup.stop_s, 0.0, 3600.0),
        ("--partitions", f64::from(setup.partitions.unwrap_or(1)), 1.0, 10_000.0),
        ("--cameras", f64::from(setup.cameras), 0.0, 100_000.0),
        ("--rebalance-s", setup.rebalance_s, 0.0, 600.0),
    ];
    match within.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
        Some((option, value, least, most)) => {
            Err(UsageError::new(format!("{option} is {value}: it must be {least} to {most}")))
        }
        None => Ok(()),
    }
}

/// Whether all frames find room in memory.
fn check_frames(setup: &FleetSetup) -> Result<(), UsageError> {
    let frames = setup.load.expected_frames(setup.minutes);
    if frames <= MAX_FRAMES {
        return Ok(());
    }
    let millions = |frames: f64| (frames / 1e6).ceil();
    Err(UsageError::new(format!(
        "--load over {} minutes gives about {} million frames: more than {} million are too many \
         for the memory of one run; \
         give fewer --minutes, or a lower rate",
        setup.minutes,
        millions(frames),
        millions(MAX_FRAMES),
    )))
}
