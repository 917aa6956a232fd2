//! Every entry on every trace with every seed, on as many processors as there may be.

use super::answers::{Accuracy, Answers};
use super::entries::{Entry, Standing};
use super::options::Setting;
use indicatif::ProgressBar;
use simulator::{Job, Knowing, Report, Trace, least_misses};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is to be simulated.
pub(super) struct Plan<'a> {
    /// The world; its seed is the first one.
    pub(super) setting: &'a Setting,
    /// The uplinks.
    pub(super) traces: &'a [Trace],
    /// Who takes part.
    pub(super) entries: &'a [Entry],
}

/// One entry on one trace with one seed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    trace: usize,
    entry: usize,
    seed: usize,
}

/// How all did on one trace.
pub(super) struct Played {
    /// In the order of the entries.
    pub(super) standings: Vec<Standing>,
    /// Of each seed: how many deadlines every schedule misses at least, and how many every policy
    /// that cannot know service times is expected to miss at least.
    pub(super) bounds: Vec<[u64; 2]>,
}

/// A run with a seed other than the first one: its numbers alone, since the history of each frame
/// takes much memory.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// In numbers.
    pub(super) report: Report,
    /// How accurate the answers were, where that is known.
    pub(super) accuracy: Option<Accuracy>,
}

impl Plan<'_> {
    /// Through how many frames all of it goes.
    pub(super) fn steps(&self, workloads: &[Vec<Job>]) -> u64 {
        let each = |jobs: &Vec<Job>| -> u64 {
            self.entries.iter().map(|entry| entry.steps(jobs.len())).sum()
        };
        self.traces.len() as u64 * workloads.iter().map(each).sum::<u64>()
    }

    /// The frames of each seed.
    pub(super) fn workloads(&self) -> Vec<Vec<Job>> {
        let images = self.setting.answers.as_ref().map_or(0, Answers::images);
        let seeds = self.setting.seeds();
        seeds.map(|seed| self.setting.workload(seed, images)).collect()
    }

    /// Plays it, on so many threads; what comes out does not depend on how many.
    ///
    /// # Errors
    /// When a policy cannot be used.
    pub(super) fn play(
        &self,
        workloads: &[Vec<Job>],
        threads: usize,
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Played>> {
        // entries outermost: the oracles, which take longest, begin first
        let tasks: Vec<Task> = (0..self.entries.len())
            .flat_map(|entry| {
                (0..self.traces.len()).flat_map(move |trace| {
                    (0..workloads.len()).map(move |seed| Task { trace, entry, seed })
                })
            })
            .collect();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(tasks.len()));
        let work = || {
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let standing = self.take(*task, &workloads[task.seed], bar);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((*task, standing));
            }
        };
        std::thread::scope(|scope| {
            (0..threads.min(tasks.len())).for_each(|_| drop(scope.spawn(work)));
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(task, _)| *task);
        let bounds = |trace: &Trace| -> Vec<[u64; 2]> {
            let scenario = &self.setting.scenario;
            let bound = |jobs: &Vec<Job>| {
                [Knowing::Everything, Knowing::Sizes]
                    .map(|knowing| least_misses(scenario, trace, jobs, knowing))
            };
            workloads.iter().map(bound).collect()
        };
        let mut played: Vec<Played> = (self.traces.iter())
            .map(|trace| Played { standings: Vec::new(), bounds: bounds(trace) })
            .collect();
        for (task, standing) in done {
            let (standings, standing) = (&mut played[task.trace].standings, standing?);
            match standings.last_mut() {
                Some(last) if task.seed > 0 => last.add(&standing),
                _ => standings.push(standing),
            }
        }
        Ok(played)
    }

    fn take(&self, task: Task, jobs: &[Job], bar: &ProgressBar) -> anyhow::Result<Standing> {
        let seed = self.setting.scenario.seed + task.seed as u64;
        let scenario = simulator::Scenario { seed, ..self.setting.scenario.clone() };
        let mut standing = self.entries[task.entry].play(
            &scenario,
            self.setting.answers.as_ref(),
            &self.traces[task.trace],
            jobs,
            bar,
        )?;
        if task.seed > 0 {
            standing.history = simulator::History::default();
        }
        Ok(standing)
    }
}
