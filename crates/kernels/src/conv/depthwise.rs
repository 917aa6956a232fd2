//! Each channel by itself.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut};
use super::{Convolution, Sides, on, padded};
use crate::Team;

/// Pixels of a row that are summed up at once.
const PIXELS: usize = 6;

/// `[tap][padded channels]`.
pub(super) fn pack(sides: &Sides, kernel: &[f32]) -> Vec<f32> {
    assert!(sides.depthwise && sides.filters == sides.channels, "a filter for each channel");
    let taps = sides.taps();
    let mut values = Vec::with_capacity(padded(sides.filters) * taps);
    for tap in 0..taps {
        let weight = |filter: usize| {
            if filter < sides.filters { kernel[filter * taps + tap] } else { 0.0 }
        };
        values.extend((0..padded(sides.filters)).map(weight));
    }
    values
}

pub(super) fn run(layer: &Convolution, weights: &[f32], team: &Team, from: &[f32], to: &mut [f32]) {
    let (_, width) = layer.sides.output();
    let row_length = width * padded(layer.sides.filters);
    let rows = to.len() / row_length;
    let most = team.share(rows);
    let chunks = to.chunks_mut(most * row_length).enumerate().collect();
    team.each(chunks, |(index, to): (usize, &mut [f32])| {
        on(layer.isa, Strip { layer, weights, from, first: index * most, to });
    });
}

/// Some rows of the output.
struct Strip<'a> {
    layer: &'a Convolution,
    weights: &'a [f32],
    from: &'a [f32],
    /// The first row, counted through all images.
    first: usize,
    to: &'a mut [f32],
}

impl Work for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        let (height, width) = self.layer.sides.output();
        let channels = padded(self.layer.sides.channels);
        for (index, to) in self.to.chunks_exact_mut(width * channels).enumerate() {
            let row = self.first + index;
            let row = Row {
                sides: &self.layer.sides,
                weights: self.weights,
                from: self.from,
                image: row / height,
                y: row % height * self.layer.sides.strides.0,
            };
            for at in (0..channels).step_by(BLOCK) {
                let apply = self.layer.epilogue.at::<L>(token, at);
                let mut x = 0;
                while x < width {
                    let to = &mut to[x * channels + at..];
                    if width - x >= PIXELS {
                        row.pixels::<L, PIXELS>(token, x, at, apply, to);
                        x += PIXELS;
                    } else {
                        row.pixels::<L, 1>(token, x, at, apply, to);
                        x += 1;
                    }
                }
            }
        }
    }
}

/// A row of the output.
struct Row<'a> {
    sides: &'a Sides,
    weights: &'a [f32],
    from: &'a [f32],
    image: usize,
    /// The input row under the kernel's first, before the zeros are taken off.
    y: usize,
}

impl Row<'_> {
    /// One block of channels of `M` neighbours.
    #[inline(always)]
    fn pixels<L: Lanes, const M: usize>(
        &self,
        token: L::Token,
        x: usize,
        at: usize,
        apply: impl Fn(L) -> L,
        to: &mut [f32],
    ) {
        let sides = self.sides;
        let channels = padded(sides.channels);
        let mut sums = [L::splat(token, 0.0); M];
        for ky in 0..sides.kernel.0 {
            // at or above the height when it is above the image, too
            let y = (self.y + ky * sides.dilations.0).wrapping_sub(sides.before.0);
            if y >= sides.height {
                continue;
            }
            let line = (self.image * sides.height + y) * sides.width;
            let line = &self.from[line * channels..][..sides.width * channels];
            for kx in 0..sides.kernel.1 {
                let tap = ky * sides.kernel.1 + kx;
                let weights = L::load(token, block(&self.weights[tap * channels + at..]));
                for (m, sum) in sums.iter_mut().enumerate() {
                    let x = ((x + m) * sides.strides.1 + kx * sides.dilations.1)
                        .wrapping_sub(sides.before.1);
                    if x < sides.width {
                        let value = L::load(token, block(&line[x * channels + at..]));
                        *sum = value.mul_add(weights, *sum);
                    }
                }
            }
        }
        for (m, sum) in sums.into_iter().enumerate() {
            apply(sum).store(block_mut(&mut to[m * channels..]));
        }
    }
}
