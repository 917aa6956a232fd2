//! A network's first layer: a kernel of 3 × 3 over few channels that come as planes.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut, unrolled};
use super::{Convolution, Sides, on, padded, scratch};
use crate::Team;

const KERNEL: usize = 3;
/// More channels are better off as vectors.
const CHANNELS: usize = 4;

pub(super) fn takes(sides: &Sides) -> bool {
    sides.kernel == (KERNEL, KERNEL)
        && (1..=CHANNELS).contains(&sides.channels)
        && sides.dilations == (1, 1)
        && matches!(sides.strides, (1, 1) | (2, 2))
        && !sides.depthwise
}

/// `[filter / 16][channel][kernel row][kernel column][16]`.
pub(super) fn pack(sides: &Sides, kernel: &[f32]) -> Vec<f32> {
    assert!(takes(sides), "few planes and a plain kernel of 3 × 3");
    let taps = sides.channels * KERNEL * KERNEL;
    let mut values = Vec::with_capacity(padded(sides.filters) * taps);
    for first in (0..padded(sides.filters)).step_by(BLOCK) {
        for tap in 0..taps {
            let weight = |filter| {
                if filter < sides.filters { kernel[filter * taps + tap] } else { 0.0 }
            };
            values.extend((first..first + BLOCK).map(weight));
        }
    }
    values
}

pub(super) fn run(layer: &Convolution, weights: &[f32], team: &Team, from: &[f32], to: &mut [f32]) {
    let sides = &layer.sides;
    let (_, width) = layer.output();
    let filters = padded(sides.filters);
    let rows = to.len() / (width * filters);
    let most = team.share(rows);
    let chunks = to.chunks_mut(most * width * filters).enumerate().collect();
    team.each(chunks, |(index, to): (usize, &mut [f32])| {
        let (outputs, padded_width) =
            (sides.output().1 * filters, sides.width + sides.before.1 + sides.after.1);
        let lines = sides.channels * KERNEL * padded_width;
        scratch::with(lines + 2 * outputs, |scratch| {
            let (lines, outputs) = scratch.split_at_mut(lines);
            lines.fill(0.0);
            on(layer.isa, Strip { layer, weights, from, first: index * most, lines, outputs, to });
        });
    });
}

/// Some rows of the output.
struct Strip<'a> {
    layer: &'a Convolution,
    weights: &'a [f32],
    from: &'a [f32],
    /// The first row, counted through all images.
    first: usize,
    /// `[channel][kernel row]`: the lines that an output row reads, with zeros beside them.
    lines: &'a mut [f32],
    /// Two output rows that are to be pooled.
    outputs: &'a mut [f32],
    to: &'a mut [f32],
}

impl Work for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, token: L::Token) {
        let (height, width) = self.layer.output();
        let filters = padded(self.layer.sides.filters);
        let row_length = width * filters;
        for index in 0..self.to.len() / row_length {
            let row = self.first + index;
            let (image, y) = (row / height, row % height);
            if self.layer.pooled {
                let outputs = std::mem::take(&mut self.outputs);
                let (upper, lower) = outputs.split_at_mut(outputs.len() / 2);
                self.row::<L>(token, image, 2 * y, upper);
                self.row::<L>(token, image, 2 * y + 1, lower);
                let to = &mut self.to[index * row_length..][..row_length];
                pool::<L>(token, filters, upper, lower, to);
                self.outputs = outputs;
            } else {
                let all = std::mem::take(&mut self.to);
                self.row::<L>(token, image, y, &mut all[index * row_length..][..row_length]);
                self.to = all;
            }
        }
    }
}

impl Strip<'_> {
    /// An output row, before pooling.
    #[inline(always)]
    fn row<L: Lanes>(&mut self, token: L::Token, image: usize, y: usize, to: &mut [f32]) {
        let sides = &self.layer.sides;
        let padded_width = sides.width + sides.before.1 + sides.after.1;
        for (index, line) in self.lines.chunks_exact_mut(padded_width).enumerate() {
            let (channel, ky) = (index / KERNEL, index % KERNEL);
            let y = (y * sides.strides.0 + ky).wrapping_sub(sides.before.0);
            let line = &mut line[sides.before.1..][..sides.width];
            if y < sides.height {
                let at = (image * sides.channels + channel) * sides.height + y;
                line.copy_from_slice(&self.from[at * sides.width..][..sides.width]);
            } else {
                line.fill(0.0);
            }
        }
        if sides.strides.1 == 1 {
            self.convolve::<L, 1>(token, to);
        } else {
            self.convolve::<L, 2>(token, to);
        }
    }

    #[inline(always)]
    fn convolve<L: Lanes, const STRIDE: usize>(&self, token: L::Token, to: &mut [f32]) {
        let width = self.layer.sides.output().1;
        let mut x = 0;
        while x < width {
            // the last of a row go over some pixels a second time
            if L::ROWS >= 14 && width >= 14 {
                self.pixels::<L, 14, STRIDE>(token, x.min(width - 14), to);
                x += 14;
            } else if L::ROWS >= 6 && width >= 6 {
                self.pixels::<L, 6, STRIDE>(token, x.min(width - 6), to);
                x += 6;
            } else {
                self.pixels::<L, 1, STRIDE>(token, x, to);
                x += 1;
            }
        }
    }

    /// `M` neighbours.
    #[inline(always)]
    fn pixels<L: Lanes, const M: usize, const STRIDE: usize>(
        &self,
        token: L::Token,
        x: usize,
        to: &mut [f32],
    ) {
        let sides = &self.layer.sides;
        let filters = padded(sides.filters);
        let padded_width = sides.width + sides.before.1 + sides.after.1;
        let per_block = sides.channels * KERNEL * KERNEL * BLOCK;
        for (place, weights) in self.weights.chunks_exact(per_block).enumerate() {
            let mut sums = [L::splat(token, 0.0); M];
            let weights = weights.as_chunks::<BLOCK>().0.as_chunks::<KERNEL>().0;
            for (line, weights) in self.lines.chunks_exact(padded_width).zip(weights) {
                let window = &line[x * STRIDE..][..(M - 1) * STRIDE + KERNEL];
                for kx in 0..KERNEL {
                    let weights = L::load(token, &weights[kx]);
                    unrolled!(m < M, {
                        let value = L::splat(token, window[m * STRIDE + kx]);
                        sums[m] = value.mul_add(weights, sums[m]);
                    });
                }
            }
            let apply = self.layer.epilogue.at::<L>(token, place * BLOCK);
            let to = &mut to[x * filters + place * BLOCK..][..(M - 1) * filters + BLOCK];
            unrolled!(m < M, {
                apply(sums[m]).store(block_mut(&mut to[m * filters..]));
            });
        }
    }
}

/// The largest of every 2 × 2 pixels of two rows.
#[inline(always)]
fn pool<L: Lanes>(token: L::Token, filters: usize, upper: &[f32], lower: &[f32], to: &mut [f32]) {
    let pairs = upper.chunks_exact(2 * filters).zip(lower.chunks_exact(2 * filters));
    for ((upper, lower), to) in pairs.zip(to.chunks_exact_mut(filters)) {
        for at in (0..filters).step_by(BLOCK) {
            let mut largest = L::load(token, block(&upper[at..]));
            for other in [&upper[filters + at..], &lower[at..], &lower[filters + at..]] {
                largest = largest.max(L::load(token, block(other)));
            }
            largest.store(block_mut(&mut to[at..]));
        }
    }
}
