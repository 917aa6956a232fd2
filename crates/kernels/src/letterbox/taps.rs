//! Between which neighbours an output pixel lies.

use super::CHANNELS;

/// The two neighbours on one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub(super) first: usize,
    /// How much of the second goes in, 0 to 1.
    pub(super) second_share: f32,
}

/// The neighbours of all columns, each kind of number for itself, so that vectors of them can be
/// loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// Where the values of the first neighbour start in a row.
    pub(super) starts: Vec<usize>,
    pub(super) second_shares: Vec<f32>,
}

impl Columns {
    pub(super) fn of(taps: &[Tap]) -> Self {
        Self {
            starts: taps.iter().map(|tap| tap.first * CHANNELS).collect(),
            second_shares: taps.iter().map(|tap| tap.second_share).collect(),
        }
    }
}

/// Darknet's `resize_image`: corners stay corners, so the scale is `(from - 1) / (to - 1)`, in
/// single precision.
pub(super) fn between(from: usize, to: usize) -> Vec<Tap> {
    let scale = if to > 1 { (from - 1) as f32 / (to - 1) as f32 } else { 0.0 };
    let tap = |index: usize| {
        if index + 1 == to || from == 1 {
            return Tap { first: from - 1, second_share: 0.0 };
        }
        let position = index as f32 * scale;
        let first = (position as usize).min(from - 1);
        Tap { first, second_share: position - first as f32 }
    };
    (0..to).map(tap).collect()
}
