//! What is kept of a camera's lessons outside of the process, so that whoever decides on its frames
//! next goes on from there.

use super::gain::{self, Gain, TERMS};
use super::own::Own;
use crate::hardness::Learned;
use frame::CameraId;
use std::collections::HashMap;

/// Of no more cameras anything is kept.
pub(crate) const MAX_KEPT: usize = 1_000;
/// What is kept is renewed when there are so many more lessons, and in the midst of work only when
/// they are a certain part more, so ever more rarely.
const WORTH_KEEPING: u64 = 8;
const PART_MORE: u64 = 16;
/// More lessons than this weigh no more, where cameras are averaged.
const WEIGHS: u64 = 2_000;
/// Under a promise the weights hold still until there are so many lessons, and then so many times as
/// many.
const SETTLES: (u64, u64) = (250, 4);

/// What was learned of a camera's frames, as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptLessons {
    /// Of which camera.
    pub camera: CameraId,
    /// The measure: what all cameras taught, and its own part.
    pub measure: Learned,
    /// How many answers of the cloud it rests on.
    pub lessons: u64,
}

/// What is learned of one camera.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Learning {
    pub(super) own: Own,
    /// Lessons, those of processes before included.
    pub(super) lessons: u64,
    /// Whether they were found again.
    pub(super) found_again: bool,
    /// The measure that decides under a promise, which holds for one measure only; and how many
    /// lessons it rested on.
    pub(super) settled: (Learned, u64),
}

impl Learning {
    /// Of a camera that begins with what all cameras taught, or where it was left.
    pub(super) fn new(all: &Gain, kept: Option<&KeptLessons>) -> Self {
        let all = all.measure();
        match kept {
            None => Self { own: Own::default(), lessons: 0, found_again: false, settled: (all, 0) },
            Some(kept) => Self {
                own: Own::between(&all.weights, &kept.measure.weights),
                lessons: kept.lessons,
                found_again: true,
                settled: (kept.measure, kept.lessons),
            },
        }
    }

    /// The measure as it stands now.
    pub(super) fn measure(&self, all: &Gain) -> Learned {
        let mut measure = all.measure();
        for (weight, own) in measure.weights.iter_mut().zip(&self.own.weights) {
            *weight += own;
        }
        measure
    }

    /// A frame gained `gain` boxes. The weights of all and the own ones move by one step of both
    /// together: each by one of its own would correct the same error twice. `chance` is the
    /// probability with which such a frame was sent.
    pub(super) fn lesson(&mut self, all: &mut Gain, terms: &[f64; TERMS], gain: f64, chance: f64) {
        let (shared, own) = (all.lever(terms), self.own.lever(terms));
        let expected = all.expected(terms) + self.own.expected(terms);
        match gain::step(chance, shared.spread + own.spread) {
            Some(step) if shared.spread >= 0.0 => {
                let missed = gain::missed(gain, expected);
                all.learn(&shared, step, missed);
                self.own.learn(&own, step, missed);
            }
            _ => all.unsure_anew(),
        }
        self.count(all);
    }

    /// One lesson more. What decides under a promise is renewed when it rests on a quarter of what
    /// is known now: each time everything is calibrated anew, which costs a hundred frames.
    fn count(&mut self, all: &Gain) {
        self.lessons = self.lessons.saturating_add(1);
        let (_, rested_on) = self.settled;
        if self.lessons >= SETTLES.0.max(rested_on.saturating_mul(SETTLES.1)) {
            self.settled = (self.measure(all), self.lessons);
        }
    }
}

/// What is kept of all cameras, as far as it is known here.
#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<CameraId, KeptLessons>);

impl Kept {
    pub(super) fn of(&self, camera: &CameraId) -> Option<&KeptLessons> {
        self.0.get(camera)
    }

    pub(super) fn insert(&mut self, kept: KeptLessons) {
        if self.0.len() < MAX_KEPT || self.0.contains_key(&kept.camera) {
            self.0.insert(kept.camera.clone(), kept);
        }
    }

    pub(super) fn remove(&mut self, camera: &CameraId) {
        self.0.remove(camera);
    }

    /// Whether so many lessons of a camera are worth being kept; `last`: it is the last time.
    pub(super) fn wants(&self, camera: &CameraId, lessons: u64, last: bool) -> bool {
        let kept = self.0.get(camera).map_or(0, |kept| kept.lessons);
        let more = if last { 0 } else { kept / PART_MORE };
        lessons >= kept.saturating_add(more.max(WORTH_KEEPING))
    }

    /// For how many more cameras there is room.
    pub(super) fn room(&self) -> usize {
        MAX_KEPT.saturating_sub(self.0.len())
    }

    /// The mean of what was learned of the cameras, those with more lessons weighing more; `None`
    /// of none.
    pub(super) fn mean(&self) -> Option<Learned> {
        let weigh = |kept: &KeptLessons| kept.lessons.min(WEIGHS) as f64;
        let all: f64 = self.0.values().map(weigh).sum();
        let of = |term: usize| {
            let sum: f64 = self
                .0
                .values()
                .map(|kept| weigh(kept) * f64::from(kept.measure.weights[term]))
                .sum();
            (sum / all) as f32
        };
        (all > 0.0).then(|| Learned { weights: std::array::from_fn(of) })
    }
}
