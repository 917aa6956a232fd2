//! A queue in which each camera gets its weighted share.
//!
//! Start-time fair queuing (P. Goyal, H. M. Vin, H. Cheng, *Start-time fair queuing: a scheduling
//! algorithm for integrated services packet switching networks*, 1996), a frame being the unit of
//! work: between any two cameras that wait all the time, the frames that were served, divided by
//! the cameras' weights, differ by no more than one frame of each. Unlike deficit round robin it
//! serves a camera's share spread out, not in one go.

use frame::CameraId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a frame of weight 1 takes of a camera's time.
const UNIT: u64 = 1 << 32;
/// Weights above this count as this.
const MAX_WEIGHT: u32 = 100;
/// Cameras that wait for nothing are remembered, so that none gets more by coming and going; no
/// more of them than this.
const MAX_IDLE: usize = 4096;
/// Fewer are not worth looking through.
const MIN_SWEEP: usize = 64;

/// Items of cameras, of which a bounded number waits.
#[derive(Debug)]
pub struct FairQueue<T> {
    max: usize,
    len: usize,
    cameras: HashMap<CameraId, Waiting<T>>,
    /// The cameras that wait, by the start tag of their first item, and by when they came.
    heads: BTreeMap<(u64, u64), CameraId>,
    idle: usize,
    /// When so many wait for nothing, those that need not be remembered are forgotten.
    sweep_at: usize,
    /// The start tag of what was served last.
    now: u64,
    arrivals: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    weight: u32,
    /// The tag from which on its next item may be served.
    next: u64,
}

