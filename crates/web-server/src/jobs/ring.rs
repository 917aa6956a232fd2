//! The latest results, provisional ones included, in the order of their arrival, bounded in number,
//! bytes and age.
//!
//! Each result stands at a position that only grows. Streams read on from a position, so that a
//! slow reader costs no memory of its own: what it misses is what the ring no longer holds.

use super::Finished;
use super::cameras::{Cameras, Counts};
use frame::{CameraId, FrameId, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use unit::BoundedMap;

/// For each result that may be held, so many ids of dropped ones are remembered: a late duplicate
/// is not shown as new.
const FORGOTTEN_PER_HELD: usize = 4;

/// Scanning more entries in one read would hold the store's lock for too long.
const MAX_SCANNED: usize = 1024;

/// How much is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

/// The results behind a position.
#[derive(Debug)]
pub(crate) struct Slice {
    /// How many, of any camera, were dropped before they could be read.
    pub(crate) missed: u64,
    pub(crate) results: Vec<Arc<Finished>>,
    /// Where to read on.
    pub(crate) next: u64,
}

/// What is known of a camera by the results that are held.
#[derive(Debug)]
pub(crate) struct CameraState {
    pub(crate) camera: CameraId,
    pub(crate) counts: Counts,
    /// Its newest result, and when that was made.
    pub(crate) last: Arc<Finished>,
    pub(crate) last_at: Timestamp,
    /// The newest frame that has an answer.
    pub(crate) newest: Option<FrameId>,
}

#[derive(Debug)]
pub(super) struct Ring {
    bounds: Bounds,
    entries: VecDeque<Entry>,
    /// The position of the first entry.
    first: u64,
    bytes: usize,
    /// Of final results.
    positions: HashMap<FrameId, u64>,
    /// Of provisional results whose frames have no final one yet.
    provisional: HashMap<FrameId, u64>,
    /// Frames whose final results were dropped.
    forgotten: BoundedMap<FrameId, ()>,
    cameras: Cameras,
}

#[derive(Debug)]
struct Entry {
    result: Arc<Finished>,
    made_at: Timestamp,
}

impl Ring {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            positions: HashMap::new(),
            provisional: HashMap::new(),
            forgotten: BoundedMap::new(FORGOTTEN_PER_HELD * bounds.count),
            cameras: Cameras::default(),
        }
    }

    /// Adds a result that was not seen before, at the head.
    pub(super) fn push(&mut self, result: Arc<Finished>, made_at: Timestamp) {
        let (id, position) = (result.frame_id, self.head());
        if result.status.is_final() {
            self.provisional.remove(&id);
            self.positions.insert(id, position);
        } else {
            self.provisional.insert(id, position);
        }
        self.cameras.pushed(&result, position);
        self.bytes += result.bytes();
        self.entries.push_back(Entry { result, made_at });
        while self.entries.len() > self.bounds.count || self.bytes > self.bounds.bytes {
            self.drop_first();
        }
    }

    /// Drops what is too old.
    pub(super) fn shrink(&mut self, now: Timestamp) {
        while self.entries.front().is_some_and(|entry| self.is_old(entry.made_at, now)) {
            self.drop_first();
        }
    }

    /// Whether a result that was made at this moment is no longer kept.
    pub(super) fn is_old(&self, made_at: Timestamp, now: Timestamp) -> bool {
        made_at + self.bounds.age < now
    }

    /// The final result.
    pub(super) fn get(&self, id: FrameId) -> Option<&Arc<Finished>> {
        self.at(*self.positions.get(&id)?)
    }

    /// The provisional result, as long as there is no final one.
    pub(super) fn provisional(&self, id: FrameId) -> Option<&Arc<Finished>> {
        self.at(*self.provisional.get(&id)?)
    }

    fn at(&self, position: u64) -> Option<&Arc<Finished>> {
        self.entries.get(usize::try_from(position - self.first).ok()?).map(|entry| &entry.result)
    }

    /// Whether the frame's final result is held, or was.
    pub(super) fn has_seen(&self, id: FrameId) -> bool {
        self.positions.contains_key(&id) || self.forgotten.contains_key(&id)
    }

    pub(super) fn position(&self, id: FrameId) -> Option<u64> {
        self.positions.get(&id).copied()
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The position behind the newest result.
    pub(super) fn head(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of them are final.
    pub(super) fn finals(&self) -> usize {
        self.positions.len()
    }

    pub(super) fn read(&self, from: u64, camera: Option<&CameraId>, limit: usize) -> Slice {
        let missed = self.first.saturating_sub(from);
        let mut next = from + missed;
        let skip = usize::try_from(next - self.first).unwrap_or(usize::MAX);
        let mut results = Vec::new();
        for entry in self.entries.iter().skip(skip).take(MAX_SCANNED) {
            if results.len() == limit {
                break;
            }
            next += 1;
            if camera.is_none_or(|camera| *camera == entry.result.camera) {
                results.push(entry.result.clone());
            }
        }
        Slice { missed, results, next }
    }

    /// The result to show on a picture of this camera, with its position: that of the newest frame
    /// that has one.
    pub(super) fn shown(&self, camera: &CameraId) -> Option<(u64, &Arc<Finished>)> {
        let position = self.cameras.shown(camera)?;
        Some((position, self.at(position)?))
    }

    /// The newest frame of this camera that has an answer.
    pub(super) fn newest(&self, camera: &CameraId) -> Option<FrameId> {
        self.cameras.get(camera)?.newest()
    }

    /// The first `limit` cameras by name, and how many there are.
    pub(super) fn cameras(&self, limit: usize) -> (Vec<CameraState>, usize) {
        let state = |(name, camera): (&CameraId, &super::cameras::Camera)| {
            let index = usize::try_from(camera.last - self.first).ok()?;
            let Entry { result, made_at } = self.entries.get(index)?;
            Some(CameraState {
                camera: name.clone(),
                counts: camera.counts,
                last: result.clone(),
                last_at: *made_at,
                newest: camera.newest(),
            })
        };
        (self.cameras.iter().take(limit).filter_map(state).collect(), self.cameras.len())
    }

    fn drop_first(&mut self) {
        let Some(Entry { result, .. }) = self.entries.pop_front() else { return };
        self.cameras.dropped(&result, self.first);
        self.first += 1;
        self.bytes -= result.bytes();
        if result.status.is_final() {
            self.positions.remove(&result.frame_id);
            self.forget(result.frame_id);
        } else {
            self.provisional.remove(&result.frame_id);
        }
    }

    /// Remembers that there was a final result of this frame.
    pub(super) fn forget(&mut self, id: FrameId) {
        // what the edge had said does not make it pending again
        self.provisional.remove(&id);
        self.forgotten.insert(id, ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{Store, Stored, samples};
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn push(ring: &mut Ring, camera: &str, made_at: Timestamp) -> FrameId {
        let result = samples::done(camera, 0);
        ring.push(Arc::new(Finished::new(&result, None)), made_at);
        result.frame_id
    }

    #[test]
    fn each_bound_drops_the_oldest() {
        let now = Timestamp::now();
        let mut by_count = Ring::new(Bounds { count: 2, bytes: usize::MAX, age: HOUR });
        let ids: Vec<FrameId> = (0..3).map(|_| push(&mut by_count, "gate", now)).collect();
        assert!(by_count.get(ids[0]).is_none() && by_count.has_seen(ids[0]));
        assert!(by_count.get(ids[2]).is_some());
        assert_eq!((by_count.first(), by_count.head()), (1, 3));

        let one = Finished::new(&samples::done("gate", 0), None).bytes();
        let mut by_bytes = Ring::new(Bounds { count: 100, bytes: 2 * one + one / 2, age: HOUR });
        for _ in 0..5 {
            push(&mut by_bytes, "gate", now);
        }
        assert_eq!(by_bytes.len(), 2);
        let provisional =
            Finished::new(&samples::provisional_for(FrameId::fresh(), "gate", 0), None);
        by_bytes.push(Arc::new(provisional), now);
        assert!(
            by_bytes.bytes <= by_bytes.bounds.bytes && by_bytes.finals() < 2,
            "provisional ones take room like any other"
        );

        let mut by_age = Ring::new(Bounds { count: 100, bytes: usize::MAX, age: HOUR });
        let old = push(&mut by_age, "gate", Timestamp::from_micros(0));
        let provisional = samples::provisional_for(FrameId::fresh(), "gate", 0);
        by_age.push(Arc::new(Finished::new(&provisional, None)), Timestamp::from_micros(0));
        let fresh = push(&mut by_age, "gate", now);
        by_age.shrink(now);
        assert!(by_age.get(old).is_none() && by_age.get(fresh).is_some());
        assert!(
            by_age.provisional(provisional.frame_id).is_none()
                && !by_age.has_seen(provisional.frame_id)
        );
    }

    #[test]
    fn a_reader_that_falls_behind_is_told_how_many_it_missed() {
        let mut ring = Ring::new(Bounds { count: 3, bytes: usize::MAX, age: HOUR });
        let ids: Vec<FrameId> = (0..8).map(|_| push(&mut ring, "gate", Timestamp::now())).collect();
        let slice = ring.read(2, None, 2);
        assert_eq!((slice.missed, slice.next), (3, 7));
        assert_eq!(
            slice.results.iter().map(|result| result.frame_id).collect::<Vec<_>>(),
            ids[5..7]
        );
        let rest = ring.read(slice.next, None, 100);
        assert_eq!((rest.missed, rest.next, rest.results.len()), (0, 8, 1));
        assert_eq!(ring.read(8, None, 100).results.len(), 0);
    }

    #[test]
    fn cameras_are_those_with_results_and_show_their_newest_frame() {
        let (now, bounds) = (Timestamp::now(), Bounds { count: 4, bytes: usize::MAX, age: HOUR });
        let mut ring = Ring::new(bounds);
        let camera = |name: &str| name.parse::<CameraId>().unwrap();
        let (older, newer) = (FrameId::fresh(), FrameId::fresh());
        let mut add = |result: frame::FrameResult| {
            ring.push(Arc::new(Finished::new(&result, None)), now);
            let gate = ring.shown(&camera("gate")).map(|(at, shown)| (at, shown.frame_id));
            let (cameras, all) = ring.cameras(1);
            assert_eq!(cameras[0].camera, camera("gate"));
            (gate, cameras[0].counts, cameras[0].last.frame_id, all)
        };
        let counts = Counts { provisional: 1, ..Counts::default() };
        let first = add(samples::provisional_for(newer, "gate", 1));
        assert_eq!(first, (Some((0, newer)), counts, newer, 1));
        let late = add(samples::done_for(older, "gate", 0));
        let counts = Counts { done: 1, ..counts };
        assert_eq!(late, (Some((0, newer)), counts, older, 1), "a late one is not shown");
        let last = add(samples::done_for(newer, "gate", 1));
        let counts = Counts { done: 2, ..counts };
        assert_eq!(last, (Some((2, newer)), counts, newer, 1), "the final one replaces it");
        let failed = add(samples::failed_for(FrameId::fresh(), "gate", 3));
        assert_eq!((failed.0, failed.1.failed), (Some((2, newer)), 1), "nothing to show");
        // the ring is full: the oldest go
        let yard = add(samples::done("yard", 0));
        let counts = Counts { done: 2, failed: 1, ..Counts::default() };
        assert_eq!((yard.0, yard.1, yard.3), (Some((2, newer)), counts, 2));
        add(samples::done("yard", 1));
        assert_eq!(add(samples::done("yard", 2)).0, None, "what is not held is not shown");
        ring.push(Arc::new(Finished::new(&samples::done("yard", 3), None)), now);
        assert_eq!((ring.cameras(9).0.len(), ring.cameras(9).1), (1, 1));
        assert!(ring.shown(&camera("nowhere")).is_none());
    }

    #[test]
    fn a_filter_passes_over_other_cameras() {
        let mut ring = Ring::new(Bounds { count: 10, bytes: usize::MAX, age: HOUR });
        for camera in ["gate", "yard", "gate", "yard"] {
            push(&mut ring, camera, Timestamp::now());
        }
        let slice = ring.read(0, Some(&"yard".parse().unwrap()), 100);
        assert_eq!((slice.results.len(), slice.next), (2, 4));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_frame_is_shown_once_under_any_order_of_duplicates(order in prop::collection::vec(0usize..40, 1..300), count in 10usize..50) {
            let frames: Vec<_> = (0..40).map(|n| samples::done("gate", n)).collect();
            let store = Store::new(Bounds { count, bytes: usize::MAX, age: HOUR });
            let (mut shown, mut position) = (Vec::new(), 0);
            for (step, index) in order.iter().enumerate() {
                let first_time = !order[..step].contains(index);
                let outcome = store.finish(Finished::new(&frames[*index], None), Timestamp::now());
                prop_assert_eq!(outcome != Stored::Duplicate, first_time);
                prop_assert!(store.len() <= count);
                let slice = store.read(position, None, 100);
                prop_assert_eq!(slice.missed, 0);
                shown.extend(slice.results.iter().map(|result| result.sequence));
                position = slice.next;
            }
            let mut expected: Vec<u64> = Vec::new();
            for index in order {
                if !expected.contains(&(index as u64)) {
                    expected.push(index as u64);
                }
            }
            prop_assert_eq!(shown, expected);
        }
    }
}
