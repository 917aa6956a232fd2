//! Results as rows: one for each frame of a batch.

use frame::{Detection, FrameId, FrameResult, Status};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// Frames that were not there before.
    pub new: u64,
    /// Provisional answers that were replaced by the final ones.
    pub replaced: u64,
    /// Results of frames whose answer was there already.
    pub repeated: u64,
    /// Results whose frame id tells no time: no unit of ours made them.
    pub foreign: u64,
}

impl std::ops::AddAssign for Stored {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.replaced += more.replaced;
        self.repeated += more.repeated;
        self.foreign += more.foreign;
    }
}

/// Results to be stored together: one for each frame, sorted by id, so that databases that lock rows
/// lock them in the same order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: Arc<[FrameResult]>,
    counted: Stored,
}

impl Batch {
    /// Of results in the order in which they came.
    #[must_use]
    pub fn of(results: impl IntoIterator<Item = FrameResult>) -> Self {
        let mut counted = Stored::default();
        let mut by_id: BTreeMap<FrameId, FrameResult> = BTreeMap::new();
        for result in results {
            if result.frame_id.made_at_ms().is_none() {
                counted.foreign += 1;
                continue;
            }
            match by_id.entry(result.frame_id) {
                Entry::Vacant(place) => {
                    place.insert(result);
                }
                Entry::Occupied(mut held) => {
                    counted.repeated += 1;
                    if let Some(better) = replacing(held.get(), &result) {
                        held.insert(better);
                    }
                }
            }
        }
        Self { rows: by_id.into_values().collect(), counted }
    }

    /// The results, one for each frame.
    #[must_use]
    pub fn rows(&self) -> &[FrameResult] {
        &self.rows
    }

    /// Each of its results by itself, to find the one that the database refuses.
    pub fn apart(&self) -> impl Iterator<Item = Self> {
        self.rows.iter().map(|row| Self { rows: [row.clone()].into(), counted: Stored::default() })
    }

    /// What putting it together made needless.
    #[must_use]
    pub const fn counted(&self) -> Stored {
        self.counted
    }
}

/// What stands in the place of `held` when `later` comes for the same frame; `None` when it stays.
/// Only a provisional answer is replaced, and where the final one is an error it counts as final
/// itself, as the web-server has it.
pub(crate) fn replacing(held: &FrameResult, later: &FrameResult) -> Option<FrameResult> {
    if held.status.is_final() || !later.status.is_final() {
        return None;
    }
    Some(match later.status {
        Status::Failed | Status::Expired => {
            FrameResult { status: Status::Done, error: None, ..held.clone() }
        }
        Status::Done | Status::Skipped | Status::Provisional => later.clone(),
    })
}

/// What a batch adds to the counts of minutes, and takes away where answers are replaced: by minute
/// since the epoch, camera and class, how many detections and frames more.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(i64, String, String), (i64, i64)>);

impl Tally {
    pub(crate) fn add(&mut self, row: &FrameResult) {
        self.count(row, 1);
    }

    pub(crate) fn take_away(&mut self, row: &FrameResult) {
        self.count(row, -1);
    }

    fn count(&mut self, row: &FrameResult, sign: i64) {
        let minute = row.frame_id.made_at_ms().map_or(0, |ms| (ms / 60_000) as i64);
        let mut classes: BTreeMap<&str, i64> = BTreeMap::new();
        for detection in &row.detections {
            *classes.entry(&detection.class).or_default() += 1;
        }
        for (class, detections) in classes {
            let key = (minute, row.camera.to_string(), class.to_owned());
            let held = self.0.entry(key).or_default();
            held.0 += sign * detections;
            held.1 += sign;
        }
    }

    /// In the order of the keys, which is the same for all who write.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (i64, &str, &str, i64, i64)> {
        self.0
            .iter()
            .filter(|(_, more)| **more != (0, 0))
            .map(|((minute, camera, class), (d, f))| (*minute, &**camera, &**class, *d, *f))
    }
}

/// The columns of a detection that are numbers.
pub(crate) fn measures(detection: &Detection) -> [f32; 5] {
    let b = &detection.bounding_box;
    [detection.confidence, b.x, b.y, b.width, b.height].map(|n| if n.is_finite() { n } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::CameraId;

    fn result(frame_id: FrameId, status: Status, sequence: u64) -> FrameResult {
        FrameResult::new(frame_id, CameraId::unnamed(), sequence, status)
    }

    #[test]
    fn a_batch_has_each_frame_once_by_its_final_answer() {
        let (one, two) = (FrameId::fresh(), FrameId::fresh());
        let batch = Batch::of([
            result(two, Status::Provisional, 1),
            result(one, Status::Done, 2),
            result(two, Status::Done, 3),
            result(two, Status::Provisional, 4),
            result(one, Status::Failed, 5),
            result(FrameId::from_bytes([0; 16]), Status::Done, 6),
        ]);
        let rows: Vec<_> = batch.rows.iter().map(|row| (row.frame_id, row.sequence)).collect();
        let mut expected = vec![(one, 2), (two, 3)];
        expected.sort_unstable();
        assert_eq!(rows, expected);
        assert_eq!(batch.counted, Stored { repeated: 3, foreign: 1, ..Stored::default() });
    }

    #[test]
    fn a_final_error_leaves_the_provisional_answer_as_the_final_one() {
        let id = FrameId::fresh();
        let held = result(id, Status::Provisional, 1);
        let promoted = replacing(&held, &result(id, Status::Expired, 1)).unwrap();
        assert_eq!(promoted.status, Status::Done);
        assert_eq!(replacing(&promoted, &result(id, Status::Done, 1)), None);
        assert_eq!(replacing(&held, &result(id, Status::Provisional, 1)), None);
    }
}
