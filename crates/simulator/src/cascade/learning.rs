//! How much of the way from edge to cloud is won when it is learned, frame by frame, which frames
//! are worth sending.

use frame::CameraId;
use offload::{FEATURES, Lessons};
use std::collections::VecDeque;
use virtual_time::Random;

/// The threshold is a quantile of so many expected gains.
const WINDOW: usize = 1000;

/// What both tiers make of a frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pair {
    /// What the edge measured.
    pub features: [f32; FEATURES],
    /// By the measure that is not fitted; the higher, the harder.
    pub score: f64,
    /// Boxes that both found.
    pub both: f64,
    /// Boxes that the edge found.
    pub found: f64,
    /// Boxes that the cloud found.
    pub wanted: f64,
}

impl Pair {
    /// Boxes that the edge got wrong or missed.
    #[must_use]
    pub fn gain(&self) -> f64 {
        self.found + self.wanted - 2.0 * self.both
    }
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Learning<'a> {
    /// The frames; they come in an order that the seed decides.
    pub frames: &'a [Pair],
    /// The share of frames that is sent to the cloud.
    pub share: f64,
    /// The part of that share that is drawn by chance, as a share of all frames.
    pub audit: f64,
    /// What is won counts from this frame on.
    pub warm_up: usize,
}

/// What came out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LearningReport {
    /// The share of the way from the edge's F1 to the cloud's that is won, after the warm-up.
    pub won: f64,
    /// The same by the best fixed threshold of the measure that is not fitted, known afterwards.
    pub unfitted: f64,
    /// The same by the frames that gain most, known afterwards.
    pub hindsight: f64,
    /// The share of frames that was sent, after the warm-up.
    pub sent: f64,
    /// Regret as it grows.
    pub regret: Vec<Point>,
}

/// What was won up to a frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// So many frames came.
    pub frames: usize,
    /// So many boxes fewer than by the best fixed threshold were put right.
    pub regret: f64,
}

