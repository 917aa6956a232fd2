//! Which frames deserve a picture: those in which a class begins to be seen by a camera, and those
//! in which it is seen surer than before in the same event.
//!
//! An event is what `/history/events` calls one when nothing else is asked for: nothing of it is
//! further apart than half a minute. Pure: a result goes in, its highlights come out.

use frame::{CameraId, FrameResult};
use std::collections::HashMap;

/// A class that is not seen for longer begins a new event.
const GAP_MS: u64 = 30_000;
/// How many events are known at most; with more of them those that have ended are forgotten.
const MAX_EVENTS: usize = 10_000;

/// Why a frame deserves a picture.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Highlight {
    pub(crate) camera: CameraId,
    pub(crate) class: String,
    /// When its event began, in milliseconds since the epoch.
    pub(crate) began_ms: u64,
    /// Whether it is the event's first frame; otherwise it is the surest one so far.
    pub(crate) is_first: bool,
}

/// The events that may go on.
#[derive(Debug, Default)]
pub(crate) struct Highlights(HashMap<(CameraId, String), Event>);

#[derive(Clone, Copy, Debug)]
struct Event {
    began_ms: u64,
    last_ms: u64,
    best: f32,
}

impl Highlights {
    /// What a frame is a highlight of. Results come about in the order of their frames.
    pub(crate) fn take(&mut self, result: &FrameResult) -> Vec<Highlight> {
        let Some(at_ms) = result.frame_id.made_at_ms() else { return Vec::new() };
        let mut surest: HashMap<&str, f32> = HashMap::new();
        for found in &result.detections {
            let held = surest.entry(&found.class).or_insert(f32::NEG_INFINITY);
            *held = held.max(found.confidence);
        }
        let mut highlights = Vec::new();
        for (class, confidence) in surest {
            let key = (result.camera.clone(), class.to_owned());
            let began = Event { began_ms: at_ms, last_ms: at_ms, best: confidence };
            let event = match self.0.get_mut(&key) {
                Some(event)
                    if at_ms + GAP_MS >= event.began_ms && at_ms <= event.last_ms + GAP_MS =>
                {
                    event.last_ms = event.last_ms.max(at_ms);
                    if confidence <= event.best {
                        continue;
                    }
                    event.best = confidence;
                    *event
                }
                // one of an event that is over: what goes on now stays
                Some(event) if at_ms < event.began_ms => continue,
                _ => {
                    self.make_room(at_ms);
                    self.0.insert(key, began);
                    began
                }
            };
            highlights.push(Highlight {
                camera: result.camera.clone(),
                class: class.to_owned(),
                began_ms: event.began_ms,
                is_first: event.began_ms == at_ms && event.last_ms == at_ms,
            });
        }
        highlights
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.0.len() < MAX_EVENTS {
            return;
        }
        self.0.retain(|_, event| event.last_ms + GAP_MS >= now_ms);
        if self.0.len() >= MAX_EVENTS {
            // those that are seen again get one picture more
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::seen;

    #[test]
    fn the_first_frame_and_each_surer_one_are_highlights() {
        let mut highlights = Highlights::default();
        for (at_ms, camera, confidences, is_first) in [
            (1_000, "gate", &[0.4, 0.5][..], Some(true)),
            // no surer
            (2_000, "gate", &[0.5], None),
            (3_000, "gate", &[0.9], Some(false)),
            // another camera
            (3_000, "yard", &[0.2], Some(true)),
            (3_500, "gate", &[0.8], None),
            // the gap is not over
            (33_500, "gate", &[0.8], None),
            // another event
            (63_501, "gate", &[0.1], Some(true)),
            (64_000, "gate", &[], None),
            // late, of an event before: the one that goes on stays
            (20_000, "gate", &[0.9], None),
            (65_000, "gate", &[0.05], None),
        ] {
            let found: Vec<_> = confidences.iter().map(|sure| ("dog", *sure)).collect();
            let told = highlights.take(&seen(at_ms, camera, &found));
            let first: Vec<bool> = told.iter().map(|highlight| highlight.is_first).collect();
            assert_eq!(first, Vec::from_iter(is_first), "{camera} at {at_ms}");
        }
    }

    #[test]
    fn what_is_known_has_a_bound() {
        let mut highlights = Highlights::default();
        for n in 0..MAX_EVENTS as u64 + 5 {
            highlights.take(&seen(n, "gate", &[(&format!("class {n}"), 0.5)]));
        }
        assert!(highlights.0.len() <= MAX_EVENTS);
        // events that have ended go first
        let mut highlights = Highlights::default();
        for n in 0..MAX_EVENTS as u64 {
            highlights.take(&seen(n * 10, "gate", &[(&format!("class {n}"), 0.5)]));
        }
        highlights.take(&seen(GAP_MS + 50_000, "gate", &[("dog", 0.5)]));
        assert!((1..MAX_EVENTS).contains(&highlights.0.len()), "{}", highlights.0.len());
    }
}
