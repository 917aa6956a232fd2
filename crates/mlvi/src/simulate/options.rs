//! What both simulations can be told of the world.

use super::answers::Answers;
use super::labels::LabelArgs;
use anyhow::Context;
use clap::Args;
use simulator::{
    Cut, Job, Measured, Outages, Scenario, ServiceTimes, TimesFile, measured_workload,
};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The world to simulate.
#[derive(Debug, Clone, Args)]
pub(super) struct WorldArgs {
    /// A scenario file (TOML); what it leaves out has the default
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// Change one value of the scenario, e.g. `load.burst_fps=80`, `edge.workers=4` or
    /// `cloud.autoscale.max=8`; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Decides every random number [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Run this many seeds, one after the other from --seed on; tables then have the mean and its
    /// 95 % confidence interval (Student's t), plots are of the first seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) seeds: u64,
    /// On how many processors [default: all]; the results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(super) jobs: Option<u64>,
    /// Measured service times, over those of the scenario file: `edge=FILE`, `cloud=FILE` or
    /// `preprocess=FILE`, a CSV with seconds in the column `response_time`; can be repeated, and
    /// stages of preprocessing add up
    #[arg(long, value_name = "STAGE=FILE")]
    pub(super) service_times: Vec<String>,
    /// For how many minutes frames come in [default: 20]
    #[arg(long, value_name = "M")]
    pub(super) minutes: Option<f64>,
    /// Cut the uplink, e.g. 300s+60s for a minute from the fifth minute on; can be repeated
    #[arg(long, value_name = "FROM+LENGTH")]
    pub(super) cut: Vec<Cut>,
    /// This share of the packets is lost on the way up, independently of each other, from 0 to 0.5;
    /// bursts of losses are `[uplink.loss]` of the scenario
    #[arg(long, value_name = "SHARE")]
    pub(super) loss: Option<f64>,
    /// Outages by chance, e.g. 600s+5s for one of 5 s every 600 s, both on average
    #[arg(long, value_name = "EVERY+LENGTH")]
    pub(super) outages: Option<Outages>,
    /// What both tiers' models find in images (see `mlvi simulate detections`); tells how accurate
    /// answers are, and which frames of a cascade are hard
    #[arg(long, value_name = "FILE")]
    pub(super) detections: Option<PathBuf>,
    /// What is really in those images
    #[command(flatten)]
    pub(super) labels: LabelArgs,
    /// How many states the oracle keeps at a time; with more it finds the best possible schedule
    /// more often, and takes longer
    #[arg(long, value_name = "N", default_value_t = simulator::Beam::default().0)]
    pub(super) beam: usize,
}

/// The world, read.
pub(super) struct Setting {
    /// What is simulated.
    pub(super) scenario: Scenario,
    /// How many seeds are run, from the scenario's on.
    pub(super) seeds: u64,
    /// The service times that were measured.
    pub(super) times: ServiceTimes,
    /// The scenario file's folder, which its trace is relative to.
    pub(super) folder: PathBuf,
    /// What both tiers find, where that is known.
    pub(super) answers: Option<Answers>,
}

impl Setting {
    /// All seeds.
    pub(super) fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.scenario.seed;
        first..first.saturating_add(self.seeds)
    }

    /// The frames of a seed.
    pub(super) fn workload(&self, seed: u64, images: u32) -> Vec<Job> {
        let scenario = Scenario { seed, ..self.scenario.clone() };
        measured_workload(&scenario, &self.times, images)
    }
}

/// Reads a file of measured times.
fn measured(path: &Path, of: &TimesFile) -> anyhow::Result<Measured> {
    let text = text::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Measured::parse(&text, of).with_context(|| path.display().to_string())
}

