//! The matrix product that every method ends in: rows of activations times panels of weights.
//!
//! Both sides are packed so that one pass over each is in the order of memory. Rows come in groups
//! of up to [`Lanes::ROWS`]; a group is `[k / 16][rows of the group][16]`, so that every number of a
//! step is at a fixed distance from one address. Weights come in panels of [`Lanes::COLUMNS`] blocks
//! of output channels; a panel is `[k][16 · blocks]`. A tile of rows by columns stays in registers
//! over all of k.
//!
//! Where the numbers are bfloat16, pairs of them take the place of numbers: of every 32 steps along
//! k, the first sixteen are the lower halves and the others the upper ones. What k lacks to whole
//! blocks of pairs is zero.

use super::lanes::{BLOCK, Lanes, Line, Work, block, block_mut, unrolled};
use super::{Epilogue, Numbers, bfloat16, on_numbers};
use crate::Isa;

/// Rows in groups of nearly the same size: the first `rows % groups` have one more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    rows: usize,
    groups: usize,
}

impl Groups {
    pub(super) fn of(isa: Isa, numbers: Numbers, rows: usize) -> Self {
        Self { rows, groups: rows.div_ceil(shape(isa, numbers).0) }
    }

    pub(super) fn count(self) -> usize {
        self.groups
    }

    /// The first row of a group; of the one after the last, how many rows there are.
    #[inline(always)]
    pub(super) fn start(self, group: usize) -> usize {
        let (least, more) = (self.rows / self.groups.max(1), self.rows % self.groups.max(1));
        group * least + group.min(more)
    }

    /// How many rows a group has.
    #[inline(always)]
    pub(super) fn size(self, group: usize) -> usize {
        self.start(group + 1) - self.start(group)
    }
}

/// The most rows, and the blocks of columns, of a tile.
fn shape(isa: Isa, numbers: Numbers) -> (usize, usize) {
    struct Shape(Numbers);
    impl Work for Shape {
        type Output = (usize, usize);
        #[inline(always)]
        fn run<L: Lanes>(self, _: L::Token) -> (usize, usize) {
            let rows = match self.0 {
                Numbers::Float32 => L::ROWS,
                Numbers::Bfloat16 => L::PAIR_ROWS,
            };
            (rows, L::COLUMNS)
        }
    }
    on_numbers(isa, numbers, Shape(numbers))
}

/// The weights of one or several products of the same sides in panels, for one instruction set.
#[derive(Clone, Debug)]
pub(super) struct Panels {
    numbers: Numbers,
    /// In numbers of 32 bits.
    depth: usize,
    columns: usize,
    /// Columns of a panel; the last may have fewer.
    width: usize,
    /// One product's after the other's. In one piece, which the system takes back as a whole.
    values: Vec<Line>,
}

/// The weights of one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<'a> {
    numbers: Numbers,
    /// In numbers of 32 bits.
    pub(super) depth: usize,
    pub(super) columns: usize,
    width: usize,
    values: &'a [Line],
}

impl Panels {
    /// Of `P` products of `depth` by `columns` weights, both multiples of a block.
    pub(super) fn pack<const P: usize>(
        isa: Isa,
        numbers: Numbers,
        (depth, columns): (usize, usize),
        weights: impl Fn(usize, usize) -> [f32; P],
    ) -> Self {
        let plain = depth;
        let weights = |place: usize, column: usize| match numbers {
            Numbers::Float32 => weights(place, column),
            Numbers::Bfloat16 => {
                let k = place / BLOCK * 2 * BLOCK + place % BLOCK;
                let at = |k: usize| if k < plain { weights(k, column) } else { [0.0; P] };
                let (low, high) = (at(k), at(k + BLOCK));
                std::array::from_fn(|product| bfloat16::pair(low[product], high[product]))
            }
        };
        let depth = numbers.room(depth);
        let width = shape(isa, numbers).1 * BLOCK;
        let each = depth * columns;
        let mut values = vec![Line([0.0; BLOCK]); P * each / BLOCK];
        for first in (0..columns).step_by(width) {
            let wide = width.min(columns - first);
            for column in 0..wide {
                for k in 0..depth {
                    let place = first * depth + k * wide + column;
                    for (product, weight) in weights(k, first + column).into_iter().enumerate() {
                        let place = product * each + place;
                        values[place / BLOCK].0[place % BLOCK] = weight;
                    }
                }
            }
        }
        Self { numbers, depth, columns, width, values }
    }

    /// Those of each product.
    pub(super) fn products(&self) -> impl ExactSizeIterator<Item = Weights<'_>> {
        let Self { numbers, depth, columns, width, .. } = *self;
        let each = self.values.chunks_exact((depth * columns / BLOCK).max(1));
        each.map(move |values| Weights { numbers, depth, columns, width, values })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.values[..])
    }
}

/// A product to be computed: `rows × depth` by `depth × columns`.
pub(super) struct Product<'a> {
    pub(super) groups: Groups,
    /// The packed rows of a group.
    pub(super) rows: Rows<'a>,
    pub(super) weights: Weights<'a>,
    /// Applied to each value; without one they are as they are.
    pub(super) epilogue: Option<&'a Epilogue>,
    /// Added after that, `rows × columns`.
    pub(super) addend: Option<&'a [f32]>,
    /// `rows × columns`.
    pub(super) to: &'a mut [f32],
}

/// Where the packed rows of a group are.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) packed: &'a [f32],
    /// How many products share the buffer: each group has its rows for all of them.
    pub(super) of: usize,
    /// Which of them this is.
    pub(super) index: usize,
}

