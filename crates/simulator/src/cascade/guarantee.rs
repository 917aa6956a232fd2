//! Whether the promise about the frames that stay on the edge is kept, before a change of scene and
//! after it.

use offload::{Calibration, Promise};
use virtual_time::Random;

/// What frames of one scene are like: score and loss of each; they are drawn by chance.
pub type Scene = Vec<(f64, f64)>;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Guarantee {
    /// What is promised.
    pub promise: Promise,
    /// The share of easy frames that are sent on for their lesson.
    pub audit: f64,
    /// Frames in each of the two scenes.
    pub frames: usize,
    /// So many frames after the change of scene the promise has to be kept again.
    pub recovery: usize,
    /// Before it and after it.
    pub scenes: [Scene; 2],
}

/// One scene of all runs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Kept {
    /// The share of runs in which the mean loss of what stayed was at most the bound.
    pub runs: f64,
    /// The mean loss of what stayed, over all runs.
    pub loss: f64,
    /// The share of frames that were sent to the cloud, audits and first lessons included.
    pub sent: f64,
    /// The share that the best threshold would have sent, known afterwards.
    pub hindsight: f64,
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct GuaranteeReport {
    /// The first scene, from its first frame on.
    pub before: Kept,
    /// The second one, after the time for recovery.
    pub after: Kept,
    /// Changes of scene that were noticed, per run.
    pub resets: f64,
}

/// A scene of one run.
#[derive(Clone, Default)]
struct Seen {
    frames: Scene,
    stayed: usize,
    loss: f64,
}

impl Guarantee {
    /// Runs it so many times.
    #[must_use]
    pub fn run(&self, runs: usize, seed: u64) -> GuaranteeReport {
        let mut report = GuaranteeReport::default();
        for run in 0..runs {
            let (seen, resets) = self.run_once(seed.wrapping_add(run as u64));
            for (kept, seen) in [&mut report.before, &mut report.after].into_iter().zip(seen) {
                self.count(kept, seen);
            }
            report.resets += f64::from(resets);
        }
        for kept in [&mut report.before, &mut report.after] {
            for figure in [&mut kept.runs, &mut kept.loss, &mut kept.sent, &mut kept.hindsight] {
                *figure /= runs as f64;
            }
        }
        report.resets /= runs as f64;
        report
    }

    fn run_once(&self, seed: u64) -> ([Seen; 2], u32) {
        let (mut frames, mut audits) = (Random::new(seed, "frames"), Random::new(seed, "audits"));
        let mut calibration = Calibration::default();
        let mut seen = [Seen::default(), Seen::default()];
        let mut threshold = calibration.threshold(self.promise);
        for (number, (scene, seen)) in self.scenes.iter().zip(&mut seen).enumerate() {
            let counts_from = if number == 0 { 0 } else { self.recovery };
            for frame in 0..self.frames {
                let of_scene = u32::try_from(scene.len()).unwrap_or(u32::MAX);
                let (score, loss) = scene[frames.below(of_scene) as usize];
                calibration.frame(score);
                let is_hard = score >= threshold;
                let is_audited = !is_hard && audits.unit() < self.audit;
                if is_hard || is_audited {
                    calibration.lesson(score, loss, is_audited, self.promise);
                    threshold = calibration.threshold(self.promise);
                }
                if frame >= counts_from {
                    seen.frames.push((score, loss));
                    if !is_hard && !is_audited {
                        seen.stayed += 1;
                        seen.loss += loss;
                    }
                }
            }
        }
        (seen, calibration.resets())
    }

    fn count(&self, kept: &mut Kept, seen: Seen) {
        let all = seen.frames.len().max(1) as f64;
        let loss = if seen.stayed == 0 { 0.0 } else { seen.loss / seen.stayed as f64 };
        kept.runs += f64::from(u8::from(loss <= self.promise.loss));
        kept.loss += loss;
        kept.sent += 1.0 - seen.stayed as f64 / all;
        kept.hindsight += 1.0 - most_kept(seen.frames, self.promise.loss) as f64 / all;
    }
}

/// How many frames may stay below the best threshold, all losses being known.
fn most_kept(mut frames: Scene, bound: f64) -> usize {
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut loss, mut most) = (0.0, 0);
    for (index, (score, of_frame)) in frames.iter().enumerate() {
        loss += of_frame;
        let kept = index + 1;
        // a threshold does not part frames of the same score
        let is_end = frames.get(kept).is_none_or(|next| next.0 > *score);
        if is_end && loss <= bound * kept as f64 {
            most = kept;
        }
    }
    most
}

/// Frames of which the harder ones lose more: scores are exponential, and the chance of a loss,
/// which is anything from 0.1 to 1 then, is `level` times the square of the score, 0.9 at most.
#[must_use]
pub fn made_up_scene(seed: u64, level: f64) -> Scene {
    let mut random = Random::new(seed, "scene");
    let frame = |_| {
        let score = random.exponential();
        let chance = (level * score * score).min(0.9);
        let loss = if random.unit() < chance { 0.1 + 0.9 * random.unit() } else { 0.0 };
        (score, loss)
    };
    (0..5000).map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarantee(before: f64, after: f64) -> Guarantee {
        Guarantee {
            promise: Promise { loss: 0.05, confidence: 0.9 },
            audit: 0.02,
            frames: 20_000,
            recovery: 10_000,
            scenes: [made_up_scene(1, before), made_up_scene(2, after)],
        }
    }

    #[test]
    fn the_promise_is_kept_before_and_after_a_change_of_scene_and_is_not_dear() {
        // to a harder scene, to an easier one, and none at all
        for (before, after) in [(0.2, 0.5), (0.5, 0.2), (0.3, 0.3)] {
            let report = guarantee(before, after).run(40, 1000);
            for kept in [report.before, report.after] {
                assert!(kept.runs >= 0.9, "{before} to {after}: {report:?}");
            }
            assert!(report.before.sent <= 1.45 * report.before.hindsight, "{report:?}");
        }
    }

    #[test]
    fn without_audits_a_change_is_not_noticed() {
        let blind = Guarantee { audit: 0.0, ..guarantee(0.02, 0.5) }.run(5, 1);
        assert!(blind.after.runs < 0.5 && blind.resets == 0.0, "{blind:?}");
    }

    #[test]
    fn hindsight_keeps_as_many_as_the_bound_allows() {
        let frames = vec![(3.0, 1.0), (1.0, 0.0), (2.0, 0.2), (2.0, 0.0), (0.5, 0.1)];
        assert_eq!(most_kept(frames.clone(), 0.08), 4);
        assert_eq!(most_kept(frames.clone(), 0.06), 2);
        assert_eq!((most_kept(frames.clone(), 0.0), most_kept(frames, 1.0)), (0, 5));
    }
}
