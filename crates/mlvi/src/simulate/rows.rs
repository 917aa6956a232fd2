//! `--csv`: a row for each policy, trace and seed.

use super::entries::Standing;
use cli::Rows;
use serde_json::json;

/// What is the same for all who took part on a trace.
pub(super) struct OnTrace<'a> {
    /// Its name.
    pub(super) trace: &'a str,
    /// How much its uplink carries on average.
    pub(super) mbit_s: f64,
    /// The first seed.
    pub(super) seed: u64,
    /// Of each seed: how many deadlines every schedule misses at least, and how many every policy
    /// that cannot know service times is expected to miss at least, and how many somebody misses
    /// who knows exactly when each tier would answer the frame at hand.
    pub(super) bounds: &'a [[u64; 3]],
}

impl OnTrace<'_> {
    /// Adds a row for each seed of each of them.
    ///
    /// # Errors
    /// When a report has no form in JSON.
    pub(super) fn add<'a>(
        &self,
        rows: &mut Rows,
        standings: impl IntoIterator<Item = &'a Standing>,
    ) -> anyhow::Result<()> {
        for standing in standings {
            let first = (&standing.report, standing.accuracy);
            let others = standing.others.iter().map(|run| (&run.report, run.accuracy));
            let seeds = (self.seed..).zip(std::iter::once(first).chain(others));
            for ((seed, (report, accuracy)), bounds) in seeds.zip(self.bounds) {
                let about = [
                    ("trace", json!(self.trace)),
                    ("mbit_s", json!(self.mbit_s)),
                    ("policy", json!(standing.name)),
                    ("is_oracle", json!(standing.oracle.is_some())),
                    ("seed", json!(seed)),
                    ("no_schedule_below", json!(bounds[0])),
                    ("no_policy_expects_below", json!(bounds[1])),
                    ("exact_predictions_miss", json!(bounds[2])),
                ];
                let mut measured = serde_json::to_value(report)?;
                if let (Some(accuracy), Some(parts)) = (accuracy, measured.as_object_mut()) {
                    parts.insert("accuracy".into(), serde_json::to_value(accuracy)?);
                }
                rows.add(&about, &measured)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::entries::Entry;
    use crate::simulate::options::Setting;
    use crate::simulate::play::{Plan, Played};
    use indicatif::ProgressBar;
    use simulator::{Scenario, ServiceTimes, Trace};

    #[test]
    fn each_seed_of_each_policy_is_a_row() {
        let scenario = Scenario { minutes: 1.0, seed: 7, ..Scenario::default() };
        let entries = [Entry::oracle(20), Entry::named("edge-only", &scenario).unwrap()];
        let times = ServiceTimes::default();
        let setting =
            Setting { scenario, seeds: 2, times, folder: Default::default(), answers: None };
        let traces = [Trace::constant("steady", 10.0).unwrap()];
        let plan = Plan { setting: &setting, traces: &traces, entries: &entries };
        let played = plan.play(&plan.workloads(), 1, &ProgressBar::hidden()).unwrap();
        let [Played { standings, bounds }] = &*played else { unreachable!("one trace") };
        let mut rows = Rows::default();
        let on_trace = OnTrace { trace: "steady", mbit_s: 10.0, seed: 7, bounds };
        on_trace.add(&mut rows, standings).unwrap();
        let text = rows.text();
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let lines: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let of = |line: &[&str], column: &str| {
            line[header.iter().position(|name| *name == column).unwrap()].to_owned()
        };
        let runs: Vec<_> =
            lines.iter().map(|line| (of(line, "is_oracle"), of(line, "seed"))).collect();
        let run = |is_oracle: &str, seed: &str| (is_oracle.to_owned(), seed.to_owned());
        let wanted = [run("true", "7"), run("true", "8"), run("false", "7"), run("false", "8")];
        assert_eq!(runs, wanted);
        assert_eq!(of(&lines[2], "policy"), "edge-only");
        assert_eq!(of(&lines[3], "misses"), standings[1].others[0].report.misses.to_string());
        assert!(header.contains(&"latency_ms_p99"), "{header:?}");
    }
}
