//! A run in numbers.

use crate::{Limit, SYNC_PERIOD, Verdict};
use serde::Serialize;
use virtual_time::{Latency, Micros};

/// A change that undoes the one before within this time is counted as thrash, in seconds.
const THRASH_S: f64 = 300.0;

/// What a simulation came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetRun {
    /// A row for each time that the autoscaler evaluated while frames came in.
    pub rows: Vec<FleetRow>,
    /// All of it.
    pub report: FleetReport,
    /// How long each frame took, in milliseconds, in the order in which they came in; infinite
    /// when it was never finished.
    #[serde(skip)]
    pub latencies_ms: Vec<f64>,
    /// When each frame came in, in microseconds.
    #[serde(skip)]
    pub arrivals: Vec<Micros>,
}

/// How it was when the autoscaler evaluated.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetRow {
    /// When, in seconds from the start.
    pub at_s: f64,
    /// Frames that came in per second since the last evaluation.
    pub load_fps: f64,
    /// How many pods are wanted from now on.
    pub wanted: u32,
    /// How many pods are ready.
    pub ready: u32,
    /// How many of those have something to consume.
    pub consuming: u32,
    /// Frames that are not finished, those that are worked on included.
    pub lag: u64,
    /// What the first metric measured: CPU in per cent of the requests, in thousandths of a core,
    /// or messages; `None`: nothing.
    pub measured: Option<u64>,
    /// What kept the autoscaler from what its metrics asked for.
    pub limit: Option<&'static str>,
    /// Half of the frames that came in since the last evaluation took no longer, in milliseconds;
    /// `None`: none came or it never ended.
    pub p50_ms: Option<f64>,
    /// The same for 99 % of them.
    pub p99_ms: Option<f64>,
}

/// All of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetReport {
    /// Frames that came in.
    pub frames: u64,
    /// Frames that were never finished, half an hour after the last had come in.
    pub unfinished: u64,
    /// How long the finished ones took, in milliseconds.
    pub latency_ms: Latency,
    /// Pods × hours while frames came in, from their making to their end.
    pub pod_hours: f64,
    /// Pod-hours of pods that were ready and had nothing to consume, because there are no more
    /// partitions.
    pub idle_pod_hours: f64,
    /// The most pods that were wanted.
    pub peak_pods: u32,
    /// How often the autoscaler added pods.
    pub ups: u32,
    /// How often it took pods away.
    pub downs: u32,
    /// How often it undid within 300 s what it had done before.
    pub thrash: u32,
    /// The most frames that were not finished at an evaluation.
    pub max_lag: u64,
    /// For how long it had reached its maximum and wanted more, in seconds.
    pub at_maximum_s: f64,
}

/// What is counted on the way.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rows: Vec<FleetRow>,
    /// When the number of wanted pods changed last, and whether upwards.
    last_change: Option<(f64, bool)>,
    ups: u32,
    downs: u32,
    thrash: u32,
    at_maximum: u32,
    idle_pods: f64,
}

impl Tally {
    /// The autoscaler has evaluated.
    pub(super) fn evaluated(&mut self, row: FleetRow, before: u32, verdict: &Verdict) {
        if verdict.desired != before {
            let up = verdict.desired > before;
            *(if up { &mut self.ups } else { &mut self.downs }) += 1;
            let undone = self
                .last_change
                .is_some_and(|(at, was_up)| was_up != up && row.at_s - at <= THRASH_S);
            self.thrash += u32::from(undone);
            self.last_change = Some((row.at_s, up));
        }
        self.at_maximum += u32::from(verdict.limit == Some(Limit::Maximum));
        self.idle_pods += f64::from(row.ready - row.consuming.min(row.ready));
        self.rows.push(row);
    }

    /// The end: `pod_hours` are those while frames came in.
    pub(super) fn run(
        mut self,
        arrivals: Vec<Micros>,
        latencies_ms: Vec<f64>,
        pod_hours: f64,
    ) -> FleetRun {
        self.latencies_over_time(&arrivals, &latencies_ms);
        let finished: Vec<f64> = latencies_ms.iter().copied().filter(|ms| ms.is_finite()).collect();
        let period_s = SYNC_PERIOD.as_secs_f64();
        let report = FleetReport {
            frames: latencies_ms.len() as u64,
            unfinished: (latencies_ms.len() - finished.len()) as u64,
            latency_ms: Latency::of(finished),
            pod_hours,
            idle_pod_hours: self.idle_pods * period_s / 3600.0,
            peak_pods: self.rows.iter().map(|row| row.wanted).max().unwrap_or(0),
            ups: self.ups,
            downs: self.downs,
            thrash: self.thrash,
            max_lag: self.rows.iter().map(|row| row.lag).max().unwrap_or(0),
            at_maximum_s: f64::from(self.at_maximum) * period_s,
        };
        FleetRun { rows: self.rows, report, latencies_ms, arrivals }
    }

    fn latencies_over_time(&mut self, arrivals: &[Micros], latencies_ms: &[f64]) {
        let mut from = 0;
        for row in &mut self.rows {
            let until = arrivals.partition_point(|at| (*at as f64) < row.at_s * 1e6);
            let mut within = latencies_ms[from..until].to_vec();
            from = until;
            within.sort_by(f64::total_cmp);
            let rank = |share: f64| (share * within.len() as f64).ceil() as usize;
            let quantile =
                |share| within.get(rank(share).max(1) - 1).copied().filter(|ms| ms.is_finite());
            (row.p50_ms, row.p99_ms) = (quantile(0.5), quantile(0.99));
        }
    }
}

impl FleetRun {
    /// The share of all frames that took no longer than so many milliseconds, from 0 to 1; 1 when
    /// there were none.
    #[must_use]
    pub fn share_within(&self, ms: f64) -> f64 {
        let within = self.latencies_ms.iter().filter(|latency| **latency <= ms).count();
        if self.latencies_ms.is_empty() {
            1.0
        } else {
            within as f64 / self.latencies_ms.len() as f64
        }
    }
}

/// The limit in a word.
pub(super) const fn word(limit: Limit) -> &'static str {
    match limit {
        Limit::Minimum => "minimum",
        Limit::Maximum => "maximum",
        Limit::Stabilisation => "stabilisation",
        Limit::Rate => "rate",
    }
}
