//! What both simulations can be told of the world.

use super::answers::Answers;
use super::labels::LabelArgs;
use anyhow::Context;
use clap::Args;
use simulator::{Cut, Scenario};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The world to simulate.
#[derive(Debug, Args)]
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
    /// For how many minutes frames come in [default: 20]
    #[arg(long, value_name = "M")]
    pub(super) minutes: Option<f64>,
    /// Cut the uplink, e.g. 300s+60s for a minute from the fifth minute on; can be repeated
    #[arg(long, value_name = "FROM+LENGTH")]
    pub(super) cut: Vec<Cut>,
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
    /// The scenario file's folder, which its trace is relative to.
    pub(super) folder: PathBuf,
    /// What both tiers find, where that is known.
    pub(super) answers: Option<Answers>,
}

impl WorldArgs {
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
        scenario.check().with_context(with_sets)?;
        let folder =
            self.scenario.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let answers =
            self.detections.as_deref().map(|path| Answers::read(path, &self.labels)).transpose()?;
        anyhow::ensure!(
            answers.is_some()
                || (self.labels.labels.is_none() && self.labels.annotations.is_none()),
            "labels are of no use without --detections"
        );
        anyhow::ensure!(self.beam > 0, "--beam must be at least 1");
        Ok(Setting { scenario, folder, answers })
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
        ];
        let setting = read(&line).unwrap();
        let (scenario, load) = (&setting.scenario, &setting.scenario.load);
        assert_eq!(
            (scenario.minutes, load.base_fps, load.burst_fps, load.burst_s),
            (4.0, 7.0, 80.0, 30.0)
        );
        assert_eq!(load.arrivals, simulator::Arrivals::Regular);
        assert_eq!(scenario.uplink.cuts.len(), 2);
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
            (vec!["--labels", "labels"], vec!["without --detections"]),
        ] {
            let message = format!("{:#}", read(&line).err().unwrap());
            assert!(parts.iter().all(|part| message.contains(part)), "{line:?}: {message}");
        }
    }
}