impl Learning<'_> {
    /// Runs it once.
    #[must_use]
    pub fn run(&self, seed: u64) -> LearningReport {
        let order = self.order(seed);
        let sent = self.sent(&order, seed);
        let warm = self.warm_up.min(order.len());
        let count = |of: usize| ((self.share * of as f64).round() as usize).min(of);
        let best = |of: &[usize], by: &dyn Fn(&Pair) -> f64| {
            let mut places: Vec<usize> = (0..of.len()).collect();
            places.sort_by(|a, b| by(&self.frames[of[*b]]).total_cmp(&by(&self.frames[of[*a]])));
            let mut chosen = vec![false; of.len()];
            for place in &places[..count(of.len())] {
                chosen[*place] = true;
            }
            chosen
        };
        let judged = &order[warm..];
        let fixed = best(&order, &|pair| pair.score);
        let mut regret = Vec::new();
        let mut behind = 0.0;
        let every = (order.len() / 20).max(1);
        for (place, frame) in order.iter().enumerate() {
            let gain = self.frames[*frame].gain();
            behind += gain * (f64::from(u8::from(fixed[place])) - f64::from(u8::from(sent[place])));
            if (place + 1) % every == 0 {
                regret.push(Point { frames: place + 1, regret: behind });
            }
        }
        let after = &sent[warm..];
        let many = after.iter().filter(|sent| **sent).count();
        LearningReport {
            won: self.won(judged, after),
            unfitted: self.won(judged, &best(judged, &|pair| pair.score)),
            hindsight: self.won(judged, &best(judged, &Pair::gain)),
            sent: many as f64 / judged.len().max(1) as f64,
            regret,
        }
    }

    fn order(&self, seed: u64) -> Vec<usize> {
        let mut random = Random::new(seed, "order");
        let mut order: Vec<usize> = (0..self.frames.len()).collect();
        for place in (1..order.len()).rev() {
            let bound = u32::try_from(place + 1).unwrap_or(u32::MAX);
            order.swap(place, random.below(bound) as usize);
        }
        order
    }

    /// Which frames are sent, by place in the order.
    fn sent(&self, order: &[usize], seed: u64) -> Vec<bool> {
        let mut random = Random::new(seed, "audits");
        let (mut lessons, camera) = (Lessons::default(), CameraId::unnamed());
        let mut recent: VecDeque<f64> = VecDeque::with_capacity(WINDOW);
        let mut sorted: Vec<f64> = Vec::with_capacity(WINDOW);
        // audits fall upon hard frames as well, which are sent anyway
        let hard_share = (self.share - self.audit).max(0.0) / (1.0 - self.audit);
        let (mut sent, mut count) = (Vec::with_capacity(order.len()), 0usize);
        for frame in order {
            let pair = &self.frames[*frame];
            let expected = lessons.learned(&camera, false).expected(&pair.features);
            // what was sent too much is made good over the window
            let due = (self.share * sent.len() as f64 - count as f64) / WINDOW as f64;
            let share = (hard_share + due).clamp(0.0, 1.0);
            let place = ((1.0 - share) * sorted.len() as f64) as usize;
            let is_hard = sorted.get(place).is_none_or(|threshold| expected >= *threshold);
            let is_audited = random.unit() < self.audit;
            if is_hard || is_audited {
                let chance = if is_hard { 1.0 } else { self.audit };
                lessons.taught(&camera, &pair.features, pair.gain(), chance);
            }
            sent.push(is_hard || is_audited);
            count += usize::from(is_hard || is_audited);
            if recent.len() == WINDOW
                && let Some(oldest) = recent.pop_front()
            {
                sorted.remove(sorted.partition_point(|other| *other < oldest));
            }
            recent.push_back(expected);
            sorted.insert(sorted.partition_point(|other| *other < expected), expected);
        }
        sent
    }

    /// The share of the way from the edge's F1 to the cloud's, which is 1.
    fn won(&self, frames: &[usize], sent: &[bool]) -> f64 {
        let f1 = |sent: &dyn Fn(usize) -> bool| {
            let (mut both, mut all) = (0.0, 0.0);
            for (place, frame) in frames.iter().enumerate() {
                let pair = &self.frames[*frame];
                let (of_both, found) =
                    if sent(place) { (pair.wanted, pair.wanted) } else { (pair.both, pair.found) };
                both += of_both;
                all += found + pair.wanted;
            }
            if all == 0.0 { 1.0 } else { 2.0 * both / all }
        };
        let edge = f1(&|_| false);
        if edge < 1.0 { (f1(&|place| sent[place]) - edge) / (1.0 - edge) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of which a feature that the unfitted measure does not know tells the gain.
    fn frames() -> Vec<Pair> {
        let mut random = Random::new(5, "pairs");
        let pair = |_| {
            let mut features = [0.0; FEATURES];
            let (known, unknown) = (random.unit() * 2.0, random.unit() * 3.0);
            features[10] = known as f32;
            features[1] = unknown as f32;
            let missed = (unknown + random.unit() - 0.5).max(0.0).round();
            Pair { features, score: known, both: 2.0, found: 2.0, wanted: 2.0 + missed }
        };
        (0..4000).map(pair).collect()
    }

    #[test]
    fn learning_wins_what_the_unfitted_measure_does_not_see() {
        let frames = frames();
        let learning = Learning { frames: &frames, share: 0.2, audit: 0.02, warm_up: 500 };
        let report = learning.run(3);
        assert!(report.won > report.unfitted + 0.1, "{report:?}");
        assert!(report.won <= report.hindsight + 0.05, "{report:?}");
        assert!((report.sent - 0.2).abs() < 0.03, "{report:?}");
        assert!(report.regret.last().is_some_and(|last| last.regret < 0.0), "{report:?}");
        assert_eq!(learning.run(3), report, "a seed decides everything");
    }
}
