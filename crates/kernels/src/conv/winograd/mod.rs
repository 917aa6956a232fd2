//! Winograd's minimal filtering for kernels of 3 × 3 by steps of 1.
//!
//! The input is cut into overlapping tiles of `IN` × `IN` pixels; each is transformed, each of the
//! `IN²` places of the tiles becomes a matrix product of its own over the channels, and the products
//! of a tile become `OUT` × `OUT` outputs. The three steps run over a block of tile rows, so that what
//! lies between them stays in the cache, unless the weights are so many that reading them once
//! matters more.
//!
//! Source: Lavin and Gray (2015), arXiv 1509.09308.

mod tile;

use super::lanes::{BLOCK, Lanes, Work, block, block_mut, unrolled};
use super::product::{Groups, Panels, Product, Rows};
use super::{Convolution, Method, Numbers, Sides, on, on_numbers, padded, scratch};
use crate::{Isa, Team};
use tile::{F2, F4, Tile};

/// Numbers between the steps that a block of tiles may have while the weights are few.
const FEW: usize = 1 << 17;
/// Above so many bytes of weights one block takes all tiles, up to [`MANY`].
const MANY_WEIGHTS: usize = 1 << 20;
/// Numbers between the steps that a block of tiles may have at most.
const MANY: usize = 1 << 22;
/// Added to each place's products, so that those of a tile do not all fall into one set of the
/// cache.
const STAGGER: usize = BLOCK;

pub(super) fn pack(isa: Isa, sides: &Sides, method: Method, kernel: &[f32]) -> Panels {
    let numbers = method.numbers();
    if method == Method::Winograd4 {
        pack_for::<F4, 6, 4, 36>(isa, numbers, sides, kernel)
    } else {
        pack_for::<F2, 4, 2, 16>(isa, numbers, sides, kernel)
    }
}

fn pack_for<T: Tile<IN, OUT>, const IN: usize, const OUT: usize, const PLACES: usize>(
    isa: Isa,
    numbers: Numbers,
    sides: &Sides,
    kernel: &[f32],
) -> Panels {
    let (depth, columns) = (padded(sides.channels), padded(sides.filters));
    Panels::pack(isa, numbers, (depth, columns), |k, column| {
        let mut places = [0.0; PLACES];
        if column < sides.filters && k < sides.channels {
            let g = &kernel[(column * sides.channels + k) * 9..][..9];
            let number = |row: usize, column: usize| f64::from(g[row * 3 + column]);
            let columns: [[f64; IN]; 3] =
                std::array::from_fn(|x| T::kernel([number(0, x), number(1, x), number(2, x)]));
            for (y, to) in places.chunks_exact_mut(IN).enumerate() {
                let row = T::kernel([columns[0][y], columns[1][y], columns[2][y]]);
                to.iter_mut().zip(row).for_each(|(to, value)| *to = value as f32);
            }
        }
        places
    })
}

pub(super) fn run(
    layer: &Convolution,
    weights: &Panels,
    team: &Team,
    batch: usize,
    from: &[f32],
    to: &mut [f32],
) {
    if layer.method == Method::Winograd4 {
        run_for::<F4, 6, 4>(layer, weights, team, batch, from, to);
    } else {
        run_for::<F2, 4, 2>(layer, weights, team, batch, from, to);
    }
}

