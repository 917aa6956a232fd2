//! The lessons of all cameras, of which there are so many at most.

use super::{Account, Agreement, Calibration, Promise};
use crate::Measure;
use frame::CameraId;
use std::collections::HashMap;

/// Cameras beyond this number make those forgotten that were not heard of for longest; all of them
/// take some 30 MB.
const MAX_CAMERAS: usize = 10_000;
/// How sure the intervals of what is told are.
const CONFIDENCE: f64 = 0.9;

/// What was learned of each camera and of all. It outlives the policy that learned it.
#[derive(Debug, Default)]
pub struct Lessons {
    cameras: HashMap<CameraId, Camera>,
    all: Account,
    /// Counts frames.
    now: u64,
}

#[derive(Debug)]
struct Camera {
    account: Account,
    /// What the calibration is of; `None`: nothing is promised.
    calibrated: Option<(Measure, Promise)>,
    calibration: Option<Box<Calibration>>,
    /// From this score on frames are sent, so that the promise is kept.
    threshold: f64,
    /// When it was heard of last.
    heard: u64,
}

/// How far the tiers agree on a camera's frames.
#[derive(Clone, PartialEq, Debug)]
pub struct CameraAgreement {
    /// Which camera.
    pub camera: CameraId,
    /// How far.
    pub agreement: Agreement,
    /// How often a change of scene was noticed, where something is promised.
    pub resets: u32,
}

impl Camera {
    /// What was calibrated for another measure or another promise is forgotten.
    fn calibrate_for(&mut self, promise: Option<(Measure, Promise)>) {
        if self.calibrated != promise {
            self.calibrated = promise;
            self.calibration = None;
            self.threshold = f64::NEG_INFINITY;
        }
    }
}

impl Lessons {
    /// The score from which on a camera's frames are sent, so that the promise is kept: at first
    /// all.
    pub(crate) fn threshold(&self, camera: &CameraId, measure: &Measure, promise: Promise) -> f64 {
        let known = self.cameras.get(camera);
        let known = known.filter(|known| known.calibrated == Some((*measure, promise)));
        known.map_or(f64::NEG_INFINITY, |known| known.threshold)
    }

    /// The edge measured a frame, which was hard or not.
    pub(crate) fn frame(
        &mut self,
        camera: &CameraId,
        score: f64,
        hard: bool,
        promise: Option<(Measure, Promise)>,
    ) {
        self.all.frame(hard);
        let known = self.known(camera);
        known.calibrate_for(promise);
        known.account.frame(hard);
        if promise.is_some() {
            known.calibration.get_or_insert_default().frame(score);
        }
    }

    /// The cloud answered, too, and the edge's answer had this loss.
    pub(crate) fn lesson(
        &mut self,
        camera: &CameraId,
        (score, loss): (f64, f64),
        hard: bool,
        promise: Option<(Measure, Promise)>,
    ) {
        self.all.lesson(hard, loss);
        let known = self.known(camera);
        known.calibrate_for(promise);
        known.account.lesson(hard, loss);
        if let Some((_, promise)) = promise {
            let calibration = known.calibration.get_or_insert_default();
            calibration.lesson(score, loss, !hard, promise);
            known.threshold = calibration.threshold(promise);
        }
    }

    /// How far the tiers agree on all frames.
    #[must_use]
    pub fn overall(&self) -> Agreement {
        self.all.agreement(CONFIDENCE)
    }

    /// The same by camera: of so many cameras at most, those whose easy frames may be worst first.
    #[must_use]
    pub fn by_camera(&self, most: usize) -> Vec<CameraAgreement> {
        let mut all: Vec<(f64, &CameraId, &Camera)> = (self.cameras.iter())
            .map(|(camera, known)| {
                let easy = known.account.agreement(CONFIDENCE).easy;
                (easy.map_or(2.0, |easy| easy.low), camera, known)
            })
            .collect();
        let order = |a: &(f64, &CameraId, &Camera), b: &(f64, &CameraId, &Camera)| {
            a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1))
        };
        if most < all.len() {
            all.select_nth_unstable_by(most, order);
            all.truncate(most);
        }
        all.sort_by(order);
        let told = |(_, camera, known): (f64, &CameraId, &Camera)| CameraAgreement {
            camera: camera.clone(),
            agreement: known.account.agreement(CONFIDENCE),
            resets: known.calibration.as_ref().map_or(0, |known| known.resets()),
        };
        all.into_iter().map(told).collect()
    }

    fn known(&mut self, camera: &CameraId) -> &mut Camera {
        self.now += 1;
        if self.cameras.len() >= MAX_CAMERAS && !self.cameras.contains_key(camera) {
            // a tenth at a time, so that it is not looked for with every new camera
            let mut heard: Vec<u64> = self.cameras.values().map(|camera| camera.heard).collect();
            let (_, oldest, _) = heard.select_nth_unstable(MAX_CAMERAS / 10);
            let oldest = *oldest;
            self.cameras.retain(|_, camera| camera.heard >= oldest);
        }
        let known = self.cameras.entry(camera.clone()).or_insert(Camera {
            account: Account::default(),
            calibrated: None,
            calibration: None,
            threshold: f64::NEG_INFINITY,
            heard: 0,
        });
        known.heard = self.now;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISE: Promise = Promise { loss: 0.1, confidence: 0.9 };

    fn camera(number: usize) -> CameraId {
        format!("camera-{number}").parse().unwrap()
    }

    #[test]
    fn each_camera_has_its_own_threshold_and_the_worst_is_told_first() {
        let mut lessons = Lessons::default();
        let measure = Measure::MaxConfidence;
        let promised = Some((measure, PROMISE));
        for n in 0..3000 {
            for (number, loss) in [(0, 0.0), (1, 0.5)] {
                let (camera, score) = (camera(number), f64::from(n % 100));
                let hard = score >= lessons.threshold(&camera, &measure, PROMISE);
                lessons.frame(&camera, score, hard, promised);
                lessons.lesson(&camera, (score, loss), hard, promised);
            }
        }
        let threshold = |measure, number| lessons.threshold(&camera(number), &measure, PROMISE);
        assert_eq!(threshold(measure, 0), f64::INFINITY);
        assert_eq!(threshold(measure, 1), f64::NEG_INFINITY, "none of them may stay");
        assert_eq!(threshold(measure, 2), f64::NEG_INFINITY, "nothing is known of it");
        assert_eq!(threshold(Measure::MeanConfidence, 0), f64::NEG_INFINITY, "another measure");
        let told = lessons.by_camera(9);
        assert_eq!(told.len(), 2);
        assert!(told[0].agreement.easy.is_some_and(|easy| easy.mean > 0.99), "{told:?}");
        assert_eq!(told[1].agreement.easy, None, "no frame of it stayed");
        assert!(lessons.overall().all.is_some_and(|all| (all.mean - 0.75).abs() < 0.02));
        assert_eq!(lessons.by_camera(1).len(), 1);
    }

    #[test]
    fn cameras_are_bounded_and_the_longest_silent_go_first() {
        let mut lessons = Lessons::default();
        for number in 0..MAX_CAMERAS + 2000 {
            lessons.frame(&camera(number), 1.0, false, None);
            lessons.frame(&camera(0), 1.0, false, None);
        }
        assert!(lessons.cameras.len() <= MAX_CAMERAS);
        assert!(lessons.cameras.contains_key(&camera(0)));
        assert!(!lessons.cameras.contains_key(&camera(1)));
    }
}
