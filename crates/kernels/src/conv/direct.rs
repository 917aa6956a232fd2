//! Convolution as a matrix product over patches ("im2col") of a few pixels at a time.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut};
use super::product::{Groups, Panels, Product, Rows};
use super::{Convolution, Sides, on, padded, scratch};
use crate::{Isa, Team};

/// Numbers of packed patches that are worked on at once while the weights are few: they stay in
/// the second-level cache.
const FEW: usize = 1 << 16;
/// And while the weights are many, so that they are read less often.
const MANY: usize = 1 << 20;
/// Above so many bytes of weights these are many.
const MANY_WEIGHTS: usize = 1 << 18;

pub(super) fn pack(isa: Isa, sides: &Sides, kernel: &[f32]) -> Panels {
    let (channels, taps) = (padded(sides.channels), sides.taps());
    let weight = |k: usize, filter: usize| {
        let (tap, channel) = (k / channels, k % channels);
        let inside = filter < sides.filters && channel < sides.channels;
        let at = |filter: usize| (filter * sides.channels + channel) * taps + tap;
        [if inside { kernel[at(filter)] } else { 0.0 }]
    };
    Panels::pack(isa, (channels * taps, padded(sides.filters)), weight)
}

pub(super) fn run(
    layer: &Convolution,
    panels: &Panels,
    team: &Team,
    from: &[f32],
    addend: Option<&[f32]>,
    to: &mut [f32],
) {
    let Some(weights) = panels.products().next() else { return };
    let columns = weights.columns;
    let pixels = to.len() / columns;
    let wanted = if panels.bytes() > MANY_WEIGHTS { MANY } else { FEW };
    // as much for each thread
    let most = (wanted / weights.depth).max(BLOCK).min(pixels.div_ceil(team.threads()));
    let chunks = to.chunks_mut(most * columns).enumerate().collect();
    team.each(chunks, |(index, to): (usize, &mut [f32])| {
        let rows = to.len() / columns;
        let groups = Groups::of(layer.isa, rows);
        scratch::with(rows * weights.depth, |packed| {
            let patches =
                Patches { sides: &layer.sides, from, first: index * most, groups, to: packed };
            on(layer.isa, patches);
            let product = Product {
                groups,
                rows: Rows { packed, of: 1, index: 0 },
                weights,
                epilogue: Some(&layer.epilogue),
                addend: addend.map(|all| &all[index * most * columns..]),
                to,
            };
            product.compute(layer.isa);
        });
    });
}

/// Gathers what a few output pixels read.
struct Patches<'a> {
    sides: &'a Sides,
    from: &'a [f32],
    /// The first output pixel, counted through all images.
    first: usize,
    groups: Groups,
    to: &'a mut [f32],
}

impl Work for Patches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        if self.sides.reads_each_pixel_once() {
            self.same_pixels::<L>(token);
        } else {
            self.windows::<L>(token);
        }
    }
}

impl Patches<'_> {
    /// Each output pixel reads the input pixel at its place.
    #[inline(always)]
    fn same_pixels<L: Lanes>(self, token: L::Token) {
        let channels = padded(self.sides.channels);
        let mut from = self.from[self.first * channels..].chunks_exact(channels);
        for group in 0..self.groups.count() {
            let (start, size) = (self.groups.start(group), self.groups.size(group));
            let to = &mut self.to[start * channels..][..size * channels];
            for (row, pixel) in from.by_ref().take(size).enumerate() {
                for (place, values) in pixel.as_chunks::<BLOCK>().0.iter().enumerate() {
                    let to = &mut to[(place * size + row) * BLOCK..];
                    L::load(token, values).store(block_mut(to));
                }
            }
        }
    }

    #[inline(always)]
    fn windows<L: Lanes>(self, token: L::Token) {
        let sides = self.sides;
        let (height, width) = sides.output();
        let channels = padded(sides.channels);
        let depth = channels * sides.taps();
        let (mut image, inside) = (self.first / (height * width), self.first % (height * width));
        let (mut row_of_image, mut column) = (inside / width, inside % width);
        for group in 0..self.groups.count() {
            let (start, size) = (self.groups.start(group), self.groups.size(group));
            let to = &mut self.to[start * depth..][..size * depth];
            for row in 0..size {
                let (top, left) = (row_of_image * sides.strides.0, column * sides.strides.1);
                let mut to = &mut to[row * BLOCK..];
                for ky in 0..sides.kernel.0 {
                    // at or above the height when it is above the image, too
                    let y = (top + ky * sides.dilations.0).wrapping_sub(sides.before.0);
                    for kx in 0..sides.kernel.1 {
                        let x = (left + kx * sides.dilations.1).wrapping_sub(sides.before.1);
                        let source = (y < sides.height && x < sides.width).then(|| {
                            let at = (image * sides.height + y) * sides.width + x;
                            &self.from[at * channels..][..channels]
                        });
                        for place in 0..channels / BLOCK {
                            let values = match source {
                                Some(source) => L::load(token, block(&source[place * BLOCK..])),
                                None => L::splat(token, 0.0),
                            };
                            values.store(block_mut(to));
                            to = to.get_mut(size * BLOCK..).unwrap_or_default();
                        }
                    }
                }
                column += 1;
                if column == width {
                    (column, row_of_image) = (0, row_of_image + 1);
                }
                if row_of_image == height {
                    (row_of_image, image) = (0, image + 1);
                }
            }
        }
    }
}
