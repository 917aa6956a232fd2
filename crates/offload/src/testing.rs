//! Samples for the tests of this crate.

use crate::{FrameFacts, Terms, TierSnapshot};
use frame::ImageSize;

pub(crate) fn facts() -> FrameFacts {
    FrameFacts {
        camera: "gate".parse().unwrap(),
        sequence: 0,
        ordinal: 0,
        bytes: 30_000,
        image: ImageSize { width: 640, height: 480 },
        age_ms: 5.0,
        deadline_left_ms: Some(300.0),
        change: None,
        terms: Terms::default(),
    }
}

pub(crate) fn nth(ordinal: u64) -> FrameFacts {
    FrameFacts { ordinal, ..facts() }
}

pub(crate) fn tier(expected_ms: f64, high_ms: f64, price: f64) -> TierSnapshot {
    TierSnapshot {
        backlog_frames: Some(1),
        predicted_ms: Some(expected_ms),
        predicted_high_ms: Some(high_ms),
        last_result_ms: Some(50.0),
        price,
        ..TierSnapshot::default()
    }
}