fn run_for<T: Tile<IN, OUT>, const IN: usize, const OUT: usize>(
    layer: &Convolution,
    weights: &Panels,
    team: &Team,
    batch: usize,
    from: &[f32],
    to: &mut [f32],
) {
    let (height, width) = layer.sides.output();
    let (down, across) = (height.div_ceil(OUT), width.div_ceil(OUT));
    let depth = layer.method.numbers().room(padded(layer.sides.channels));
    let per_row = across * IN * IN * (depth + padded(layer.sides.filters));
    let many = weights.bytes() > MANY_WEIGHTS;
    let rows = ((if many { MANY } else { FEW }) / per_row).clamp(1, batch * down);
    let blocks = (batch * down).div_ceil(rows);
    // either the threads share the blocks, or each block's work
    let share_blocks = !many && blocks >= team.threads();
    let alone = Team::alone();
    let within = if share_blocks { &alone } else { team };
    let spans =
        (0..batch * down).step_by(rows).map(|first| (first, (first + rows).min(batch * down)));
    let start = |row| output_start(layer, OUT, row);
    let parts = cut(to, spans.clone().map(|(first, last)| start(last) - start(first)));
    let block = |((first, last), to)| Block::<IN, OUT> { layer, from, first, last, across, to };
    let blocks: Vec<_> = spans.zip(parts).map(block).collect();
    let run = |block: Block<'_, IN, OUT>| block.run::<T>(weights, within);
    if share_blocks {
        team.each(blocks, run);
    } else {
        blocks.into_iter().for_each(run);
    }
}

/// Consecutive parts of these lengths.
fn cut(
    mut all: &mut [f32],
    lengths: impl Iterator<Item = usize>,
) -> impl Iterator<Item = &mut [f32]> {
    lengths.map(move |length| {
        let (part, rest) = std::mem::take(&mut all).split_at_mut(length);
        all = rest;
        part
    })
}

/// Where the output of a row of tiles begins, rows counted through all images.
fn output_start(layer: &Convolution, out: usize, tile_row: usize) -> usize {
    let (height, width) = layer.sides.output();
    let down = height.div_ceil(out);
    let (image, row) = (tile_row / down, tile_row % down);
    let line = image * height + (row * out).min(height);
    let numbers = width * padded(layer.sides.filters);
    if layer.pooled { line / 2 * (numbers / 2) } else { line * numbers }
}

/// Some rows of tiles.
struct Block<'a, const IN: usize, const OUT: usize> {
    layer: &'a Convolution,
    from: &'a [f32],
    /// Rows of tiles, counted through all images.
    first: usize,
    last: usize,
    /// Tiles of a row.
    across: usize,
    to: &'a mut [f32],
}

impl<const IN: usize, const OUT: usize> Block<'_, IN, OUT> {
    fn run<T: Tile<IN, OUT>>(self, weights: &Panels, team: &Team) {
        let isa = self.layer.isa;
        let numbers = self.layer.method.numbers();
        let depth = numbers.room(padded(self.layer.sides.channels));
        let columns = padded(self.layer.sides.filters);
        let tiles = (self.last - self.first) * self.across;
        let groups = Groups::of(isa, numbers, tiles);
        let inputs = tiles * IN * IN * depth;
        let stride = tiles * columns + STAGGER;
        scratch::with(inputs + IN * IN * stride, |scratch| {
            let (inputs, products) = scratch.split_at_mut(inputs);
            self.transform_input::<T>(team, groups, inputs);
            let places = products.chunks_exact_mut(stride).zip(weights.products()).enumerate();
            team.each(places.collect(), |(index, (to, weights))| {
                let rows = Rows { packed: inputs, of: IN * IN, index };
                let to = &mut to[..tiles * columns];
                Product { groups, rows, weights, epilogue: None, addend: None, to }.compute(isa);
            });
            self.transform_output::<T>(team, products, stride);
        });
    }

    /// To `[group][place][channel / 16][tile of the group][16]`, of pairs half as many.
    fn transform_input<T: Tile<IN, OUT>>(&self, team: &Team, groups: Groups, to: &mut [f32]) {
        let numbers = self.layer.method.numbers();
        let per_tile = IN * IN * numbers.room(padded(self.layer.sides.channels));
        let lengths = (0..groups.count()).map(|group| groups.size(group) * per_tile);
        let parts = cut(to, lengths).enumerate().collect();
        team.each(parts, |(group, to)| {
            let (start, tiles) = (groups.start(group), groups.size(group));
            let block = Input::<T, IN, OUT> {
                sides: &self.layer.sides,
                from: self.from,
                first: self.first * self.across + start,
                across: self.across,
                tiles,
                to,
                transform: std::marker::PhantomData,
            };
            match numbers {
                Numbers::Float32 => on_numbers(self.layer.isa, numbers, Of::<_, false>(block)),
                Numbers::Bfloat16 => on_numbers(self.layer.isa, numbers, Of::<_, true>(block)),
            }
        });
    }

    fn transform_output<T: Tile<IN, OUT>>(self, team: &Team, products: &[f32], stride: usize) {
        let start = |row| output_start(self.layer, OUT, row);
        let lengths = (self.first..self.last).map(|row| start(row + 1) - start(row));
        let rows = (self.first..).zip(cut(self.to, lengths)).collect();
        team.each(rows, |(row, to)| {
            let output = Output::<T, IN, OUT> {
                layer: self.layer,
                products,
                stride,
                first: (row - self.first) * self.across,
                lines: {
                    let height = self.layer.sides.output().0;
                    OUT.min(height - row % height.div_ceil(OUT) * OUT)
                },
                to,
                transform: std::marker::PhantomData,
            };
            on(self.layer.isa, output);
        });
    }
}

