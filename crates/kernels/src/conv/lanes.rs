//! Sixteen numbers at a time, whatever registers the processor keeps them in.

use super::bfloat16;

/// How many numbers a block has; channels of activations are padded to a multiple of it.
pub const BLOCK: usize = 16;

/// A block in a line of the cache of its own: a vector that lies across two takes twice as long to
/// load.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) [f32; BLOCK]);

/// Sixteen numbers of 32 bits. A value proves that the processor has the instructions: there is no
/// way to one without the token [`Lanes::Token`].
pub(crate) trait Lanes: Copy {
    /// Proves that the processor has the instructions.
    type Token: Copy;
    /// Blocks of output channels that a tile of the matrix product holds in registers.
    const COLUMNS: usize;
    /// The most rows of such a tile.
    const ROWS: usize;
    /// The same of a product of pairs.
    const PAIR_ROWS: usize = Self::ROWS;
    /// Pixels side by side whose sums a depthwise convolution holds in registers.
    const NEIGHBOURS: usize;

    fn splat(token: Self::Token, value: f32) -> Self;
    fn load(token: Self::Token, from: &[f32; BLOCK]) -> Self;
    fn store(self, to: &mut [f32; BLOCK]);
    /// Has the processor fetch what lies so many numbers further on, which need not be there.
    fn prefetch(token: Self::Token, from: &[f32; BLOCK], ahead: usize);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self · factor + addend`, rounded once where the processor can.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The larger of each; where one is no number, `other`'s.
    fn max(self, other: Self) -> Self;
    /// The smaller of each; where one is no number, `other`'s.
    fn min(self, other: Self) -> Self;

    /// Sixteen pairs of bfloat16 in the bits of as many numbers: of each, `low` in the lower half
    /// and `high` in the upper one.
    #[inline(always)]
    fn pair(token: Self::Token, low: Self, high: Self) -> Self {
        let (mut lows, mut highs) = ([0.0; BLOCK], [0.0; BLOCK]);
        low.store(&mut lows);
        high.store(&mut highs);
        Self::load(token, &std::array::from_fn(|lane| bfloat16::pair(lows[lane], highs[lane])))
    }

    /// Of pairs: `self.low · other.low + self.high · other.high + addend`, in single precision.
    #[inline(always)]
    fn dot(self, token: Self::Token, other: Self, addend: Self) -> Self {
        let (mut ours, mut others) = ([0.0; BLOCK], [0.0; BLOCK]);
        self.store(&mut ours);
        other.store(&mut others);
        let part = |of: fn(f32) -> f32, from: &[f32; BLOCK]| {
            Self::load(token, &std::array::from_fn(|lane| of(from[lane])))
        };
        let low = part(bfloat16::low, &ours).mul_add(part(bfloat16::low, &others), addend);
        part(bfloat16::high, &ours).mul_add(part(bfloat16::high, &others), low)
    }
}

/// Something to do with vectors; each instruction set compiles it anew.
pub(crate) trait Work {
    type Output;
    fn run<L: Lanes>(self, token: L::Token) -> Self::Output;
}

/// The first block of a slice.
#[inline(always)]
pub(crate) fn block(from: &[f32]) -> &[f32; BLOCK] {
    from.first_chunk().expect("slices of activations and weights are whole blocks")
}

/// The first block of a slice, to be written.
#[inline(always)]
pub(crate) fn block_mut(to: &mut [f32]) -> &mut [f32; BLOCK] {
    to.first_chunk_mut().expect("slices of activations and weights are whole blocks")
}

/// Code for each `index < COUNT`, which is a constant of at most 14, one after the other. An array
/// that is indexed in a loop stays in memory; this keeps it in registers.
macro_rules! unrolled {
    ($index:ident < $count:ident, $body:block) => {
        unrolled!(@ $index, $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $index:ident, $count:ident, $body:block, $($at:literal)*) => {
        $(if $at < $count {
            let $index = $at;
            $body
        })*
    };
}
pub(crate) use unrolled;
