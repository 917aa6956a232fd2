//! Who takes part in a simulation, and how each one did.

use super::answers::{Accuracy, Answers};
use super::play::Run;
use anyhow::Context;
use indicatif::ProgressBar;
use offload::{Aim, PolicyConfig, PolicyName};
use serde::Serialize;
use simulator::{
    Beam, Deciding, History, Interval, Job, Judgement, Report, Scenario, Trace, World,
    at_full_capacity, foresee, judge,
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
    /// The means of all seeds, when there is more than one: the other numbers are of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) over_seeds: Option<OverSeeds>,
    /// What happened to each frame.
    #[serde(skip)]
    pub(super) history: History,
    /// With the other seeds.
    #[serde(skip)]
    pub(super) others: Vec<Run>,
}

/// Means over seeds with their 95 % confidence intervals.
#[derive(Clone, Copy, Serialize)]
pub(super) struct OverSeeds {
    seeds: usize,
    miss_percent: Interval,
    right_per_s: Interval,
    money: Interval,
    p99_ms: Interval,
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

    /// Whether a detections file tells all that a cascade's measure measures.
    fn check(&self, config: &PolicyConfig, answers: Option<&Answers>) -> anyhow::Result<()> {
        let aim = &config.cascade.hardness;
        // the default makes do with what there is
        let named = config.policy == PolicyName::Cascade && *aim != Aim::default();
        if let Some(answers) = answers.filter(|_| named) {
            let place = || format!("{}: [cascade] hardness = '{aim}'", self.name);
            answers.check(&aim.measure).with_context(place)?;
        }
        Ok(())
    }

    fn deciding(&self, config: &PolicyConfig, seed: u64) -> anyhow::Result<Deciding> {
        Deciding::new(config, seed).with_context(|| self.name.clone())
    }

    /// Its policy, one for each of these seeds.
    ///
    /// # Errors
    /// When it cannot be used, or is an oracle.
    pub(super) fn policies(
        &self,
        seeds: impl Iterator<Item = u64>,
        answers: Option<&Answers>,
    ) -> anyhow::Result<Vec<Deciding>> {
        let By::Policy(config) = &self.by else {
            anyhow::bail!("{} knows one site alone", self.name)
        };
        self.check(config, answers)?;
        seeds.map(|seed| self.deciding(config, seed)).collect()
    }

    /// Takes part.
    ///
    /// # Errors
    /// When the policy cannot be used.
    pub(super) fn play(
        &self,
        scenario: &Scenario,
        answers: Option<&Answers>,
        trace: &Trace,
        jobs: &[Job],
        bar: &ProgressBar,
    ) -> anyhow::Result<Standing> {
        let mut progress = || bar.inc(1);
        let at_edge = |image: u32, hardness: &offload::Hardness| {
            answers.map(|answers| answers.at_edge(image, hardness))
        };
        let world = World { scenario, trace, jobs, judge: &at_edge };
        let (judgement, oracle) = match &self.by {
            By::Policy(config) => {
                self.check(config, answers)?;
                let mut deciding = self.deciding(config, scenario.seed)?;
                (judge(world, &mut deciding, &mut progress), None)
            }
            By::Oracle(beam) => {
                let schedule = foresee(scenario, trace, jobs, *beam, &mut progress);
                let full = at_full_capacity(scenario);
                let full_world = World { scenario: &full, ..world };
                let judgement = judge(full_world, &mut schedule.dispatcher(), &mut progress);
                let proof = match schedule.exact {
                    _ if full != *scenario => Proof::Bound,
                    true => Proof::Optimal,
                    false => Proof::BeamLimited,
                };
                (judgement, Some(proof))
            }
        };
        let Judgement { report, history } = judgement;
        let report = answers.map_or(report, |answers| answers.report(&history, scenario));
        let accuracy = answers.and_then(|answers| answers.accuracy(&history));
        let (name, others) = (self.name.clone(), Vec::new());
        Ok(Standing { name, report, accuracy, oracle, over_seeds: None, history, others })
    }
}

impl Standing {
    /// Of a run.
    pub(super) fn of(
        name: String,
        history: History,
        scenario: &Scenario,
        answers: Option<&Answers>,
    ) -> Self {
        let report = answers.map_or_else(
            || Report::of(&history, scenario),
            |answers| answers.report(&history, scenario),
        );
        let accuracy = answers.and_then(|answers| answers.accuracy(&history));
        let (oracle, over_seeds, others) = (None, None, Vec::new());
        Self { name, report, accuracy, oracle, over_seeds, history, others }
    }

    /// Takes in how the same entry did with the next seed.
    pub(super) fn add(&mut self, next: &Self) {
        self.others.push(Run { report: next.report.clone(), accuracy: next.accuracy });
        let over =
            |of: &dyn Fn(&Report) -> f64| Interval::of(&self.each(|report, _| Some(of(report))));
        self.over_seeds = over(&|report| report.miss_percent).and_then(|miss_percent| {
            Some(OverSeeds {
                seeds: self.others.len() + 1,
                miss_percent,
                right_per_s: over(&|report| report.right_per_s)?,
                money: over(&|report| report.money)?,
                p99_ms: over(&|report| report.latency_ms.p99)?,
            })
        });
    }

    /// A value of each seed in which there is one.
    pub(super) fn each(&self, of: impl Fn(&Report, Option<Accuracy>) -> Option<f64>) -> Vec<f64> {
        let first = of(&self.report, self.accuracy);
        first
            .into_iter()
            .chain(self.others.iter().filter_map(|run| of(&run.report, run.accuracy)))
            .collect()
    }

    /// Missed deadlines over all seeds.
    #[must_use]
    pub(super) fn misses(&self) -> u64 {
        self.report.misses + self.others.iter().map(|run| run.report.misses).sum::<u64>()
    }

    /// Right answers in time per second, of all seeds together.
    #[must_use]
    pub(super) fn right(&self) -> f64 {
        self.each(|report, _| Some(report.right_per_s)).iter().sum()
    }

    /// What all seeds cost together.
    #[must_use]
    pub(super) fn money(&self) -> f64 {
        self.report.money + self.others.iter().map(|run| run.report.money).sum::<f64>()
    }

    /// How many times the oracle's misses these are, seed by seed; `None` when only these are any
    /// with one of the seeds.
    #[must_use]
    pub(super) fn distances(&self, oracle: &Self) -> Option<Vec<f64>> {
        let misses = |standing: &Self| standing.each(|report, _| Some(report.misses as f64));
        let pairs = misses(self).into_iter().zip(misses(oracle));
        pairs
            .map(|(own, best)| match (own, best) {
                (0.0, 0.0) => Some(1.0),
                (_, 0.0) => None,
                (own, best) => Some(own / best),
            })
            .collect()
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