impl<T> FairQueue<T> {
    /// At most `max` items wait.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let (cameras, heads) = (HashMap::new(), BTreeMap::new());
        let sweep_at = MIN_SWEEP;
        Self { max, len: 0, cameras, heads, idle: 0, sweep_at, now: 0, arrivals: 0 }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no more may wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len >= self.max
    }

    /// Puts an item behind those of its camera. `weight` is the camera's from now on, from 1 to
    /// 100.
    ///
    /// # Errors
    /// The item, when the queue is full.
    pub fn push(&mut self, camera: &CameraId, weight: u32, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        let (now, known) = (self.now, self.cameras.contains_key(camera));
        let waiting = self.cameras.entry(camera.clone()).or_insert_with(|| Waiting {
            items: VecDeque::new(),
            weight: 1,
            next: now,
        });
        waiting.weight = weight.clamp(1, MAX_WEIGHT);
        if waiting.items.is_empty() {
            waiting.next = waiting.next.max(now);
            self.idle -= usize::from(known);
            self.arrivals += 1;
            self.heads.insert((waiting.next, self.arrivals), camera.clone());
        }
        waiting.items.push_back(item);
        self.len += 1;
        Ok(())
    }

    /// Takes the next item. Those that `passed_over` names go into `left_out` instead, and cost
    /// their cameras nothing.
    pub fn pop(
        &mut self,
        mut passed_over: impl FnMut(&T) -> bool,
        left_out: &mut Vec<T>,
    ) -> Option<T> {
        while let Some(((start, _), camera)) = self.heads.pop_first() {
            let Some(waiting) = self.cameras.get_mut(&camera) else { continue };
            let mut taken = None;
            while let Some(item) = waiting.items.pop_front() {
                self.len -= 1;
                if passed_over(&item) {
                    left_out.push(item);
                } else {
                    taken = Some(item);
                    break;
                }
            }
            if taken.is_some() {
                self.now = start;
                waiting.next = start + UNIT / u64::from(waiting.weight);
            }
            if waiting.items.is_empty() {
                self.idle += 1;
                self.forget_idle();
            } else {
                self.arrivals += 1;
                self.heads.insert((waiting.next, self.arrivals), camera);
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Those that would begin at once anyhow need not be remembered: all of them when nothing
    /// waits.
    fn forget_idle(&mut self) {
        if self.heads.is_empty() {
            self.cameras.clear();
            (self.idle, self.now, self.sweep_at) = (0, 0, MIN_SWEEP);
            return;
        }
        if self.idle < self.sweep_at {
            return;
        }
        let now = self.now;
        self.cameras.retain(|_, waiting| !waiting.items.is_empty() || waiting.next > now);
        self.idle = self.cameras.len() - self.heads.len();
        if self.idle > MAX_IDLE {
            self.cameras.retain(|_, waiting| !waiting.items.is_empty());
            self.idle = 0;
        }
        self.sweep_at = MIN_SWEEP.max(2 * self.idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera(number: usize) -> CameraId {
        format!("camera-{number}").parse().unwrap()
    }

    fn next<T>(queue: &mut FairQueue<T>) -> Option<T> {
        queue.pop(|_| false, &mut Vec::new())
    }

    #[test]
    fn a_camera_with_many_frames_does_not_hold_up_another_one() {
        let mut queue = FairQueue::new(100);
        for n in 0..50 {
            queue.push(&camera(0), 1, (0, n)).unwrap();
        }
        queue.push(&camera(1), 1, (1, 0)).unwrap();
        let served: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert!(served[..2].contains(&(1, 0)), "{:?}", &served[..3]);
        let of_first: Vec<_> = served.iter().filter(|(of, _)| *of == 0).map(|(_, n)| *n).collect();
        assert_eq!(of_first, (0..50).collect::<Vec<_>>(), "in order");
    }

    #[test]
    fn what_is_full_says_so_and_what_is_passed_over_costs_nothing() {
        let mut queue = FairQueue::new(3);
        for n in 0..3 {
            queue.push(&camera(0), 1, n).unwrap();
        }
        assert_eq!((queue.push(&camera(1), 1, 9), queue.is_full()), (Err(9), true));
        let mut left_out = Vec::new();
        assert_eq!(queue.pop(|n| *n < 2, &mut left_out), Some(2));
        assert_eq!((left_out, queue.is_empty()), (vec![0, 1], true));
        assert_eq!(queue.pop(|_| true, &mut Vec::new()), None);
    }

    #[test]
    fn cameras_that_are_gone_are_forgotten() {
        // one that waits all the time, so that there is always somebody to be fair to
        let mut queue = FairQueue::new(30_000);
        for n in 0..20_000 {
            queue.push(&camera(0), 1, 0).unwrap();
            queue.push(&camera(n), 1, n).unwrap();
            assert!(next(&mut queue).is_some());
            assert!(queue.cameras.len() <= queue.heads.len() + 2 * MAX_IDLE);
        }
        while next(&mut queue).is_some() {}
        assert!(queue.cameras.is_empty() && queue.heads.is_empty());
    }

    proptest! {
        /// In virtual time: cameras that always have something waiting are served by their weights,
        /// whatever else comes and goes.
        #[test]
        fn nobody_gets_less_than_their_share(
            weights in prop::collection::vec(1u32..10, 2..8),
            others in prop::collection::vec((8usize..20, 1u32..10), 0..300),
        ) {
            let mut queue = FairQueue::new(100_000);
            let rounds = 400;
            for (number, weight) in weights.iter().enumerate() {
                for _ in 0..rounds {
                    queue.push(&camera(number), *weight, number).unwrap();
                }
            }
            let mut others = others.iter();
            let mut served = vec![0_u32; weights.len()];
            for _ in 0..rounds {
                if let Some((number, weight)) = others.next() {
                    queue.push(&camera(*number), *weight, *number).unwrap();
                }
                let number = next(&mut queue).unwrap();
                if let Some(served) = served.get_mut(number) {
                    *served += 1;
                }
            }
            for (one, one_weight) in served.iter().zip(&weights) {
                for (other, other_weight) in served.iter().zip(&weights) {
                    let [one, other] = [(one, one_weight), (other, other_weight)]
                        .map(|(served, weight)| f64::from(*served) / f64::from(*weight));
                    let bound =
                        1.0 / f64::from(*one_weight) + 1.0 / f64::from(*other_weight) + 1e-6;
                    prop_assert!((one - other).abs() <= bound, "{served:?} by {weights:?}");
                }
            }
        }

        #[test]
        fn nothing_is_lost_and_each_camera_stays_in_order(
            steps in prop::collection::vec(prop::option::of((0usize..5, 1u32..5)), 1..300),
        ) {
            let mut queue = FairQueue::new(50);
            let (mut put, mut got) = (vec![Vec::new(); 5], vec![Vec::new(); 5]);
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Some((of, weight)) => {
                        if queue.push(&camera(of), weight, (of, n)).is_ok() {
                            put[of].push(n);
                        }
                    }
                    None => if let Some((of, n)) = next(&mut queue) {
                        got[of].push(n);
                    },
                }
            }
            while let Some((of, n)) = next(&mut queue) {
                got[of].push(n);
            }
            prop_assert_eq!(put, got);
        }
    }
}
