//! What is simulated: the load, the two tiers and the uplink between them.

use crate::{Cut, Loss, Micros, Outages, TimesFile, TraceFormat};
use offload::Price;
use serde::{Deserialize, Deserializer, Serialize};
use virtual_time::Random;

const EDGE: TierSetup = TierSetup {
    workers: 2,
    service_ms: 120.0,
    service_sigma: 0.05,
    service_times: None,
    accuracy: 1.0,
    autoscale: None,
};
const CLOUD: TierSetup = TierSetup {
    workers: 1,
    service_ms: 50.0,
    service_sigma: 0.05,
    service_times: None,
    accuracy: 1.0,
    autoscale: None,
};

/// The whole of it, as a scenario file (TOML) tells it. What is left out has the default.
///
/// The default is an edge box and a small share of a cloud behind a mobile uplink: at the base rate
/// the edge alone is enough; in a burst neither the edge nor the cloud behind its link is, and
/// often not even both together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Decides every random number.
    pub seed: u64,
    /// For how long frames come in, in minutes.
    pub minutes: f64,
    /// How long a frame is worked on before it is decided on (decoding, sharpening, encoding), in
    /// milliseconds. Its age then.
    pub preprocess_ms: f64,
    /// Measured times of its stages instead: each frame takes the sum of one of each.
    pub preprocess_times: Vec<TimesFile>,
    /// How often the policy hears how much waits in each tier, in milliseconds.
    pub lag_every_ms: f64,
    /// Which frames come when.
    pub load: Load,
    /// The edge.
    #[serde(deserialize_with = "edge")]
    pub edge: TierSetup,
    /// The cloud.
    #[serde(deserialize_with = "cloud")]
    pub cloud: TierSetup,
    /// The way to the cloud.
    pub uplink: UplinkSetup,
    /// What things cost.
    pub prices: Price,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            minutes: 20.0,
            preprocess_ms: 20.0,
            preprocess_times: Vec::new(),
            lag_every_ms: 2000.0,
            load: Load::default(),
            edge: EDGE,
            cloud: CLOUD,
            uplink: UplinkSetup::default(),
            prices: Price::default(),
        }
    }
}

/// The cameras and what they send.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// How many cameras share the rates.
    pub cameras: u32,
    /// Frames per second of all cameras together outside bursts.
    pub base_fps: f64,
    /// Frames per second of all cameras together in a burst.
    pub burst_fps: f64,
    /// How long a burst lasts, in seconds; it stands at the end of each period. 0: there are no
    /// bursts.
    pub burst_s: f64,
    /// From one burst's beginning to the next one's, in seconds.
    pub period_s: f64,
    /// How far into a period the simulation begins, in seconds.
    pub phase_s: f64,
    /// How frames follow each other.
    pub arrivals: Arrivals,
    /// How long after it came in a frame's answer is wanted, in milliseconds; 0: forever.
    pub deadline_ms: f64,
    /// The mean size of a prepared JPEG, in bytes.
    pub frame_bytes: f64,
    /// The standard deviation of the logarithm of that size.
    pub frame_sigma: f64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            cameras: 5,
            base_fps: 5.0,
            burst_fps: 50.0,
            burst_s: 30.0,
            period_s: 120.0,
            phase_s: 0.0,
            arrivals: Arrivals::Poisson,
            deadline_ms: 500.0,
            frame_bytes: 20_000.0,
            frame_sigma: 0.15,
        }
    }
}

/// How frames follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Independently of each other, at the rate that holds at the time.
    Poisson,
    /// At even distances.
    Regular,
}

/// A tier's workers. A frame's service time is log-normal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TierSetup {
    /// How many frames are worked on at a time; with `autoscale`, how many at the beginning.
    pub workers: u32,
    /// The mean service time of a frame, in milliseconds.
    pub service_ms: f64,
    /// The standard deviation of the service time's logarithm.
    pub service_sigma: f64,
    /// Measured service times instead of those two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_times: Option<TimesFile>,
    /// How right one of its answers is where no detections tell, from 0 to 1.
    pub accuracy: f64,
    /// How the number of workers follows the load; left out: it does not.
    pub autoscale: Option<Autoscale>,
}

