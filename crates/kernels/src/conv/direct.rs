//! Convolution as a matrix product over patches ("im2col") of a few pixels at a time.

use super::lanes::{BLOCK, Lanes, Work, block, block_mut};
use super::product::{Groups, Panels, Product, Rows};
use super::{Convolution, Numbers, Sides, on_numbers, padded, scratch};
use crate::{Isa, Team};

/// Numbers of packed patches that are worked on at once while the weights are few: they stay in
/// the second-level cache.
const FEW: usize = 1 << 16;
/// And while the weights are many, so that they are read less often.
const MANY: usize = 1 << 20;
/// Above so many bytes of weights these are many.
const MANY_WEIGHTS: usize = 1 << 18;

pub(super) fn pack(isa: Isa, numbers: Numbers, sides: &Sides, kernel: &[f32]) -> Panels {
    let (channels, taps) = (padded(sides.channels), sides.taps());
    let weight = |k: usize, filter: usize| {
        let (tap, channel) = (k / channels, k % channels);
        let inside = filter < sides.filters && channel < sides.channels;
        let at = |filter: usize| (filter * sides.channels + channel) * taps + tap;
        [if inside { kernel[at(filter)] } else { 0.0 }]
    };
    Panels::pack(isa, numbers, (channels * taps, padded(sides.filters)), weight)
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
        let numbers = layer.method.numbers();
        let groups = Groups::of(layer.isa, numbers, rows);
        scratch::with(rows * weights.depth, |packed| {
            let patches =
                Patches { sides: &layer.sides, from, first: index * most, groups, to: packed };
            match numbers {
                Numbers::Float32 => on_numbers(layer.isa, numbers, Of::<false>(patches)),
                Numbers::Bfloat16 => on_numbers(layer.isa, numbers, Of::<true>(patches)),
            }
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

/// Patches of numbers, or of pairs.
struct Of<'a, const PAIRS: bool>(Patches<'a>);

impl<const PAIRS: bool> Work for Of<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        if self.0.sides.reads_each_pixel_once() {
            self.0.same_pixels::<L, PAIRS>(token);
        } else {
            self.0.windows::<L, PAIRS>(token);
        }
    }
}

/// Where the blocks of one row go.
struct Row<'a, L> {
    to: &'a mut [f32],
    /// Numbers from one block of the row to the next.
    step: usize,
    /// The first of two blocks that become pairs.
    low: Option<L>,
}

impl<L: Lanes> Row<'_, L> {
    /// The next block of the row.
    #[inline(always)]
    fn push<const PAIRS: bool>(&mut self, token: L::Token, values: L) {
        if !PAIRS {
            self.store(values);
        } else if let Some(low) = self.low.take() {
            self.store(L::pair(token, low, values));
        } else {
            self.low = Some(values);
        }
    }

    /// A block that has no other one becomes pairs with zeros.
    #[inline(always)]
    fn end(mut self, token: L::Token) {
        if let Some(low) = self.low.take() {
            self.store(L::pair(token, low, L::splat(token, 0.0)));
        }
    }

    #[inline(always)]
    fn store(&mut self, values: L) {
        values.store(block_mut(self.to));
        let to = std::mem::take(&mut self.to);
        self.to = to.get_mut(self.step..).unwrap_or_default();
    }
}

impl Patches<'_> {
    /// Each output pixel reads the input pixel at its place.
    #[inline(always)]
    fn same_pixels<L: Lanes, const PAIRS: bool>(self, token: L::Token) {
        let channels = padded(self.sides.channels);
        let depth = numbers::<PAIRS>().room(channels);
        let mut from = self.from[self.first * channels..].chunks_exact(channels);
        for group in 0..self.groups.count() {
            let (start, size) = (self.groups.start(group), self.groups.size(group));
            let to = &mut self.to[start * depth..][..size * depth];
            for (row, pixel) in from.by_ref().take(size).enumerate() {
                let to = &mut to[row * BLOCK..];
                let mut row = Row { to, step: size * BLOCK, low: None };
                for values in pixel.as_chunks::<BLOCK>().0 {
                    row.push::<PAIRS>(token, L::load(token, values));
                }
                row.end(token);
            }
        }
    }

    #[inline(always)]
    fn windows<L: Lanes, const PAIRS: bool>(self, token: L::Token) {
        let sides = self.sides;
        let (height, width) = sides.output();
        let channels = padded(sides.channels);
        let depth = numbers::<PAIRS>().room(channels * sides.taps());
        let (mut image, inside) = (self.first / (height * width), self.first % (height * width));
        let (mut row_of_image, mut column) = (inside / width, inside % width);
        for group in 0..self.groups.count() {
            let (start, size) = (self.groups.start(group), self.groups.size(group));
            let to = &mut self.to[start * depth..][..size * depth];
            for row in 0..size {
                let (top, left) = (row_of_image * sides.strides.0, column * sides.strides.1);
                let to = &mut to[row * BLOCK..];
                let mut row = Row { to, step: size * BLOCK, low: None };
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
                            row.push::<PAIRS>(token, values);
                        }
                    }
                }
                row.end(token);
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

const fn numbers<const PAIRS: bool>() -> Numbers {
    if PAIRS { Numbers::Bfloat16 } else { Numbers::Float32 }
}
