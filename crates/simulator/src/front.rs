//! The states of an oracle's search that could still be the beginning of a best schedule.

use crate::{Micros, Schedule};
use frame::Destination::{self, Cloud, Edge};

/// Where the search began, or was settled last.
const ROOT: u32 = u32::MAX;
/// What a frame's worth of waiting work is held to be worth, in missed deadlines, when states have
/// to be left out: nobody knows whether the servers will be needed, so each answer has its say.
const WORTHS: [f64; 3] = [1.0, 0.6, 0.25];

/// A set of states.
///
/// Each has a row: from when on each of the edge's workers, the uplink and each of the cloud's
/// workers are free. Workers of a tier are alike, so their moments are sorted.
pub(crate) struct Front {
    edges: usize,
    width: usize,
    states: Vec<State>,
    frees: Vec<Micros>,
    /// States that follow from those, not yet thinned out.
    next: Vec<State>,
    next_frees: Vec<Micros>,
    /// How the states came about: the step before, and where the frame went.
    steps: Vec<(u32, Option<Destination>)>,
    /// What all states have in common.
    settled: Vec<Option<Destination>>,
    exact: bool,
}

#[derive(Clone, Copy, Debug)]
struct State {
    misses: u64,
    bytes: u64,
    /// The sum of its row, for sorting.
    sum: u64,
    /// Which row.
    row: usize,
    /// The step that led here; before thinning out, the step before that one.
    step: u32,
    /// Where the last frame went.
    route: Option<Destination>,
}

/// Where a frame could go in a state and be in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Possible {
    /// When the edge would be done with it.
    pub(crate) edge: Option<Micros>,
    /// When its last byte would have left and when the cloud would be done with it.
    pub(crate) cloud: Option<(Micros, Micros)>,
}

/// How many frames can begin in a span at most.
pub(crate) struct Limits<'a> {
    /// The shortest time that an edge worker takes for any frame that could begin soon.
    pub(crate) edge: Micros,
    /// The same of a cloud worker.
    pub(crate) cloud: Micros,
    /// How many such frames the uplink can begin to send from one moment to another.
    pub(crate) uplink: &'a dyn Fn(Micros, Micros) -> u64,
}

impl Front {
    pub(crate) fn new(edges: usize, clouds: usize) -> Self {
        let width = edges + 1 + clouds;
        Self {
            edges,
            width,
            states: vec![State { misses: 0, bytes: 0, sum: 0, row: 0, step: ROOT, route: None }],
            frees: vec![0; width],
            next: Vec::new(),
            next_frees: Vec::new(),
            steps: Vec::new(),
            settled: Vec::new(),
            exact: true,
        }
    }

    /// Nothing more begins before `decided`, and nothing in the cloud before `arrives`.
    pub(crate) fn advance(&mut self, decided: Micros, arrives: Micros) {
        let here = self.edges + 1;
        for row in self.frees.chunks_exact_mut(self.width) {
            row[..here].iter_mut().for_each(|free| *free = (*free).max(decided));
            row[here..].iter_mut().for_each(|free| *free = (*free).max(arrives));
        }
    }

    /// Every state is followed by those in which a frame of `bytes` goes where `possible` says that
    /// it could, and by one in which it goes nowhere. `possible` is given when the first edge
    /// worker, the uplink and the first cloud worker are free.
    pub(crate) fn extend(&mut self, bytes: u64, possible: impl Fn([Micros; 3]) -> Possible) {
        self.next.clear();
        self.next_frees.clear();
        let (edges, width) = (self.edges, self.width);
        for state in &self.states {
            let row = &self.frees[state.row..state.row + width];
            let ways = possible([row[0], row[edges], row[edges + 1]]);
            let mut add = |misses: u64, bytes: u64, route, change: &dyn Fn(&mut [Micros])| {
                let at = self.next_frees.len();
                self.next_frees.extend_from_slice(row);
                let new = &mut self.next_frees[at..];
                change(new);
                let sum = new.iter().sum();
                let (misses, bytes) = (state.misses + misses, state.bytes + bytes);
                self.next.push(State { misses, bytes, sum, row: at, step: state.step, route });
            };
            if let Some(done) = ways.edge {
                add(0, 0, Some(Edge), &|row| replace_first(&mut row[..edges], done));
            }
            if let Some((sent, done)) = ways.cloud {
                add(0, bytes, Some(Cloud), &|row| {
                    row[edges] = sent;
                    replace_first(&mut row[edges + 1..], done);
                });
            }
            add(1, 0, None, &|_| {});
        }
    }

