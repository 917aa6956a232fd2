//! Plain arrays; the oracle of the others.

use super::lanes::{BLOCK, Lanes, Work};

#[derive(Clone, Copy)]
struct Plain([f32; BLOCK]);

pub(super) fn run<W: Work>(work: W) -> W::Output {
    work.run::<Plain>(())
}

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, apply: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| apply(self.0[lane], other.0[lane])))
    }
}

impl Lanes for Plain {
    type Token = ();
    const COLUMNS: usize = 1;
    const ROWS: usize = 2;
    const NEIGHBOURS: usize = 4;

    #[inline(always)]
    fn splat((): (), value: f32) -> Self {
        Self([value; BLOCK])
    }

    #[inline(always)]
    fn load((): (), from: &[f32; BLOCK]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; BLOCK]) {
        *to = self.0;
    }

    #[inline(always)]
    fn prefetch((): (), _from: &[f32; BLOCK], _ahead: usize) {}

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // not `f32::mul_add`: without the instruction that is a call of a library
        self.mul(factor).add(addend)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
}
