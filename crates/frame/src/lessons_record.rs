//! What was learned of a camera's frames, on the settings topic: so that whoever decides on them
//! next, after a restart or a rebalance, goes on from there.

use crate::announcement::KEY_PREFIX;
use crate::{Announcement, CameraId, Expiring, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the keys of these records end; a camera's name precedes it, and what precedes announcements.
const KEY_SUFFIX: &str = "/lessons";
/// More weights than this are none of any release.
const MAX_WEIGHTS: usize = 64;
/// Weights beyond this are nothing that was learned.
const LARGEST_WEIGHT: f32 = 1e6;
/// So many lessons nobody gets: ten thousand a second for thirty years.
const MOST_LESSONS: u64 = 10_000_000_000_000;

/// The measure of which frames are worth sending to the cloud, as it was learned of one camera: the
/// value of a record of the settings topic, as JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LessonsRecord {
    /// The form of the record.
    pub version: u32,
    /// Of which camera.
    pub camera: CameraId,
    /// What the features are and in which order, by a number: weights of others mean nothing here.
    pub layout: u32,
    /// The weights of the measure: a constant, then one for each feature of a frame.
    pub weights: Vec<f32>,
    /// How many answers of the cloud it rests on.
    pub lessons: u64,
    /// When the last of these was noticed: of two records of a camera the later one counts.
    pub learned_at: Timestamp,
    /// When this was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// After this moment the camera is taken to be gone, if nothing was heard since.
    pub expires_at: Timestamp,
}

/// A record of lessons that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidLessons {
    /// It cannot be read.
    #[error(transparent)]
    Record(#[from] crate::InvalidRecord),
    /// Its key is that of another camera.
    #[error("its key names another camera than its value, {0}")]
    Camera(CameraId),
    /// It is of another release, whose features are others, or of another order.
    #[error("its weights are of layout {0} of a frame's features, which is not this release's")]
    Layout(u32),
    /// A number in it is none that can have been learned.
    #[error(
        "its weights are none of this release's, or the number or time of its lessons cannot be"
    )]
    Range,
}

impl LessonsRecord {
    /// A record of what was learned by now, that counts for so long.
    #[must_use]
    pub fn new(
        camera: CameraId,
        (layout, weights): (u32, Vec<f32>),
        lessons: u64,
        valid: Duration,
    ) -> Self {
        let (version, sent_at) = (Self::VERSION, Timestamp::now());
        let (learned_at, expires_at) = (sent_at, sent_at + valid);
        Self { version, camera, layout, weights, lessons, learned_at, sent_at, expires_at }
    }

    /// The key of a camera's record.
    #[must_use]
    pub fn key_of(camera: &CameraId) -> String {
        format!("{}{KEY_SUFFIX}", Announcement::key_of(camera.as_str()))
    }

    /// Whether a key of the settings topic is that of such a record. Releases that know none take
    /// it for that of an announcement which they cannot read, and pass it over.
    #[must_use]
    pub fn is_key(key: &str) -> bool {
        Announcement::is_key(key) && key.ends_with(KEY_SUFFIX)
    }

    /// The camera whose record has this key, if it is such a key.
    #[must_use]
    pub fn camera_of_key(key: &str) -> Option<CameraId> {
        let camera = key.strip_prefix(KEY_PREFIX)?.strip_suffix(KEY_SUFFIX)?;
        camera.parse().ok()
    }

    /// Reads what stands under a key, and checks that it can be used.
    ///
    /// # Errors
    /// Each case of [`InvalidLessons`].
    pub fn read(key: &str, json: &[u8]) -> Result<Self, InvalidLessons> {
        let record = Self::from_json(json)?;
        if Self::key_of(&record.camera) != key {
            return Err(InvalidLessons::Camera(record.camera));
        }
        let Self { weights, lessons, learned_at, expires_at, .. } = &record;
        let is_weight = |weight: &f32| weight.abs() <= LARGEST_WEIGHT;
        let fits = (1..=MAX_WEIGHTS).contains(&weights.len()) && weights.iter().all(is_weight);
        let was_learned = *lessons <= MOST_LESSONS && learned_at <= expires_at;
        if fits && was_learned { Ok(record) } else { Err(InvalidLessons::Range) }
    }
}

impl Expiring for LessonsRecord {
    const NAME: &'static str = "a record of lessons";
    const VERSION: u32 = 1;

    fn version(&self) -> u32 {
        self.version
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContractsRecord;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_broken_one_is_named() {
        let camera: CameraId = "gate".parse().unwrap();
        let week = Duration::from_secs(7 * 24 * 3600);
        let record = LessonsRecord::new(camera.clone(), (1, vec![0.5, -1.25]), 700, week);
        let key = LessonsRecord::key_of(&camera);
        assert_eq!(LessonsRecord::read(&key, &record.to_json()), Ok(record.clone()));
        assert!(LessonsRecord::is_key(&key) && Announcement::is_key(&key));
        assert_eq!(LessonsRecord::camera_of_key(&key), Some(camera));
        assert_eq!(LessonsRecord::camera_of_key("preprocessor/lessons"), None);
        assert!(!ContractsRecord::is_key(&key) && !LessonsRecord::is_key("camera/gate/regions"));
        let other = |change: &dyn Fn(&mut LessonsRecord)| {
            let mut other = record.clone();
            change(&mut other);
            LessonsRecord::read(&key, &other.to_json()).unwrap_err().to_string()
        };
        let problem = other(&|record| record.version = 2);
        assert!(problem.contains("of version 2, but only 1"), "{problem}");
        assert!(other(&|record| record.camera = "x".parse().unwrap()).contains("another camera"));
        for problem in [
            other(&|record| record.weights[0] = 1e30),
            other(&|record| record.weights.clear()),
            other(&|record| record.weights = vec![0.0; 65]),
            other(&|record| record.lessons = u64::MAX),
            other(&|record| record.learned_at = record.expires_at + week),
        ] {
            assert!(problem.contains("none of this release"), "{problem}");
        }
        let problem = LessonsRecord::read(&key, b"{}").unwrap_err().to_string();
        assert!(problem.contains("the form of a record of lessons"), "{problem}");
    }
}