    /// Leaves out every state that cannot be better than another one, and the least promising of
    /// more than `beam`.
    pub(crate) fn prune(&mut self, beam: usize, limits: &Limits<'_>) {
        let width = self.width;
        self.next.sort_unstable_by_key(|state| (state.misses, state.sum, state.bytes));
        let mut kept: Vec<State> = Vec::new();
        for state in &self.next {
            let row = &self.next_frees[state.row..state.row + width];
            let covered = kept.iter().any(|better| {
                let better_row = &self.next_frees[better.row..better.row + width];
                self.covers(better_row, row, state.misses - better.misses, limits)
            });
            if !covered {
                kept.push(*state);
            }
        }
        if kept.len() > beam {
            self.exact = false;
            kept = self.most_promising(&kept, beam, limits);
        }
        self.states.clear();
        self.frees.clear();
        for mut state in kept {
            let row = self.frees.len();
            self.frees.extend_from_slice(&self.next_frees[state.row..state.row + width]);
            self.steps.push((state.step, state.route));
            (state.row, state.step) = (row, self.steps.len() as u32 - 1);
            self.states.push(state);
        }
        if let [only] = self.states[..] {
            self.settle(only.step);
            self.states[0].step = ROOT;
        }
    }

    /// Whether whoever is free as in the first row does as well as from the second row on, if it
    /// may miss so many deadlines more.
    ///
    /// It could do what the other does, less the frames that the other begins somewhere before the
    /// same place is free here.
    fn covers(
        &self,
        better: &[Micros],
        row: &[Micros],
        mut misses: u64,
        limits: &Limits<'_>,
    ) -> bool {
        for (i, (later, earlier)) in better.iter().zip(row).enumerate() {
            if later <= earlier {
                continue;
            }
            if misses == 0 {
                return false;
            }
            let span = later - earlier;
            let begun = match i {
                _ if i < self.edges => span.div_ceil(limits.edge),
                _ if i == self.edges => (limits.uplink)(*earlier, *later),
                _ => span.div_ceil(limits.cloud),
            };
            if begun > misses {
                return false;
            }
            misses -= begun;
        }
        true
    }

    /// Those with the fewest misses, and frames' worth of waiting work weighed in.
    fn most_promising(&self, states: &[State], beam: usize, limits: &Limits<'_>) -> Vec<State> {
        let row = |state: &State| &self.next_frees[state.row..state.row + self.width];
        let mut first = row(&states[0]).to_vec();
        for state in states {
            first.iter_mut().zip(row(state)).for_each(|(first, free)| *first = (*first).min(*free));
        }
        let waiting = |state: &State| {
            let spans: Vec<f64> =
                row(state).iter().zip(&first).map(|(free, first)| (free - first) as f64).collect();
            let edge = spans[..self.edges].iter().sum::<f64>() / limits.edge as f64;
            let cloud = spans[self.edges + 1..].iter().sum::<f64>() / limits.cloud as f64;
            let uplink = (limits.uplink)(first[self.edges], row(state)[self.edges]) as f64;
            edge + cloud.max(uplink)
        };
        let weighed: Vec<(f64, f64)> =
            states.iter().map(|state| (state.misses as f64, waiting(state))).collect();
        let orders = WORTHS.map(|worth| {
            let mut order: Vec<usize> = (0..states.len()).collect();
            order.sort_by(|a, b| {
                let cost = |i: &usize| weighed[*i].0 + worth * weighed[*i].1;
                cost(a).total_cmp(&cost(b)).then(a.cmp(b))
            });
            order
        });
        let mut chosen = vec![false; states.len()];
        let mut left = beam;
        for i in (0..states.len()).flat_map(|place| orders.iter().map(move |order| order[place])) {
            if left == 0 {
                break;
            }
            left -= usize::from(!std::mem::replace(&mut chosen[i], true));
        }
        states.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(state, _)| *state).collect()
    }

    /// The way to this step belongs to the schedule whatever comes.
    fn settle(&mut self, mut step: u32) {
        let from = self.settled.len();
        while step != ROOT {
            let (before, route) = self.steps[step as usize];
            self.settled.push(route);
            step = before;
        }
        self.settled[from..].reverse();
        self.steps.clear();
    }

    /// The schedule of the best state.
    pub(crate) fn finish(mut self) -> Schedule {
        let best = self.states.iter().min_by_key(|state| (state.misses, state.bytes)).copied();
        let best = best.expect("a frame can always be dropped, so a state is always left");
        self.settle(best.step);
        Schedule { routes: self.settled, misses: best.misses, exact: self.exact }
    }
}

/// Puts `moment` in the place of the first one of a sorted row.
fn replace_first(row: &mut [Micros], moment: Micros) {
    let after = row.partition_point(|free| *free <= moment).max(1);
    row.copy_within(1..after, 0);
    row[after - 1] = moment;
}
