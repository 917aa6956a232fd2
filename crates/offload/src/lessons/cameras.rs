//! The lessons of all cameras, of which there are so many at most.

use super::kept::{Kept, KeptLessons, Learning};
use super::{Account, Agreement, Calibration, Gain, Promise, gain};
use crate::Measure;
use crate::hardness::{FEATURES, Learned};
use frame::CameraId;
use std::collections::HashMap;

/// Cameras beyond this number make those forgotten that were not heard of for longest; all of them
/// take some 35 MB.
const MAX_CAMERAS: usize = 10_000;
/// How sure the intervals of what is told are.
const CONFIDENCE: f64 = 0.9;

/// What was learned of each camera and of all. It outlives the policy that learned it.
#[derive(Debug, Default)]
pub struct Lessons {
    cameras: HashMap<CameraId, Camera>,
    all: Account,
    /// What all cameras taught of which frames are worth sending.
    gain: Gain,
    /// Lessons of that.
    taught: u64,
    /// What is kept of it outside.
    kept: Kept,
    /// Counts frames.
    now: u64,
}

/// What a learned measure rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Experience {
    /// Answers of the cloud that were lessons here.
    pub lessons: u64,
    /// Cameras of which something is known.
    pub cameras: usize,
    /// Those that went on where a process before had left off.
    pub found_again: usize,
}

#[derive(Debug)]
struct Camera {
    account: Account,
    /// What the calibration is of; `None`: nothing is promised.
    calibrated: Option<(Measure, Promise)>,
    calibration: Option<Box<Calibration>>,
    /// From this score on frames are sent, so that the promise is kept.
    threshold: f64,
    /// Which of its frames are worth sending; `None` before the first lesson.
    learning: Option<Box<Learning>>,
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

    /// The measure of a camera's frames as it was learned: as it stands now, or, where something is
    /// `promised`, as it has stood for long enough to be calibrated.
    #[must_use]
    pub fn learned(&self, camera: &CameraId, promised: bool) -> Learned {
        let learning = self.cameras.get(camera).and_then(|known| known.learning.as_deref());
        match (learning, self.kept.of(camera)) {
            (Some(learning), _) if promised => learning.settled.0,
            (Some(learning), _) => learning.measure(&self.gain),
            (None, Some(kept)) => kept.measure,
            // nothing of its own yet; a promise waits for its first lesson
            (None, None) if promised => Learned::UNFITTED,
            (None, None) => self.gain.measure(),
        }
    }

    /// The cloud's answer to a camera's frame was better by `gain` boxes. `chance` is the
    /// probability with which such a frame was sent.
    pub fn taught(
        &mut self,
        camera: &CameraId,
        features: &[f32; FEATURES],
        gain: f64,
        chance: f64,
    ) {
        if !gain.is_finite() || !features.iter().all(|feature| feature.is_finite()) {
            return;
        }
        self.known(camera);
        let Self { cameras, gain: all, kept, .. } = self;
        let Some(known) = cameras.get_mut(camera) else { return };
        let learning =
            known.learning.get_or_insert_with(|| Box::new(Learning::new(all, kept.of(camera))));
        learning.lesson(all, &gain::terms(features), gain, chance);
        self.taught = self.taught.saturating_add(1);
    }

    /// What a process before, or another one, has learned of a camera: taken over where it rests on
    /// more lessons than what is known here.
    pub fn keep(&mut self, kept: KeptLessons) {
        if let Some(known) = self.cameras.get_mut(&kept.camera)
            && let Some(learning) = &mut known.learning
            && kept.lessons > learning.lessons
        {
            **learning = Learning::new(&self.gain, Some(&kept));
        }
        self.kept.insert(kept);
        // before the first lesson others' lessons are all there is
        if self.taught == 0
            && let Some(mean) = self.kept.mean()
        {
            self.gain = Gain::found_again(&mean);
        }
    }

    /// Nothing is kept of a camera any more.
    pub fn keep_no_more(&mut self, camera: &CameraId) {
        self.kept.remove(camera);
    }

    /// What is to be kept of cameras of which enough was learned since it was kept last, those with
    /// the most lessons first; frames that name no camera belong to none. `last`: there will be no
    /// more lessons, so little is enough.
    #[must_use]
    pub fn to_keep(&self, last: bool) -> Vec<KeptLessons> {
        let mut all: Vec<KeptLessons> = (self.cameras.iter())
            .filter(|(camera, _)| !camera.is_unnamed())
            .filter_map(|(camera, known)| Some((camera, known.learning.as_deref()?)))
            .filter(|(camera, learning)| self.kept.wants(camera, learning.lessons, last))
            .map(|(camera, learning)| KeptLessons {
                camera: camera.clone(),
                measure: learning.measure(&self.gain),
                lessons: learning.lessons,
            })
            .collect();
        all.sort_by(|a, b| b.lessons.cmp(&a.lessons).then_with(|| a.camera.cmp(&b.camera)));
        let mut room = self.kept.room();
        all.retain(|one| {
            let is_new = self.kept.of(&one.camera).is_none();
            let fits = !is_new || room > 0;
            room -= usize::from(is_new && fits);
            fits
        });
        all
    }