/// The tiles of one group, to be transformed.
struct Input<'a, T, const IN: usize, const OUT: usize> {
    sides: &'a Sides,
    from: &'a [f32],
    /// The first tile, counted through all images.
    first: usize,
    across: usize,
    tiles: usize,
    to: &'a mut [f32],
    transform: std::marker::PhantomData<T>,
}

/// An input of numbers, or one that becomes pairs.
struct Of<I, const PAIRS: bool>(I);

impl<T: Tile<IN, OUT>, const IN: usize, const OUT: usize, const PAIRS: bool> Work
    for Of<Input<'_, T, IN, OUT>, PAIRS>
{
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        let Self(input) = self;
        let channels = padded(input.sides.channels);
        let (step, depth) =
            if PAIRS { (2 * BLOCK, Numbers::Bfloat16.room(channels)) } else { (BLOCK, channels) };
        let place = depth * input.tiles;
        for index in 0..input.tiles {
            let cut = input.cut(index);
            for at in (0..channels).step_by(step) {
                let first = cut.transformed::<L, T, OUT>(token, at);
                let second = if PAIRS && at + BLOCK < channels {
                    cut.transformed::<L, T, OUT>(token, at + BLOCK)
                } else {
                    [[L::splat(token, 0.0); IN]; IN]
                };
                let at = if PAIRS { at / 2 } else { at };
                let to = &mut input.to[at * input.tiles + index * BLOCK..];
                unrolled!(i < IN, {
                    unrolled!(j < IN, {
                        let value = first[i][j];
                        let value = if PAIRS { L::pair(token, value, second[i][j]) } else { value };
                        value.store(block_mut(&mut to[(i * IN + j) * place..]));
                    });
                });
            }
        }
    }
}

impl<'a, T, const IN: usize, const OUT: usize> Input<'a, T, IN, OUT> {
    /// Where a tile of the group lies.
    #[inline(always)]
    fn cut(&self, index: usize) -> Cut<'a, IN> {
        let Sides { height, width, before, .. } = *self.sides;
        let channels = padded(self.sides.channels);
        let down = self.sides.output().0.div_ceil(OUT);
        let tile = self.first + index;
        let (row, x) = (tile / self.across, tile % self.across * OUT);
        let (image, y) = (row / down, row % down * OUT);
        Cut {
            image: &self.from[image * height * width * channels..][..height * width * channels],
            size: (height, width),
            channels,
            // what is above or left of the image is far below it by then
            top: y.wrapping_sub(before.0),
            left: x.wrapping_sub(before.1),
            inside: y >= before.0
                && x >= before.1
                && y + IN - before.0 <= height
                && x + IN - before.1 <= width,
        }
    }
}

/// A tile of an image.
struct Cut<'a, const IN: usize> {
    image: &'a [f32],
    /// The image's height and width.
    size: (usize, usize),
    channels: usize,
    top: usize,
    left: usize,
    /// Whether all of it is within the image.
    inside: bool,
}

