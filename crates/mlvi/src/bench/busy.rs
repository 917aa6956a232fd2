//! Whether a measurement can be trusted: what else the machine did, and how far it scattered.

use super::process::{MachineTimes, ProcessTimes, cpu_ms_of};
use super::stats::Summary;
use serde::Serialize;
use std::time::Instant;

/// Above this share of all processors, other processes disturb.
const MOST_OTHERS: f64 = 0.05;
/// Above this, the quartiles lie too far apart.
const MOST_SCATTER: f64 = 0.10;

/// Looks at the machine while something is measured.
pub(super) struct Watch {
    started: Instant,
    machine: MachineTimes,
    own: ProcessTimes,
    /// Peers, and what each had used at the start.
    peers: Vec<(u32, f64)>,
}

/// Whether to trust a measurement, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Trust {
    /// What other processes used, as a share of all processors.
    pub(super) others: f64,
    /// What other virtual machines used, as a share of all processors.
    pub(super) stolen: f64,
    /// The largest distance of the quartiles, as a share of the median.
    pub(super) scatter: f64,
}

impl Watch {
    /// From now on; `peers` are processes that are measured too.
    pub(super) fn start(peers: &[u32]) -> anyhow::Result<Self> {
        let used = |pid: &u32| Ok((*pid, cpu_ms_of(*pid)?));
        Ok(Self {
            started: Instant::now(),
            machine: MachineTimes::now()?,
            own: ProcessTimes::of_self()?,
            peers: peers.iter().map(used).collect::<anyhow::Result<_>>()?,
        })
    }

    /// What came of it; the peers must still run.
    pub(super) fn trust<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a Summary>,
    ) -> anyhow::Result<Trust> {
        let (machine, own) = (MachineTimes::now()?, ProcessTimes::of_self()?);
        let mut ours = own.own_ms + own.children_ms - self.own.own_ms - self.own.children_ms;
        for (pid, before) in &self.peers {
            ours += cpu_ms_of(*pid)? - before;
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let all = self.started.elapsed().as_secs_f64() * 1000.0 * processors as f64;
        let share = |ms: f64| if all > 0.0 { (ms / all).clamp(0.0, 1.0) } else { 0.0 };
        Ok(Trust {
            others: share(machine.busy_ms - self.machine.busy_ms - ours),
            stolen: share(machine.stolen_ms - self.machine.stolen_ms),
            scatter: rows.into_iter().map(Summary::scatter).fold(0.0, f64::max),
        })
    }
}

impl Trust {
    pub(super) fn is_quiet(&self) -> bool {
        self.others + self.stolen <= MOST_OTHERS && self.scatter <= MOST_SCATTER
    }

    /// A sentence for the report.
    pub(super) fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let found = format!(
            "other processes used {} of the processors, other virtual machines {}, and the \
             quartiles of the times lie up to {} of the median apart",
            percent(self.others),
            percent(self.stolen),
            percent(self.scatter)
        );
        if self.is_quiet() {
            format!("The machine was quiet: {found}.")
        } else {
            format!("NOT RELIABLE, the machine was busy: {found}. Repeat this on an idle machine.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::stats::Series;

    #[test]
    fn a_busy_machine_is_told() {
        let quiet = Trust { others: 0.01, stolen: 0.0, scatter: 0.02 };
        assert!(quiet.is_quiet() && quiet.sentence().starts_with("The machine was quiet"));
        let busy = [
            Trust { others: 0.3, ..quiet },
            Trust { stolen: 0.1, ..quiet },
            Trust { scatter: 0.4, ..quiet },
        ];
        for trust in busy {
            assert!(!trust.is_quiet() && trust.sentence().starts_with("NOT RELIABLE"), "{trust:?}");
        }
    }

    #[test]
    fn the_largest_scatter_counts() {
        let summary = |values: &[f64]| Series::new(values.to_vec()).unwrap().summary();
        let rows = [summary(&[10.0, 10.0, 10.0]), summary(&[10.0, 20.0, 30.0])];
        let trust = Watch::start(&[]).unwrap().trust(&rows).unwrap();
        assert_eq!(trust.scatter, 0.5);
        assert!((0.0..=1.0).contains(&trust.others));
    }
}