    /// What the learned measure rests on; `None` before there is anything.
    #[must_use]
    pub fn experience(&self) -> Option<Experience> {
        let learning = || self.cameras.values().filter_map(|known| known.learning.as_deref());
        let cameras = learning().count();
        let found_again = learning().filter(|learning| learning.found_again).count();
        (cameras > 0).then_some(Experience { lessons: self.taught, cameras, found_again })
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
            learning: None,
            heard: 0,
        });
        known.heard = self.now;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::kept::MAX_KEPT;

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

    /// Teaches that frames with something of class group 3 are worth 3 boxes, others none.
    fn teach(lessons: &mut Lessons, camera: &CameraId, times: usize) {
        for n in 0..times {
            let mut features = [0.0; FEATURES];
            features[14] = (n % 2) as f32;
            lessons.taught(camera, &features, 3.0 * f64::from(features[14]), 1.0);
        }
    }

    fn worth(measure: &Learned) -> f64 {
        let mut features = [0.0; FEATURES];
        features[14] = 1.0;
        measure.expected(&features)
    }

    #[test]
    fn a_new_camera_begins_with_what_the_others_taught_and_a_promise_with_what_holds_still() {
        let mut lessons = Lessons::default();
        let (taught, new) = (camera(0), camera(1));
        assert_eq!(lessons.learned(&taught, false), Learned::UNFITTED);
        teach(&mut lessons, &taught, 200);
        assert!(worth(&lessons.learned(&taught, false)) > 2.5);
        let by_all = worth(&lessons.learned(&new, false));
        assert!(by_all > 1.5, "{by_all}");
        let still = lessons.learned(&taught, true);
        teach(&mut lessons, &taught, 20);
        assert_eq!(lessons.learned(&taught, true), still);
        teach(&mut lessons, &taught, 60);
        let settled = lessons.learned(&taught, true);
        assert!(settled != still && worth(&settled) > 2.5, "{settled:?}");
        teach(&mut lessons, &taught, 500);
        assert_eq!(lessons.learned(&taught, true), settled, "for four times as many lessons");
    }

    #[test]
    fn a_frame_that_comes_again_and_again_is_never_overshot() {
        // a crowded frame, on which a step is nearly all the way
        let features: [f32; FEATURES] = std::array::from_fn(|place| (place % 7) as f32 * 5.0);
        let wanted = 200.0;
        let mut before = Lessons::default();
        let mut after = Lessons::default();
        teach(&mut before, &camera(0), 300);
        after.keep(before.to_keep(true).remove(0));
        for (name, lessons) in [("new", &mut Lessons::default()), ("found again", &mut after)] {
            let mut left = f64::INFINITY;
            for n in 0..100 {
                lessons.taught(&camera(0), &features, wanted, 1.0);
                let now = wanted - lessons.learned(&camera(0), false).expected(&features);
                assert!(now > -1e-2 && now < left + 1e-2, "{name} {n}: {now} after {left}");
                left = now;
            }
            assert!(left < 1.0, "{name}: {left}");
        }
    }

    #[test]
    fn what_is_kept_is_found_again_and_less_never_replaces_more() {
        let mut before = Lessons::default();
        teach(&mut before, &camera(0), 300);
        teach(&mut before, &CameraId::unnamed(), 300);
        let kept = before.to_keep(true);
        assert_eq!((kept.len(), kept[0].lessons), (1, 300), "frames without a camera have none");
        before.keep(kept[0].clone());
        assert_eq!(before.to_keep(true), [], "nothing new");
        teach(&mut before, &camera(0), 8);
        assert_eq!((before.to_keep(true).len(), before.to_keep(false).len()), (1, 0));
        teach(&mut before, &camera(0), 300 / 16 - 8);
        assert_eq!(before.to_keep(false).len(), 1, "a sixteenth more");

        let mut after = Lessons::default();
        after.keep(kept[0].clone());
        assert_eq!(after.learned(&camera(0), false), kept[0].measure);
        assert!(worth(&after.learned(&camera(1), false)) > 1.5, "a new camera begins with it, too");
        teach(&mut after, &camera(0), 1);
        let known = Experience { lessons: 1, cameras: 1, found_again: 1 };
        assert_eq!(after.experience(), Some(known));
        let learned = after.learned(&camera(0), false);
        // an older record, of a process that had the camera before
        after.keep(KeptLessons { measure: Learned::UNFITTED, lessons: 299, ..kept[0].clone() });
        assert_eq!(after.learned(&camera(0), false), learned);
        let more = KeptLessons { measure: Learned::UNFITTED, lessons: 900, ..kept[0].clone() };
        after.keep(more);
        assert!(worth(&after.learned(&camera(0), false)).abs() < 1e-3, "it rests on more");
    }

    #[test]
    fn no_more_than_so_many_cameras_are_kept() {
        let mut lessons = Lessons::default();
        for number in 0..MAX_KEPT + 20 {
            teach(&mut lessons, &camera(number), 8 + usize::from(number == 500));
        }
        let kept = lessons.to_keep(true);
        assert_eq!((kept.len(), &kept[0].camera), (MAX_KEPT, &camera(500)));
        kept.into_iter().for_each(|kept| lessons.keep(kept));
        teach(&mut lessons, &camera(3), 8);
        assert_eq!(lessons.to_keep(true).len(), 1, "those that are kept are renewed, others wait");
        lessons.keep_no_more(&camera(500));
        assert_eq!(lessons.to_keep(true).len(), 2);
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