impl<const IN: usize> Cut<'_, IN> {
    /// A block of channels, row by row.
    #[inline(always)]
    fn transformed<L: Lanes, T: Tile<IN, OUT>, const OUT: usize>(
        &self,
        token: L::Token,
        at: usize,
    ) -> [[L; IN]; IN] {
        let Self { image, size: (height, width), channels, .. } = *self;
        let line = |i: usize| self.top.wrapping_add(i);
        let column = |j: usize| self.left.wrapping_add(j);
        let mut values = [[L::splat(token, 0.0); IN]; IN];
        if self.inside {
            unrolled!(i < IN, {
                let line = &image[(line(i) * width + column(0)) * channels + at..];
                let line = &line[..(IN - 1) * channels + BLOCK];
                unrolled!(j < IN, {
                    values[i][j] = L::load(token, block(&line[j * channels..]));
                });
            });
        } else {
            unrolled!(i < IN, {
                unrolled!(j < IN, {
                    if line(i) < height && column(j) < width {
                        let place = (line(i) * width + column(j)) * channels + at;
                        values[i][j] = L::load(token, block(&image[place..]));
                    }
                });
            });
        }
        unrolled!(i < IN, {
            values[i] = T::input(token, values[i]);
        });
        unrolled!(j < IN, {
            let mut column = [L::splat(token, 0.0); IN];
            unrolled!(i < IN, {
                column[i] = values[i][j];
            });
            let column = T::input(token, column);
            unrolled!(i < IN, {
                values[i][j] = column[i];
            });
        });
        values
    }
}

/// One row of tiles, to be transformed back.
struct Output<'a, T, const IN: usize, const OUT: usize> {
    layer: &'a Convolution,
    products: &'a [f32],
    /// From the products of a place to those of the next.
    stride: usize,
    /// The row's first tile within the block.
    first: usize,
    /// How many output lines it has: fewer than `OUT` at the lower edge.
    lines: usize,
    to: &'a mut [f32],
    transform: std::marker::PhantomData<T>,
}

impl<T: Tile<IN, OUT>, const IN: usize, const OUT: usize> Work for Output<'_, T, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        let columns = padded(self.layer.sides.filters);
        let (_, width) = self.layer.sides.output();
        for at in (0..columns).step_by(BLOCK) {
            let apply = self.layer.epilogue.at::<L>(token, at);
            for (index, x) in (0..width).step_by(OUT).enumerate() {
                let tile = (self.first + index) * columns + at;
                let products = &self.products[tile..];
                let mut rows = [[L::splat(token, 0.0); OUT]; IN];
                unrolled!(i < IN, {
                    let mut row = [L::splat(token, 0.0); IN];
                    unrolled!(j < IN, {
                        let place = (i * IN + j) * self.stride;
                        row[j] = L::load(token, block(&products[place..]));
                    });
                    rows[i] = T::output(token, row);
                });
                // by column, then row
                let mut sums = [[L::splat(token, 0.0); OUT]; OUT];
                unrolled!(j < OUT, {
                    let mut column = [L::splat(token, 0.0); IN];
                    unrolled!(i < IN, {
                        column[i] = rows[i][j];
                    });
                    sums[j] = T::output(token, column);
                    unrolled!(i < OUT, {
                        sums[j][i] = apply(sums[j][i]);
                    });
                });
                if self.layer.pooled {
                    let half = width / 2;
                    unrolled!(i < OUT, {
                        unrolled!(j < OUT, {
                            if i % 2 == 0 && j % 2 == 0 && i < self.lines && j < width - x {
                                let left = sums[j][i].max(sums[j][i + 1]);
                                let right = sums[j + 1][i].max(sums[j + 1][i + 1]);
                                let to = (i / 2 * half + (x + j) / 2) * columns + at;
                                left.max(right).store(block_mut(&mut self.to[to..]));
                            }
                        });
                    });
                } else {
                    unrolled!(i < OUT, {
                        unrolled!(j < OUT, {
                            if i < self.lines && j < width - x {
                                let to = (i * width + x + j) * columns + at;
                                sums[j][i].store(block_mut(&mut self.to[to..]));
                            }
                        });
                    });
                }
            }
        }
    }
}
