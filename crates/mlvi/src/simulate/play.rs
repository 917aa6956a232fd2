//! Every entry on every trace with every seed, on as many processors as there may be.

use super::answers::{Accuracy, Answers};
use super::entries::{Entry, Standing};
use super::options::Setting;
use indicatif::ProgressBar;
use simulator::{Job, Knowing, Report, Scenario, Trace, foresee_each, least_misses};
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
#[derive(Clone, Copy)]
struct Task {
    trace: usize,
    entry: usize,
    seed: usize,
}

/// What `work` makes of each number below `count`, on so many threads.
pub(super) fn spread<T: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let thread = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && number < count
        {
            let made = work(number);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, made));
        }
    };
    std::thread::scope(|scope| {
        (0..threads.clamp(1, count.max(1))).for_each(|_| drop(scope.spawn(thread)));
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

/// How all did on one trace.
pub(super) struct Played {
    /// In the order of the entries.
    pub(super) standings: Vec<Standing>,
    /// Of each seed: how many deadlines every schedule misses at least, how many every policy that
    /// cannot know service times is expected to miss at least, and how many somebody misses who
    /// knows exactly when each tier would answer the frame at hand.
    pub(super) bounds: Vec<[u64; 3]>,
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
        let done = spread(threads, tasks.len(), |number| {
            let task = tasks[number];
            self.take(task, &workloads[task.seed], bar)
        });
        let scenario = &self.setting.scenario;
        let bounds = spread(threads, self.traces.len() * workloads.len(), |number| {
            let (trace, seed) = (number / workloads.len(), number % workloads.len());
            // what comes by chance on an uplink is the seed's
            let scenario = Scenario { seed: scenario.seed + seed as u64, ..scenario.clone() };
            let (trace, jobs) = (&self.traces[trace], &workloads[seed]);
            let [all, sizes] = [Knowing::Everything, Knowing::Sizes]
                .map(|knowing| least_misses(&scenario, trace, jobs, knowing));
            [all, sizes, foresee_each(&scenario, trace, jobs).misses]
        });
        let mut played: Vec<Played> = bounds
            .chunks(workloads.len())
            .map(|bounds| Played { standings: Vec::new(), bounds: bounds.to_vec() })
            .collect();
        for (task, standing) in tasks.iter().zip(done) {
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
        let scenario = Scenario { seed, ..self.setting.scenario.clone() };
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
