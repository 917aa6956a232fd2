//! Who takes part in a simulation, and how each one did.

use super::answers::Accuracy;
use super::options::Setting;
use anyhow::Context;
use indicatif::ProgressBar;
use offload::{Aim, PolicyConfig, PolicyName};
use serde::Serialize;
use simulator::{
    Beam, Deciding, History, Job, Judgement, Report, Scenario, Trace, World, at_full_capacity,
    foresee, judge,
};
use std::path::Path;

/// Somebody who decides.
#[derive(Clone)]
pub(super) struct Entry {
    /// By which name.
    pub(super) name: String,
    by: By,
}

#[derive(Clone)]
enum By {
    Policy(Box<PolicyConfig>),
    Oracle(Beam),
}

/// How an entry did.
#[derive(Serialize)]
pub(super) struct Standing {
    /// Who.
    pub(super) name: String,
    /// In numbers.
    #[serde(flatten)]
    pub(super) report: Report,
    /// How accurate the answers were, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accuracy: Option<Accuracy>,
    /// Of an oracle: what is known of its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oracle: Option<Proof>,
    /// What happened to each frame.
    #[serde(skip)]
    pub(super) history: History,
}

/// What is known of an oracle's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Proof {
    /// No schedule misses fewer deadlines.
    Optimal,
    /// States were left out: there may be a better schedule.
    BeamLimited,
    /// It had the capacity that the autoscalers have at most, all the time.
    Bound,
}

impl Entry {
    /// A policy as it is by default, at the scenario's prices.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(super) fn named(name: &str, scenario: &Scenario) -> anyhow::Result<Self> {
        let config = PolicyConfig { price: scenario.prices, ..PolicyConfig::named(name)? };
        Ok(Self { name: name.into(), by: By::Policy(Box::new(config)) })
    }

    /// A share of the frames to the cloud.
    ///
    /// # Errors
    /// When the share is out of its range.
    pub(super) fn ratio(cloud_share: f64, scenario: &Scenario) -> anyhow::Result<Self> {
        let mut entry = Self::named("ratio", scenario)?;
        entry.name = format!("ratio {cloud_share:.1}");
        if let By::Policy(config) = &mut entry.by {
            config.ratio.cloud_share = cloud_share;
        }
        Ok(entry)
    }

    /// A policy file, at the prices that it tells.
    ///
    /// # Errors
    /// Names the file that cannot be used, and where.
    pub(super) fn file(path: &Path) -> anyhow::Result<Self> {
        let text = text::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let config = PolicyConfig::from_toml(&text).with_context(|| path.display().to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, by: By::Policy(Box::new(config)) })
    }

    /// Who knows the future.
    #[must_use]
    pub(super) fn oracle(beam: usize) -> Self {
        Self { name: "oracle".into(), by: By::Oracle(Beam(beam)) }
    }

    /// Through how many frames it goes.
    #[must_use]
    pub(super) fn steps(&self, frames: usize) -> u64 {
        frames as u64 * if matches!(self.by, By::Oracle(_)) { 2 } else { 1 }
    }

    /// Takes part.
    ///
    /// # Errors
    /// When the policy cannot be used.
    pub(super) fn play(
        &self,
        setting: &Setting,
        trace: &Trace,
        jobs: &[Job],
        bar: &ProgressBar,
    ) -> anyhow::Result<Standing> {
        let mut progress = || bar.inc(1);
        let at_edge = |image: u32, hardness: &offload::Hardness| {
            setting.answers.as_ref().map(|answers| answers.at_edge(image, hardness))
        };
        let world = World { scenario: &setting.scenario, trace, jobs, judge: &at_edge };
        let (judgement, oracle) = match &self.by {
            By::Policy(config) => {
                let aim = &config.cascade.hardness;
                // the default makes do with what there is
                let named = config.policy == PolicyName::Cascade && *aim != Aim::default();
                if let Some(answers) = setting.answers.as_ref().filter(|_| named) {
                    let place = || format!("{}: [cascade] hardness = '{aim}'", self.name);
                    answers.check(&aim.measure).with_context(place)?;
                }
                let mut deciding = Deciding::new(config, setting.scenario.seed)
                    .with_context(|| self.name.clone())?;
                (judge(world, &mut deciding, &mut progress), None)
            }
            By::Oracle(beam) => {
                let schedule = foresee(&setting.scenario, trace, jobs, *beam, &mut progress);
                let full = at_full_capacity(&setting.scenario);
                let full_world = World { scenario: &full, ..world };
                let judgement = judge(full_world, &mut schedule.dispatcher(), &mut progress);
                let proof = match schedule.exact {
                    _ if full != setting.scenario => Proof::Bound,
                    true => Proof::Optimal,
                    false => Proof::BeamLimited,
                };
                (judgement, Some(proof))
            }
        };
        let Judgement { report, history } = judgement;
        let accuracy = setting.answers.as_ref().and_then(|answers| answers.accuracy(&history));
        Ok(Standing { name: self.name.clone(), report, accuracy, oracle, history })
    }
}

impl Standing {
    /// How many times the oracle's misses these are; `None` when only these are any.
    #[must_use]
    pub(super) fn distance(&self, oracle: &Self) -> Option<f64> {
        match (self.report.misses, oracle.report.misses) {
            (0, 0) => Some(1.0),
            (_, 0) => None,
            (own, best) => Some(own as f64 / best as f64),
        }
    }

    /// What its guards did beyond deciding: whether a cascade could not be judged.
    #[must_use]
    pub(super) fn warning(&self) -> Option<String> {
        (self.report.unjudged > 0).then(|| {
            format!(
                "{}: {} frames were taken for easy, because without --detections nobody knows \
                 what the edge finds in them",
                self.name, self.report.unjudged
            )
        })
    }
}
