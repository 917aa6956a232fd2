//! What is kept of a camera's lessons outside of the process, so that whoever decides on its frames
//! next goes on from there.

use super::gain::{self, Gain, TERMS};
use super::own::Own;
use crate::hardness::Learned;
use frame::{CameraId, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

/// Of no more cameras anything is kept.
pub(crate) const MAX_KEPT: usize = 1_000;
/// What is kept is renewed when there are so many more lessons, and in the midst of work only when
/// they are a certain part more, so ever more rarely; but not beyond so many, which is a tenth of
/// what is remembered.
const WORTH_KEEPING: u64 = 8;
const PART_MORE: u64 = 16;
const MOST_MORE: u64 = 200;
/// It is also renewed when it is this old and there was any lesson since.
const OLD: Duration = Duration::from_secs(3600);
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
    /// When the last of these was noticed: of two records of a camera the later one counts. A
    /// camera goes from one process to the next, so numbers of lessons do not tell which is later.
    pub learned_at: Timestamp,
}

/// What is learned of one camera.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Learning {
    pub(super) own: Own,
    /// Lessons, those of processes before included.
    pub(super) lessons: u64,
    /// When it was noticed last that there were more of them, and how many there were then.
    noticed: (Timestamp, u64),
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
            None => Self {
                own: Own::default(),
                lessons: 0,
                noticed: (Timestamp::from_micros(0), 0),
                found_again: false,
                settled: (all, 0),
            },
            Some(kept) => Self {
                own: Own::between(&all.weights, &kept.measure.weights),
                lessons: kept.lessons,
                noticed: (kept.learned_at, kept.lessons),
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

    /// Notices at `now` whether there are lessons that were not noticed before. It is always later
    /// than the time before, also where clocks differ.
    pub(super) fn notice(&mut self, now: Timestamp) {
        let (before, lessons) = self.noticed;
        if self.lessons != lessons {
            self.noticed = (now.max(before + Duration::from_micros(1)), self.lessons);
        }
    }

    /// When its last lesson was noticed.
    pub(super) const fn learned_at(&self) -> Timestamp {
        self.noticed.0
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
pub(super) struct Kept {
    cameras: HashMap<CameraId, KeptLessons>,
    /// The sum of the weights of each measure, those with more lessons counting more; and how much
    /// they count together.
    sums: [f64; TERMS],
    weigh: f64,
}

impl Kept {
    pub(super) fn of(&self, camera: &CameraId) -> Option<&KeptLessons> {
        self.cameras.get(camera)
    }

    /// Takes it in, unless what is known is later.
    pub(super) fn insert(&mut self, kept: KeptLessons) {
        let known = self.cameras.get(&kept.camera);
        let fits = known.map_or(self.room() > 0, |known| known.learned_at <= kept.learned_at);
        if fits {
            self.count(&kept, 1.0);
            if let Some(before) = self.cameras.insert(kept.camera.clone(), kept) {
                self.count(&before, -1.0);
            }
        }
    }

    pub(super) fn remove(&mut self, camera: &CameraId) {
        if let Some(before) = self.cameras.remove(camera) {
            self.count(&before, -1.0);
        }
    }

    fn count(&mut self, kept: &KeptLessons, sign: f64) {
        let weigh = sign * kept.lessons.min(WEIGHS) as f64;
        self.weigh += weigh;
        for (sum, weight) in self.sums.iter_mut().zip(&kept.measure.weights) {
            *sum += weigh * f64::from(*weight);
        }
    }

    /// Whether what was learned of a camera is worth being kept; `last`: it is the last time.
    pub(super) fn wants(&self, camera: &CameraId, learning: &Learning, last: bool) -> bool {
        let Some(kept) = self.cameras.get(camera) else { return learning.lessons >= WORTH_KEEPING };
        let part = if last { 0 } else { kept.lessons / PART_MORE };
        let more = part.clamp(WORTH_KEEPING, MOST_MORE);
        let (before, now) = (kept.learned_at, learning.learned_at());
        now > before
            && (now >= before + OLD || learning.lessons >= kept.lessons.saturating_add(more))
    }

    /// How many lessons are not kept yet, for each one that is.
    pub(super) fn behind(&self, camera: &CameraId, lessons: u64) -> f64 {
        let kept = self.cameras.get(camera).map_or(0, |kept| kept.lessons);
        lessons.saturating_sub(kept) as f64 / (kept as f64 + 1.0)
    }

    /// For how many more cameras there is room.
    pub(super) fn room(&self) -> usize {
        MAX_KEPT.saturating_sub(self.cameras.len())
    }

    /// The mean of what was learned of the cameras, those with more lessons weighing more; `None`
    /// of none.
    pub(super) fn mean(&self) -> Option<Learned> {
        let of = |sum: f64| (sum / self.weigh) as f32;
        (self.weigh > 0.0).then(|| Learned { weights: self.sums.map(of) })
    }
}