impl Rows<'_> {
    #[inline(always)]
    fn group(&self, groups: Groups, group: usize, depth: usize) -> &[f32] {
        let (start, size) = (groups.start(group), groups.size(group));
        &self.packed[(start * self.of + size * self.index) * depth..][..size * depth]
    }
}

impl Product<'_> {
    pub(super) fn compute(self, isa: Isa) {
        match self.weights.numbers {
            Numbers::Float32 => on_numbers(isa, Numbers::Float32, Of::<false>(self)),
            Numbers::Bfloat16 => on_numbers(isa, Numbers::Bfloat16, Of::<true>(self)),
        }
    }
}

/// A product of numbers, or of pairs.
struct Of<'a, const PAIRS: bool>(Product<'a>);

impl<const PAIRS: bool> Work for Of<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, token: L::Token) {
        let Self(product) = self;
        let Weights { depth, columns, width, .. } = product.weights;
        for first in (0..columns).step_by(width) {
            let wide = width.min(columns - first);
            let panel = &product.weights.values[first * depth / BLOCK..][..wide * depth / BLOCK];
            for group in 0..product.groups.count() {
                let start = product.groups.start(group) * columns + first;
                let tile = Tile {
                    rows: product.rows.group(product.groups, group, depth),
                    panel,
                    epilogue: product.epilogue.map(|epilogue| (epilogue, first)),
                    addend: product.addend.map(|all| &all[start..]),
                    columns,
                };
                let to = &mut product.to[start..];
                // only what the instruction set has is compiled
                if L::COLUMNS == 2 && wide == 2 * BLOCK {
                    tile.dispatch::<L, PAIRS, 2>(token, product.groups.size(group), to);
                } else {
                    tile.dispatch::<L, PAIRS, 1>(token, product.groups.size(group), to);
                }
            }
        }
    }
}

const AHEAD: usize = 4096;
/// One group of rows by one panel of weights.
struct Tile<'a> {
    rows: &'a [f32],
    panel: &'a [Line],
    /// With the panel's first column.
    epilogue: Option<(&'a Epilogue, usize)>,
    /// From the tile's first number on.
    addend: Option<&'a [f32]>,
    /// Of the whole output.
    columns: usize,
}

impl Tile<'_> {
    /// `N` blocks of columns; only the numbers of rows that a group can have are compiled.
    #[inline(always)]
    fn dispatch<L: Lanes, const PAIRS: bool, const N: usize>(
        &self,
        token: L::Token,
        rows: usize,
        to: &mut [f32],
    ) {
        let most = const { if PAIRS { L::PAIR_ROWS } else { L::ROWS } };
        macro_rules! of {
            ($($m:literal)*) => {
                match rows {
                    $($m if $m <= most => self.compute::<L, PAIRS, $m, N>(token, to),)*
                    _ => {}
                }
            };
        }
        of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    #[inline(always)]
    fn compute<L: Lanes, const PAIRS: bool, const M: usize, const N: usize>(
        &self,
        token: L::Token,
        to: &mut [f32],
    ) {
        let mut sums = [[L::splat(token, 0.0); N]; M];
        let rows = self.rows.as_chunks::<BLOCK>().0.as_chunks::<M>().0;
        for (rows, panel) in rows.iter().zip(self.panel.chunks_exact(BLOCK * N)) {
            let panel = panel.as_chunks::<N>().0;
            for (k, weights) in panel.iter().enumerate().take(BLOCK) {
                let mut loaded = [L::splat(token, 0.0); N];
                unrolled!(n < N, {
                    loaded[n] = L::load(token, &weights[n].0);
                    L::prefetch(token, &weights[n].0, AHEAD);
                });
                unrolled!(m < M, {
                    let value = L::splat(token, rows[m][k]);
                    unrolled!(n < N, {
                        sums[m][n] = if PAIRS {
                            value.dot(token, loaded[n], sums[m][n])
                        } else {
                            value.mul_add(loaded[n], sums[m][n])
                        };
                    });
                });
            }
        }
        let to = &mut to[..(M - 1) * self.columns + N * BLOCK];
        unrolled!(n < N, {
            if let Some((epilogue, first)) = self.epilogue {
                let apply = epilogue.at::<L>(token, first + n * BLOCK);
                unrolled!(m < M, {
                    sums[m][n] = apply(sums[m][n]);
                });
            }
            if let Some(addend) = self.addend {
                let addend = &addend[..(M - 1) * self.columns + N * BLOCK];
                unrolled!(m < M, {
                    let other = L::load(token, block(&addend[m * self.columns + n * BLOCK..]));
                    sums[m][n] = sums[m][n].add(other);
                });
            }
            unrolled!(m < M, {
                sums[m][n].store(block_mut(&mut to[m * self.columns + n * BLOCK..]));
            });
        });
    }
}

impl Epilogue {
    /// What is applied to a block of sums, from a filter on.
    #[inline(always)]
    pub(super) fn at<L: Lanes>(&self, token: L::Token, filter: usize) -> impl Fn(L) -> L + Copy {
        let bias = L::load(token, block(&self.bias[filter..]));
        let (slope, cap) = (L::splat(token, self.slope), L::splat(token, self.cap));
        // in this order, what is no number stays none
        #[inline(always)]
        move |sum: L| {
            let value = sum.add(bias);
            cap.min(value.mul(slope).max(value))
        }
    }
}
