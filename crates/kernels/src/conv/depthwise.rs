//! Each channel by itself.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut, unrolled};
use super::{Convolution, Sides, on, padded};
use crate::Team;

/// Pixels of a row that are summed up at once.
const PIXELS: usize = 8;

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
            // where whole windows are within the image
            let inside = row.inside(width);
            let mut x = 0;
            while x < width {
                // the last of those inside go over some pixels a second time
                let many = inside.contains(&x) && inside.len() >= PIXELS;
                let first = if many { x.min(inside.end - PIXELS) } else { x };
                let to = &mut to[first * channels..];
                for at in (0..channels).step_by(BLOCK) {
                    let apply = self.layer.epilogue.at::<L>(token, at);
                    if many {
                        row.pixels::<L, PIXELS, true>(token, first, at, apply, &mut to[at..]);
                    } else {
                        row.pixels::<L, 1, false>(token, first, at, apply, &mut to[at..]);
                    }
                }
                x = if many { first + PIXELS } else { x + 1 };
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
    /// The columns of the output whose windows reach beyond neither side of the image.
    fn inside(&self, width: usize) -> std::ops::Range<usize> {
        let sides = self.sides;
        let reach = (sides.kernel.1 - 1) * sides.dilations.1;
        let first = sides.before.1.div_ceil(sides.strides.1);
        let beyond = (sides.width + sides.before.1).saturating_sub(reach);
        first..beyond.div_ceil(sides.strides.1).min(width)
    }

    /// One block of channels of `M` neighbours; `INSIDE` when their windows are.
    #[inline(always)]
    fn pixels<L: Lanes, const M: usize, const INSIDE: bool>(
        &self,
        token: L::Token,
        x: usize,
        at: usize,
        apply: impl Fn(L) -> L,
        to: &mut [f32],
    ) {
        let sides = self.sides;
        let channels = padded(sides.channels);
        let step = sides.strides.1 * channels;
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
                let column =
                    (x * sides.strides.1 + kx * sides.dilations.1).wrapping_sub(sides.before.1);
                if !INSIDE && column >= sides.width {
                    continue;
                }
                let weights = L::load(token, block(&self.weights[tap * channels + at..]));
                let values = &line[column * channels + at..][..(M - 1) * step + BLOCK];
                unrolled!(m < M, {
                    let value = L::load(token, block(&values[m * step..]));
                    sums[m] = value.mul_add(weights, sums[m]);
                });
            }
        }
        let to = &mut to[..(M - 1) * channels + BLOCK];
        unrolled!(m < M, {
            apply(sums[m]).store(block_mut(&mut to[m * channels..]));
        });
    }
}
