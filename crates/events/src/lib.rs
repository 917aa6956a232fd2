//! Events: the same class seen again by a camera, no longer than a gap after the last time, is one
//! event.
//!
//! Sightings go in from the newest to the oldest, as a database gives them; events come out as soon
//! as nothing older can belong to them. Pure: no clock, no I/O, and no more state than one open
//! event for each camera and class.

use frame::FrameId;
use serde::Serialize;
use std::collections::BTreeMap;

/// A class in a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Sighting {
    /// In which frame.
    pub frame_id: FrameId,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// By which camera.
    pub camera: String,
    /// The class, by name.
    pub class: String,
    /// How many of them.
    pub detections: u64,
    /// The surest one's confidence, 0 to 1.
    pub confidence: f32,
}

/// A class that a camera saw, again and again.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Event {
    /// The camera.
    pub camera: String,
    /// The class, by name.
    pub class: String,
    /// When it was first seen, in milliseconds since the epoch.
    pub start_ms: u64,
    /// When it was last seen, in milliseconds since the epoch.
    pub end_ms: u64,
    /// In how many frames.
    pub frames: u64,
    /// How many were seen at once, at most.
    pub most: u64,
    /// The first frame.
    pub first_frame: FrameId,
    /// The frame in which it was seen surest; of equals the first.
    pub best_frame: FrameId,
    /// How sure that was, 0 to 1.
    pub best_confidence: f32,
}

impl Event {
    fn of(seen: Sighting) -> Self {
        Self {
            camera: seen.camera,
            class: seen.class,
            start_ms: seen.at_ms,
            end_ms: seen.at_ms,
            frames: 1,
            most: seen.detections,
            first_frame: seen.frame_id,
            best_frame: seen.frame_id,
            best_confidence: seen.confidence,
        }
    }

    /// Something that was seen before.
    fn began_with(&mut self, seen: &Sighting) {
        self.start_ms = self.start_ms.min(seen.at_ms);
        self.first_frame = seen.frame_id;
        self.frames += 1;
        self.most = self.most.max(seen.detections);
        if seen.confidence >= self.best_confidence {
            (self.best_frame, self.best_confidence) = (seen.frame_id, seen.confidence);
        }
    }
}

/// Makes events of sightings.
#[derive(Debug)]
pub struct Events {
    gap_ms: u64,
    open: BTreeMap<(String, String), Event>,
}

impl Events {
    /// Events that are further apart than `gap_ms` milliseconds.
    #[must_use]
    pub const fn apart(gap_ms: u64) -> Self {
        Self { gap_ms, open: BTreeMap::new() }
    }

    /// Takes a sighting, not younger than any before; gives the event that it ended, if it did.
    pub fn take(&mut self, seen: Sighting) -> Option<Event> {
        let key = (seen.camera.clone(), seen.class.clone());
        match self.open.get_mut(&key) {
            Some(event) if event.start_ms.saturating_sub(seen.at_ms) <= self.gap_ms => {
                event.began_with(&seen);
                None
            }
            _ => self.open.insert(key, Event::of(seen)),
        }
    }

    /// The events that something older may still belong to.
    pub fn open(&self) -> impl Iterator<Item = &Event> {
        self.open.values()
    }

    /// The events that are open, the one that ended last first: there are no more sightings.
    #[must_use]
    pub fn end(self) -> Vec<Event> {
        let mut events: Vec<_> = self.open.into_values().collect();
        events.sort_by_key(|event| std::cmp::Reverse(event.end_ms));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(at_ms: u64, camera: &str, class: &str, confidence: f32) -> Sighting {
        Sighting {
            frame_id: FrameId::from_then_on(at_ms),
            at_ms,
            camera: camera.into(),
            class: class.into(),
            detections: 1 + at_ms % 3,
            confidence,
        }
    }

    fn all(gap_ms: u64, mut sightings: Vec<Sighting>) -> Vec<Event> {
        sightings.sort_by_key(|seen| std::cmp::Reverse(seen.at_ms));
        let mut events = Events::apart(gap_ms);
        let mut ended: Vec<_> =
            sightings.into_iter().filter_map(|seen| events.take(seen)).collect();
        ended.extend(events.end());
        ended
    }

    #[test]
    fn what_is_seen_again_in_time_is_one_event() {
        let events = all(
            1_000,
            vec![
                seen(9_000, "gate", "dog", 0.5),
                seen(8_000, "gate", "dog", 0.9),
                seen(8_000, "yard", "dog", 0.8),
                seen(7_500, "gate", "cup", 0.4),
                seen(6_999, "gate", "dog", 0.7),
            ],
        );
        let told: Vec<_> = events
            .iter()
            .map(|e| (&*e.camera, &*e.class, e.start_ms, e.end_ms, e.frames, e.best_confidence))
            .collect();
        assert_eq!(
            told,
            [
                ("gate", "dog", 8_000, 9_000, 2, 0.9),
                ("yard", "dog", 8_000, 8_000, 1, 0.8),
                ("gate", "cup", 7_500, 7_500, 1, 0.4),
                ("gate", "dog", 6_999, 6_999, 1, 0.7),
            ]
        );
        assert_eq!(events[0].best_frame, FrameId::from_then_on(8_000));
        assert_eq!(events[0].first_frame, FrameId::from_then_on(8_000));
        assert_eq!(events[3].first_frame, FrameId::from_then_on(6_999));
    }

    proptest! {
        #[test]
        fn no_sighting_is_lost_and_events_are_apart(
            times in prop::collection::vec((0u64..5_000, 0usize..2, 0usize..2), 0..60),
            gap_ms in 0u64..400,
        ) {
            let names = ["a", "b"];
            let sightings: Vec<_> = times
                .iter()
                .map(|(at, camera, class)| seen(*at, names[*camera], names[*class], 0.5))
                .collect();
            let count = sightings.len() as u64;
            let events = all(gap_ms, sightings.clone());
            prop_assert_eq!(events.iter().map(|event| event.frames).sum::<u64>(), count);
            for event in &events {
                for other in &events {
                    let same = event.camera == other.camera && event.class == other.class;
                    if same && event != other {
                        prop_assert!(
                            event.start_ms > other.end_ms + gap_ms
                                || other.start_ms > event.end_ms + gap_ms
                        );
                    }
                }
                // within it nothing is further apart
                let mut within: Vec<u64> = sightings
                    .iter()
                    .filter(|seen| seen.camera == event.camera && seen.class == event.class)
                    .map(|seen| seen.at_ms)
                    .filter(|at| (event.start_ms..=event.end_ms).contains(at))
                    .collect();
                within.sort_unstable();
                prop_assert!(within.windows(2).all(|pair| pair[1] - pair[0] <= gap_ms));
            }
        }
    }
}
