//! Which frames are the hardest of their camera.
//!
//! What was seen lately says where the share begins; and as scenes change, the share that is aimed
//! at moves against what was too much or too little, as in adaptive conformal inference (Gibbs and
//! Candès, NeurIPS 2021): over any T frames the share is met to within about 1/(T·[`STEP`]),
//! whatever the scores do.

use super::{Scores, SplitMix};
use crate::hardness::Cut;
use frame::CameraId;
use std::collections::HashMap;

/// Cameras beyond this number make those forgotten that were not heard of for longest; all of them
/// take some 10 MB.
pub(crate) const MAX_CAMERAS: usize = 10_000;
/// How far one frame moves what is aimed at.
const STEP: f64 = 0.02;
/// Of a camera with fewer scores, those of all cameras say what is hard.
const FEWEST: usize = 16;

/// The latest scores of each camera and of all.
#[derive(Clone, Debug)]
pub(crate) struct Hardest {
    cameras: HashMap<CameraId, Camera>,
    all: Scores,
    random: SplitMix,
    /// Counts scores.
    now: u64,
}

#[derive(Clone, Debug)]
struct Camera {
    scores: Scores,
    /// What is aimed at beyond the share.
    beyond: f64,
    /// When it was heard of last.
    heard: u64,
}

impl Hardest {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { cameras: HashMap::new(), all: Scores::default(), random: SplitMix(1), now: 0 }
    }

    /// Takes in the score of a camera's frame, and whether it was hard where a `share` is to be.
    pub(crate) fn push(&mut self, camera: &CameraId, score: f64, hard: bool, share: f64) {
        self.now += 1;
        self.all.push(score, &mut self.random);
        if !self.cameras.contains_key(camera) {
            self.make_room();
            let new = Camera { scores: Scores::default(), beyond: 0.0, heard: self.now };
            self.cameras.insert(camera.clone(), new);
        }
        if let Some(known) = self.cameras.get_mut(camera) {
            known.heard = self.now;
            known.scores.push(score, &mut self.random);
            let missing = share - if hard { 1.0 } else { 0.0 };
            known.beyond = (known.beyond + STEP * missing).clamp(-1.0, 1.0);
        }
    }

    /// Where the hardest `share` of a camera's frames begins; `None` before the first score of any
    /// camera.
    pub(crate) fn cut(&self, camera: &CameraId, share: f64, dice: [f64; 2]) -> Option<Cut> {
        let camera = self.cameras.get(camera);
        let own = camera.map(|camera| &camera.scores).filter(|own| own.len() >= FEWEST);
        let (scores, beyond) = (own.unwrap_or(&self.all), camera.map_or(0.0, |own| own.beyond));
        // all and nothing are exact
        let aimed = if share > 0.0 && share < 1.0 { share + beyond } else { share };
        (scores.len() > 0).then(|| scores.hardest(aimed.clamp(0.0, 1.0), dice))
    }

    /// A tenth at a time, so that it is not looked for with every new camera.
    fn make_room(&mut self) {
        if self.cameras.len() < MAX_CAMERAS {
            return;
        }
        let mut heard: Vec<u64> = self.cameras.values().map(|camera| camera.heard).collect();
        let (_, oldest, _) = heard.select_nth_unstable(MAX_CAMERAS / 10);
        let oldest = *oldest;
        self.cameras.retain(|_, camera| camera.heard >= oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(number: usize) -> CameraId {
        format!("camera-{number}").parse().unwrap()
    }

    #[test]
    fn each_camera_has_its_own_hardest_and_a_new_one_those_of_all() {
        let mut hardest = Hardest::new();
        assert_eq!(hardest.cut(&camera(0), 0.5, [0.5; 2]), None);
        for n in 0..FEWEST {
            hardest.push(&camera(0), n as f64, n % 2 == 0, 0.5);
            hardest.push(&camera(1), 100.0 + n as f64, n % 2 == 0, 0.5);
        }
        let at = |hardest: &Hardest, number| match hardest.cut(&camera(number), 0.5, [0.5; 2]) {
            Some(Cut::At { score, .. }) => score,
            other => panic!("{other:?}"),
        };
        assert!(at(&hardest, 0) < 20.0 && at(&hardest, 1) > 100.0);
        let new = at(&hardest, 2);
        assert!((15.0..=100.0).contains(&new), "in the middle of all: {new}");
    }

    #[test]
    fn cameras_are_bounded_and_the_longest_silent_go_first() {
        let mut hardest = Hardest::new();
        for _ in 0..FEWEST {
            hardest.push(&camera(0), 5.0, false, 0.2);
        }
        for number in 1..MAX_CAMERAS + 2000 {
            hardest.push(&camera(number), 1.0, false, 0.2);
            if number % 500 == 0 {
                hardest.push(&camera(0), 5.0, false, 0.2);
            }
        }
        assert!(hardest.cameras.len() <= MAX_CAMERAS, "{}", hardest.cameras.len());
        assert!(hardest.cameras.len() > MAX_CAMERAS * 8 / 10, "{}", hardest.cameras.len());
        assert!(hardest.cameras.contains_key(&camera(0)), "it was heard of all the time");
        assert!(!hardest.cameras.contains_key(&camera(1)));
    }
}