impl WorldArgs {
    /// How many threads simulate.
    pub(super) fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(all, |jobs| jobs as usize)
    }

    fn times(&self, scenario: &mut Scenario, folder: &Path) -> anyhow::Result<ServiceTimes> {
        for text in &self.service_times {
            let (stage, file) = text
                .split_once('=')
                .with_context(|| format!("--service-times {text}: write STAGE=FILE"))?;
            // a path of the command line is relative to where the command runs
            let path = std::path::absolute(file).with_context(|| file.to_owned())?;
            let of = TimesFile::new(path.to_string_lossy());
            match stage {
                "edge" => scenario.edge.service_times = Some(of),
                "cloud" => scenario.cloud.service_times = Some(of),
                "preprocess" => scenario.preprocess_times.push(of),
                _ => anyhow::bail!(
                    "--service-times {text}: '{stage}' is no stage: edge, cloud or preprocess"
                ),
            }
        }
        let read = |of: &TimesFile| measured(&folder.join(&of.file), of);
        Ok(ServiceTimes {
            preprocess: scenario.preprocess_times.iter().map(read).collect::<Result<_, _>>()?,
            edge: scenario.edge.service_times.as_ref().map(read).transpose()?,
            cloud: scenario.cloud.service_times.as_ref().map(read).transpose()?,
        })
    }

    /// Reads all files and puts the options over them.
    ///
    /// # Errors
    /// Names the file or option that cannot be used.
    pub(super) fn read(&self) -> anyhow::Result<Setting> {
        let text = match &self.scenario {
            Some(path) => {
                text::read(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            None => String::new(),
        };
        let name = self
            .scenario
            .as_ref()
            .map_or_else(|| "the default scenario".into(), |path| path.display().to_string());
        // read by itself first: only then do errors tell the line
        Scenario::from_toml(&text).with_context(|| name.clone())?;
        let mut table: Table = text.parse().with_context(|| name.clone())?;
        for set in &self.set {
            merge(&mut table, parse_set(set)?);
        }
        let with_sets = || {
            if self.set.is_empty() {
                name.clone()
            } else {
                format!("{name} with --set {}", self.set.join(" --set "))
            }
        };
        let mut scenario: Scenario = Value::Table(table).try_into().with_context(with_sets)?;
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.minutes = self.minutes.unwrap_or(scenario.minutes);
        scenario.uplink.cuts.extend(&self.cut);
        scenario.uplink.loss.share = self.loss.unwrap_or(scenario.uplink.loss.share);
        scenario.uplink.outages = self.outages.or(scenario.uplink.outages);
        scenario.check().with_context(with_sets)?;
        let folder =
            self.scenario.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let times = self.times(&mut scenario, &folder)?;
        let answers =
            self.detections.as_deref().map(|path| Answers::read(path, &self.labels)).transpose()?;
        anyhow::ensure!(
            answers.is_some()
                || (self.labels.labels.is_none() && self.labels.annotations.is_none()),
            "labels are of no use without --detections"
        );
        anyhow::ensure!(self.beam > 0, "--beam must be at least 1");
        Ok(Setting { scenario, seeds: self.seeds, times, folder, answers })
    }
}

/// `a.b=value` as a table; a value that is no TOML is a text.
fn parse_set(set: &str) -> anyhow::Result<Table> {
    let (key, value) =
        set.split_once('=').with_context(|| format!("--set {set}: write KEY=VALUE"))?;
    let as_text = || format!("{key} = '{}'", value.trim());
    let parsed = format!("{key} = {value}").parse().or_else(|_| as_text().parse::<Table>());
    parsed.map_err(|_| anyhow::anyhow!("--set {set}: '{key}' is not a key such as load.burst_fps"))
}

/// Puts `over` over `table`, table by table.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => merge(inner, over),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        world: WorldArgs,
    }

    fn read(line: &[&str]) -> anyhow::Result<Setting> {
        Line::parse_from(["simulate"].iter().chain(line)).world.read()
    }

    #[test]
    fn options_go_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(
            &path,
            "minutes = 3\n[load]\nbase_fps = 7\nburst_fps = 70\n[uplink]\ncuts = [\"10s+5s\"]\n",
        )
        .unwrap();
        let file = path.to_str().unwrap();
        let line = [
            "--scenario",
            file,
            "--minutes",
            "4",
            "--set",
            "load.burst_fps=80",
            "--set",
            "load.arrivals=regular",
            "--cut",
            "1s+2s",
            "--loss",
            "0.01",
            "--outages",
            "600s+5s",
            "--set",
            "uplink.loss.every_s=60",
        ];
        let setting = read(&line).unwrap();
        let (scenario, load) = (&setting.scenario, &setting.scenario.load);
        assert_eq!(
            (scenario.minutes, load.base_fps, load.burst_fps, load.burst_s),
            (4.0, 7.0, 80.0, 30.0)
        );
        assert_eq!(load.arrivals, simulator::Arrivals::Regular);
        let uplink = &scenario.uplink;
        assert_eq!((uplink.cuts.len(), uplink.loss.share, uplink.loss.every_s), (2, 0.01, 60.0));
        assert_eq!(uplink.outages.map(|outages| outages.to_string()).as_deref(), Some("600s+5s"));
        assert_eq!(setting.folder, dir.path());
    }

    #[test]
    fn mistakes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(&path, "minutes = 3\n[load]\nfps = 7\n").unwrap();
        let file = path.to_str().unwrap();
        for (line, parts) in [
            (vec!["--scenario", file], vec!["scenario.toml", "line 3", "unknown field `fps`"]),
            (vec!["--scenario", "nowhere.toml"], vec!["nowhere.toml"]),
            (vec!["--set", "load.fps=7"], vec!["--set load.fps=7", "unknown field `fps`"]),
            (vec!["--set", "load.base_fps=fast"], vec!["base_fps"]),
            (vec!["--set", "minutes"], vec!["KEY=VALUE"]),
            (vec!["--set", "a b=1"], vec!["is not a key"]),
            (vec!["--minutes", "0"], vec!["minutes is 0"]),
            (vec!["--loss", "0.6"], vec!["uplink.loss.share is 0.6"]),
            (vec!["--set", "uplink.loss.bad_share=1"], vec!["uplink.loss.bad_share is 1"]),
            (vec!["--set", "uplink.outages=often"], vec!["600s+5s"]),
            (vec!["--set", "cloud.accuracy=2"], vec!["cloud.accuracy is 2"]),
            (vec!["--labels", "labels"], vec!["without --detections"]),
            (vec!["--service-times", "edge"], vec!["STAGE=FILE"]),
            (vec!["--service-times", "gate=a.csv"], vec!["'gate' is no stage"]),
            (vec!["--service-times", "edge=nowhere.csv"], vec!["nowhere.csv"]),
        ] {
            let message = format!("{:#}", read(&line).err().unwrap());
            assert!(parts.iter().all(|part| message.contains(part)), "{line:?}: {message}");
        }
    }

    #[test]
    fn measured_times_are_named_by_file_line_and_column() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("good.csv"), "response_time\n0.2\n0.4\n").unwrap();
        std::fs::write(path("bad.csv"), "response_time\n0.2\nslow\n").unwrap();
        std::fs::write(
            path("scenario.toml"),
            "[edge]\nworkers = 3\nservice_times = { file = \"good.csv\", scale = 0.5 }\n",
        )
        .unwrap();
        let file = path("scenario.toml").to_string_lossy().into_owned();
        let setting = read(&["--scenario", &file]).unwrap();
        let jobs = setting.workload(1, 0);
        let mut seen: Vec<u64> =
            jobs.iter().map(|job| job.service(frame::Destination::Edge)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen, setting.scenario.edge.workers), (vec![100_000, 200_000], 3));
        let bad = format!("cloud={}", path("bad.csv").display());
        let message = format!("{:#}", read(&["--service-times", &bad]).err().unwrap());
        let parts = ["bad.csv", "line 3", "column 'response_time'", "'slow' is not a time"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
