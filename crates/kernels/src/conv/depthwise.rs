//! Each channel by itself.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut, unrolled};
use super::{Convolution, Sides, on, padded};
use crate::Team;

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
    let kept = layer.sides.height;
    let chunks = to.chunks_mut(most * row_length).enumerate().collect();
    team.each(chunks, |(index, to): (usize, &mut [f32])| {
        on(layer.isa, Strip { layer, weights, from, kept, first: index * most, to });
    });
}

/// Some rows of the output, from the given one on, of an image of which the last `kept` rows are in
/// `from`, each row `y` at the place `y % kept`.
pub(super) fn some_rows(
    layer: &Convolution,
    weights: &[f32],
    (from, kept): (&[f32], usize),
    first: usize,
    to: &mut [f32],
) {
    on(layer.isa, Strip { layer, weights, from, kept, first, to });
}

/// Some rows of the output.
struct Strip<'a> {
    layer: &'a Convolution,
    weights: &'a [f32],
    from: &'a [f32],
    /// Rows of an image that there are at a time.
    kept: usize,
    /// The first row, counted through all images.
    first: usize,
    to: &'a mut [f32],
}

impl Work for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        let sides = &self.layer.sides;
        let many = L::NEIGHBOURS >= 8;
        // the usual windows are known to the compiler: neighbours, inputs, kernel, step; only what
        // the instruction set has is compiled
        match (sides.kernel, sides.strides, sides.dilations) {
            ((3, 3), (_, 1), (_, 1)) if many => self.rows::<L, 8, 10, 3, 1>(token),
            ((3, 3), (_, 1), (_, 1)) => self.rows::<L, 4, 6, 3, 1>(token),
            ((3, 3), (_, 2), (_, 1)) if many => self.rows::<L, 6, 13, 3, 2>(token),
            ((3, 3), (_, 2), (_, 1)) => self.rows::<L, 4, 9, 3, 2>(token),
            ((5, 5), (_, 1), (_, 1)) if many => self.rows::<L, 8, 12, 5, 1>(token),
            ((5, 5), (_, 1), (_, 1)) => self.rows::<L, 4, 8, 5, 1>(token),
            _ => self.rows::<L, 1, 1, 1, 1>(token),
        }
    }
}

impl Strip<'_> {
    /// `M` neighbours at a time where the `N` inputs of a row that they read are in the image; `M`
    /// of 1 is for windows of any kind.
    #[inline(always)]
    fn rows<L: Lanes, const M: usize, const N: usize, const K: usize, const S: usize>(
        self,
        token: L::Token,
    ) {
        let (height, width) = self.layer.sides.output();
        let channels = padded(self.layer.sides.channels);
        for (index, to) in self.to.chunks_exact_mut(width * channels).enumerate() {
            let row = self.first + index;
            let row = Row {
                sides: &self.layer.sides,
                weights: self.weights,
                from: self.from,
                kept: self.kept,
                image: row / height,
                y: row % height * self.layer.sides.strides.0,
            };
            let lines = std::array::from_fn(|ky| row.line(ky).unwrap_or_default());
            // where whole windows are within the image
            let inside = row.inside(width);
            let mut x = 0;
            while x < width {
                // the last of those inside go over some pixels a second time
                let many = M > 1 && inside.contains(&x) && inside.len() >= M;
                let first = if many { x.min(inside.end - M) } else { x };
                let to = &mut to[first * channels..];
                for at in (0..channels).step_by(BLOCK) {
                    let apply = self.layer.epilogue.at::<L>(token, at);
                    if many {
                        row.neighbours::<L, M, N, K, S>(token, &lines, first, at, apply, to);
                    } else {
                        row.pixel::<L>(token, first, at, apply, &mut to[at..]);
                    }
                }
                x = if many { first + M } else { x + 1 };
            }
        }
    }
}

/// A row of the output.
struct Row<'a> {
    sides: &'a Sides,
    weights: &'a [f32],
    from: &'a [f32],
    kept: usize,
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

    /// The input line under a row of the kernel; `None` above and below the image.
    #[inline(always)]
    fn line(&self, ky: usize) -> Option<&[f32]> {
        let sides = self.sides;
        let length = sides.width * padded(sides.channels);
        // at or above the height when it is above the image, too
        let y = (self.y + ky * sides.dilations.0).wrapping_sub(sides.before.0);
        let start = (self.image * sides.height + y % self.kept) * length;
        if y < sides.height { self.from.get(start..start + length) } else { None }
    }

    /// One block of channels of a pixel.
    #[inline(always)]
    fn pixel<L: Lanes>(
        &self,
        token: L::Token,
        x: usize,
        at: usize,
        apply: impl Fn(L) -> L,
        to: &mut [f32],
    ) {
        let sides = self.sides;
        let channels = padded(sides.channels);
        let mut sum = L::splat(token, 0.0);
        for ky in 0..sides.kernel.0 {
            let Some(line) = self.line(ky) else { continue };
            for kx in 0..sides.kernel.1 {
                let column =
                    (x * sides.strides.1 + kx * sides.dilations.1).wrapping_sub(sides.before.1);
                if column < sides.width {
                    let tap = ky * sides.kernel.1 + kx;
                    let weights = L::load(token, block(&self.weights[tap * channels + at..]));
                    let value = L::load(token, block(&line[column * channels + at..]));
                    sum = value.mul_add(weights, sum);
                }
            }
        }
        apply(sum).store(block_mut(to));
    }

    /// One block of channels of `M` neighbours, whose windows of `K` by `K` read `N` inputs of a
    /// row by steps of `S`: each is loaded once for all that read it.
    #[inline(always)]
    fn neighbours<L: Lanes, const M: usize, const N: usize, const K: usize, const S: usize>(
        &self,
        token: L::Token,
        lines: &[&[f32]; K],
        x: usize,
        at: usize,
        apply: impl Fn(L) -> L,
        to: &mut [f32],
    ) {
        let channels = padded(self.sides.channels);
        let column = x * S - self.sides.before.1;
        let mut sums = [L::splat(token, 0.0); M];
        for (ky, line) in lines.iter().enumerate() {
            // above or below the image
            if line.is_empty() {
                continue;
            }
            let mut weights = [L::splat(token, 0.0); K];
            unrolled!(kx < K, {
                let tap = ky * K + kx;
                weights[kx] = L::load(token, block(&self.weights[tap * channels + at..]));
            });
            let values = &line[column * channels + at..][..(N - 1) * channels + BLOCK];
            unrolled!(n < N, {
                let value = L::load(token, block(&values[n * channels..]));
                unrolled!(kx < K, {
                    if n >= kx && (n - kx) % S == 0 && (n - kx) / S < M {
                        sums[(n - kx) / S] = value.mul_add(weights[kx], sums[(n - kx) / S]);
                    }
                });
            });
        }
        let to = &mut to[at..][..(M - 1) * channels + BLOCK];
        unrolled!(m < M, {
            apply(sums[m]).store(block_mut(&mut to[m * channels..]));
        });
    }
}