/// A tier as a scenario file tells it: what it leaves out is as in the default of that tier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierEntry {
    workers: Option<u32>,
    service_ms: Option<f64>,
    service_sigma: Option<f64>,
    service_times: Option<TimesFile>,
    accuracy: Option<f64>,
    autoscale: Option<Autoscale>,
}

impl TierEntry {
    fn over(self, default: TierSetup) -> TierSetup {
        TierSetup {
            workers: self.workers.unwrap_or(default.workers),
            service_ms: self.service_ms.unwrap_or(default.service_ms),
            service_sigma: self.service_sigma.unwrap_or(default.service_sigma),
            service_times: self.service_times,
            accuracy: self.accuracy.unwrap_or(default.accuracy),
            autoscale: self.autoscale,
        }
    }
}

fn edge<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TierSetup, D::Error> {
    TierEntry::deserialize(deserializer).map(|entry| entry.over(EDGE))
}

fn cloud<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TierSetup, D::Error> {
    TierEntry::deserialize(deserializer).map(|entry| entry.over(CLOUD))
}

/// An autoscaler as Kubernetes has it: every 15 s it aims at a mean utilisation of the workers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Autoscale {
    /// Never fewer workers than this.
    pub min: u32,
    /// Never more workers than this.
    pub max: u32,
    /// The utilisation to aim at, from 0 to 1.
    pub target: f64,
    /// How long a new worker takes until it is ready, in seconds.
    pub start_s: f64,
    /// For how long a recommendation to have more workers keeps them from being taken away, in
    /// seconds.
    pub stabilisation_s: f64,
}

impl Default for Autoscale {
    fn default() -> Self {
        Self { min: 1, max: 4, target: 0.7, start_s: 20.0, stabilisation_s: 300.0 }
    }
}

/// The way to the cloud.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UplinkSetup {
    /// The trace file; a relative path is relative to the scenario file.
    pub trace: Option<String>,
    /// How that file is written; left out: its name tells.
    pub format: Option<TraceFormat>,
    /// The way there and back when nothing is in the way, in milliseconds.
    pub rtt_ms: f64,
    /// When nothing gets through, such as `["300s+60s"]`.
    pub cuts: Vec<Cut>,
    /// Where in the trace the simulation begins, in seconds.
    pub phase_s: f64,
    /// Which packets get lost on the way up.
    pub loss: Loss,
    /// Outages that come by chance, such as `"600s+5s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outages: Option<Outages>,
}

impl Default for UplinkSetup {
    fn default() -> Self {
        Self {
            trace: None,
            format: None,
            rtt_ms: 40.0,
            cuts: Vec::new(),
            phase_s: 0.0,
            loss: Loss::default(),
            outages: None,
        }
    }
}

/// A scenario that cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Its text is not understood; the message has line and column.
    #[error("{0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// A value is out of its range.
    #[error("{name} is {value}: it must be {allowed}")]
    Value {
        /// Which one, as in the file.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
}

impl Scenario {
    /// Reads a scenario file's text and checks it.
    ///
    /// # Errors
    /// When it cannot be read or simulated.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(Box::new)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The seed of one of several sites; the first one has the seed of all.
    #[must_use]
    pub const fn seed_of_site(seed: u64, site: u32) -> u64 {
        // far from the seeds that follow each other
        seed.wrapping_add((site as u64).wrapping_mul(1_000_000_007))
    }

    /// The same at one of several sites, with a seed of its own. `apart`: its bursts come at another
    /// time than those of other sites, and it begins at another moment of its trace, which is so
    /// long.
    #[must_use]
    pub fn at_site(&self, number: u32, apart: bool, trace_period: Micros) -> Self {
        let mut site = self.clone();
        site.seed = Self::seed_of_site(self.seed, number);
        if apart {
            let mut phases = Random::new(self.seed, &format!("phase of site {number}"));
            site.load.phase_s += phases.unit() * site.load.period_s;
            site.uplink.phase_s += phases.unit() * trace_period as f64 / 1e6;
        }
        site
    }

