//! The lessons of all cameras, of which there are so many at most.

use super::kept::{Kept, KeptLessons, Learning};
use super::{Account, Agreement, Calibration, Gain, Promise, gain};
use crate::Measure;
use crate::hardness::{FEATURES, Learned};
use frame::{CameraId, Timestamp};
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

    /// What a process before, or another one, has learned of a camera: taken over where it is later
    /// than what is known here.
    pub fn keep(&mut self, kept: KeptLessons) {
        if let Some(known) = self.cameras.get_mut(&kept.camera)
            && let Some(learning) = &mut known.learning
            && kept.learned_at > learning.learned_at()
        {
            **learning = Learning::new(&self.gain, Some(&kept));
        }
        self.kept.insert(kept);
        self.begin_with_others();
    }

    /// Nothing is kept of a camera any more: somebody has removed it, so what was learned of it here
    /// is forgotten, too, and would otherwise be written again.
    pub fn keep_no_more(&mut self, camera: &CameraId) {
        if let Some(known) = self.cameras.get_mut(camera) {
            known.learning = None;
        }
        self.kept.remove(camera);
        self.begin_with_others();
    }

    /// Before the first lesson others' lessons are all there is.
    fn begin_with_others(&mut self) {
        if self.taught == 0 {
            self.gain =
                self.kept.mean().map_or_else(Gain::default, |mean| Gain::found_again(&mean));
        }
    }

    /// What is to be kept, at `now`, of cameras of which enough was learned since it was kept last,
    /// those first of which most is missing, by what is kept of them; frames that name no camera
    /// belong to none. `last`: there will be no more lessons, so little is enough.
    #[must_use]
    pub fn to_keep(&mut self, now: Timestamp, last: bool) -> Vec<KeptLessons> {
        let Self { cameras, gain, kept, .. } = self;
        let mut all: Vec<KeptLessons> = (cameras.iter_mut())
            .filter(|(camera, _)| !camera.is_unnamed())
            .filter_map(|(camera, known)| Some((camera, known.learning.as_deref_mut()?)))
            .filter_map(|(camera, learning)| {
                learning.notice(now);
                kept.wants(camera, learning, last).then(|| KeptLessons {
                    camera: camera.clone(),
                    measure: learning.measure(gain),
                    lessons: learning.lessons,
                    learned_at: learning.learned_at(),
                })
            })
            .collect();
        let behind = |one: &KeptLessons| kept.behind(&one.camera, one.lessons);
        all.sort_by(|a, b| behind(b).total_cmp(&behind(a)).then_with(|| a.camera.cmp(&b.camera)));
        let mut room = kept.room();
        all.retain(|one| {
            let is_new = kept.of(&one.camera).is_none();
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
        after.keep(before.to_keep(at(0), true).remove(0));
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

    /// So many seconds after some moment.
    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn what_is_kept_is_found_again_and_the_earlier_never_replaces_the_later() {
        let mut before = Lessons::default();
        teach(&mut before, &camera(0), 300);
        teach(&mut before, &CameraId::unnamed(), 300);
        let kept = before.to_keep(at(0), true);
        assert_eq!((kept.len(), kept[0].lessons), (1, 300), "frames without a camera have none");
        before.keep(kept[0].clone());
        assert_eq!(before.to_keep(at(1), true), [], "nothing new");
        teach(&mut before, &camera(0), 8);
        let (last, next) = (before.to_keep(at(2), true).len(), before.to_keep(at(2), false).len());
        assert_eq!((last, next), (1, 0));
        teach(&mut before, &camera(0), 300 / 16 - 8);
        assert_eq!(before.to_keep(at(3), false).len(), 1, "a sixteenth more");

        let mut after = Lessons::default();
        after.keep(kept[0].clone());
        assert_eq!(after.learned(&camera(0), false), kept[0].measure);
        assert!(worth(&after.learned(&camera(1), false)) > 1.5, "a new camera begins with it, too");
        // an older record, of a process that had the camera before
        let learned_at = Timestamp::from_micros(1);
        let measure = Learned::UNFITTED;
        let older = KeptLessons { measure, lessons: 900, learned_at, ..kept[0].clone() };
        after.keep(older.clone());
        assert_eq!(after.learned(&camera(0), false), kept[0].measure);
        teach(&mut after, &camera(0), 1);
        let known = Experience { lessons: 1, cameras: 1, found_again: 1 };
        assert_eq!(after.experience(), Some(known));
        let learned = after.learned(&camera(0), false);
        after.keep(older.clone());
        assert_eq!(after.learned(&camera(0), false), learned);
        after.keep(KeptLessons { lessons: 20, learned_at: at(9), ..older });
        assert!(worth(&after.learned(&camera(0), false)).abs() < 1e-3, "it is later");
    }

    #[test]
    fn who_has_lost_a_camera_does_not_overwrite_what_the_next_one_learns() {
        let (mut a, mut b) = (Lessons::default(), Lessons::default());
        teach(&mut a, &camera(0), 480);
        let kept = a.to_keep(at(0), false).remove(0);
        a.keep(kept.clone());
        b.keep(kept);
        // the last ones are not written before the camera goes over to the other
        teach(&mut a, &camera(0), 29);
        assert_eq!(a.to_keep(at(5), false), []);
        teach(&mut b, &camera(0), 8);
        let of_b = b.to_keep(at(60), true).remove(0);
        a.keep(of_b.clone());
        b.keep(of_b.clone());
        assert_eq!(a.to_keep(at(90), true), [], "it rests on more lessons, but they are older");
        teach(&mut b, &camera(0), 1);
        assert_eq!(b.to_keep(at(90), false), []);
        // and back again, to one whose clock is behind
        teach(&mut a, &camera(0), 8);
        let of_a = a.to_keep(at(50), true).remove(0);
        assert!(of_a.lessons == of_b.lessons + 8 && of_a.learned_at > of_b.learned_at, "{of_a:?}");
    }

    #[test]
    fn a_live_cameras_record_is_renewed_within_the_hour_and_a_removed_one_does_not_come_back() {
        let mut lessons = Lessons::default();
        teach(&mut lessons, &camera(0), 100);
        let kept = KeptLessons { lessons: 1_000_000, ..lessons.to_keep(at(0), false).remove(0) };
        lessons.keep(KeptLessons { learned_at: at(1), ..kept });
        assert_eq!(lessons.to_keep(at(9000), true), [], "no lesson since");
        teach(&mut lessons, &camera(0), 1);
        assert_eq!(lessons.to_keep(at(60), false), []);
        teach(&mut lessons, &camera(0), 1);
        let hourly = lessons.to_keep(at(3700), false);
        assert_eq!(hourly.len(), 1);
        lessons.keep(hourly[0].clone());
        teach(&mut lessons, &camera(0), 200);
        assert_eq!(
            lessons.to_keep(at(3800), false).len(),
            1,
            "and after 200 lessons at the latest"
        );
        lessons.keep_no_more(&camera(0));
        teach(&mut lessons, &camera(0), 7);
        assert_eq!(lessons.to_keep(at(3900), true), []);
        teach(&mut lessons, &camera(0), 1);
        assert_eq!(lessons.to_keep(at(3905), true)[0].lessons, 8);
    }

    #[test]
    fn no_more_than_so_many_cameras_are_kept_and_young_ones_come_first() {
        let mut lessons = Lessons::default();
        for number in 0..MAX_KEPT + 20 {
            teach(&mut lessons, &camera(number), 8 + usize::from(number == 500));
        }
        let kept = lessons.to_keep(at(0), true);
        assert_eq!((kept.len(), &kept[0].camera), (MAX_KEPT, &camera(500)));
        kept.into_iter().for_each(|kept| lessons.keep(kept));
        teach(&mut lessons, &camera(3), 8);
        let wanted = lessons.to_keep(at(5), true);
        assert_eq!(wanted.len(), 1, "those that are kept are renewed, others wait");
        teach(&mut lessons, &camera(500), 100);
        let first = lessons.to_keep(at(6), true).remove(0);
        lessons.keep(first);
        teach(&mut lessons, &camera(500), 90);
        let wanted: Vec<u64> =
            (lessons.to_keep(at(7), true).iter()).map(|one| one.lessons).collect();
        assert_eq!(wanted, [16, 199], "twice as much is more than ninety more");
        lessons.keep_no_more(&camera(500));
        let wanted = lessons.to_keep(at(8), true);
        assert!(wanted.len() == 2 && wanted[0].lessons == 8, "room for one more: {wanted:?}");
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