    /// Whether every value is in its range.
    ///
    /// # Errors
    /// When one is not.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let load = &self.load;
        let above_zero = [
            ("minutes", self.minutes, 100_000.0),
            ("lag_every_ms", self.lag_every_ms, 1e9),
            ("load.cameras", f64::from(load.cameras), 100_000.0),
            ("load.base_fps", load.base_fps, 100_000.0),
            ("load.burst_fps", load.burst_fps, 100_000.0),
            ("load.period_s", load.period_s, 1e9),
            ("load.frame_bytes", load.frame_bytes, 1e8),
            ("edge.workers", f64::from(self.edge.workers), 10_000.0),
            ("edge.service_ms", self.edge.service_ms, 1e6),
            ("cloud.workers", f64::from(self.cloud.workers), 10_000.0),
            ("cloud.service_ms", self.cloud.service_ms, 1e6),
        ];
        let from_zero = [
            ("preprocess_ms", self.preprocess_ms, 1e6),
            ("load.burst_s", load.burst_s, load.period_s),
            ("load.phase_s", load.phase_s, 1e9),
            ("uplink.phase_s", self.uplink.phase_s, 1e9),
            ("edge.accuracy", self.edge.accuracy, 1.0),
            ("cloud.accuracy", self.cloud.accuracy, 1.0),
            ("load.deadline_ms", load.deadline_ms, 1e9),
            ("load.frame_sigma", load.frame_sigma, 3.0),
            ("edge.service_sigma", self.edge.service_sigma, 3.0),
            ("cloud.service_sigma", self.cloud.service_sigma, 3.0),
            ("uplink.rtt_ms", self.uplink.rtt_ms, 1e6),
            ("prices.edge_per_frame", self.prices.edge_per_frame, 1e12),
            ("prices.cloud_per_frame", self.prices.cloud_per_frame, 1e12),
            ("prices.cloud_per_gigabyte", self.prices.cloud_per_gigabyte, 1e12),
        ];
        let wrong = |(name, value, _): (&'static str, f64, f64), allowed| {
            Err(ScenarioError::Value { name, value, allowed })
        };
        if let Some(bad) =
            above_zero.into_iter().find(|(_, value, max)| !(*value > 0.0 && value <= max))
        {
            return wrong(bad, "above 0 and not absurdly large");
        }
        if let Some(bad) =
            from_zero.into_iter().find(|(_, value, max)| !(*value >= 0.0 && value <= max))
        {
            return wrong(
                bad,
                "0 or more, and not absurdly large (a burst: not longer than its period; an \
                 accuracy: at most 1)",
            );
        }
        if let Some((name, value, allowed)) = self.uplink.loss.wrong() {
            return Err(ScenarioError::Value { name, value, allowed });
        }
        let files = self.preprocess_times.iter();
        let files = files.chain(&self.edge.service_times).chain(&self.cloud.service_times);
        for (name, value, least, most) in files.flat_map(TimesFile::ranges) {
            if !(least..=most).contains(&value) {
                return wrong(
                    (name, value, most),
                    "a time's unit and scale are above 0, a block 1 or more",
                );
            }
        }
        self.edge.autoscale.iter().chain(&self.cloud.autoscale).try_for_each(Autoscale::check)
    }
}

impl Autoscale {
    fn check(&self) -> Result<(), ScenarioError> {
        let wrong = |name, value, allowed| Err(ScenarioError::Value { name, value, allowed });
        if self.min == 0 || self.min > 10_000 {
            return wrong("autoscale.min", f64::from(self.min), "at least 1");
        }
        if self.max < self.min || self.max > 10_000 {
            return wrong("autoscale.max", f64::from(self.max), "at least min");
        }
        if !(self.target > 0.0 && self.target <= 1.0) {
            return wrong("autoscale.target", self.target, "above 0 and at most 1");
        }
        for (name, seconds) in [
            ("autoscale.start_s", self.start_s),
            ("autoscale.stabilisation_s", self.stabilisation_s),
        ] {
            if !(0.0..=1e6).contains(&seconds) {
                return wrong(name, seconds, "0 or more");
            }
        }
        Ok(())
    }
}
