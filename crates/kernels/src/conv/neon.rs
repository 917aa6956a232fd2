//! Four registers of 128 bits.
#![allow(unsafe_code, reason = "calls and loads of NEON, each with its argument")]

use super::lanes::{BLOCK, Lanes, Work};
use crate::isa::Neon;
use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vbslq_f32, vcgtq_f32, vcltq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32,
    vmulq_f32, vst1q_f32, vsubq_f32,
};

/// Numbers of a register.
const LANES: usize = 4;
const COUNT: usize = BLOCK / LANES;

/// Made only with a token, so that whoever holds one may use NEON.
#[derive(Clone, Copy)]
struct Registers([float32x4_t; COUNT]);

pub(super) fn run<W: Work>(isa: Neon, work: W) -> W::Output {
    #[target_feature(enable = "neon")]
    fn enter<W: Work>(isa: Neon, work: W) -> W::Output {
        work.run::<Registers>(isa)
    }
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { enter(isa, work) }
}

impl Registers {
    #[inline(always)]
    fn zip(self, other: Self, apply: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        Self([
            apply(self.0[0], other.0[0]),
            apply(self.0[1], other.0[1]),
            apply(self.0[2], other.0[2]),
            apply(self.0[3], other.0[3]),
        ])
    }
}

impl Lanes for Registers {
    type Token = Neon;
    // 24 of 32 registers hold sums, four weights
    const COLUMNS: usize = 1;
    const ROWS: usize = 6;
    const NEIGHBOURS: usize = 4;

    #[inline(always)]
    fn splat(_: Neon, value: f32) -> Self {
        // SAFETY: the token proves the instruction
        Self([unsafe { vdupq_n_f32(value) }; COUNT])
    }

    #[inline(always)]
    fn load(_: Neon, from: &[f32; BLOCK]) -> Self {
        let at = |index: usize| from[index * LANES..][..LANES].as_ptr();
        // SAFETY: the token proves the instruction, and four numbers are at each place
        unsafe { Self([vld1q_f32(at(0)), vld1q_f32(at(1)), vld1q_f32(at(2)), vld1q_f32(at(3))]) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; BLOCK]) {
        let to = to.as_chunks_mut::<LANES>().0;
        // SAFETY: `self` proves the instruction, and there is room for four numbers at each place
        unsafe {
            vst1q_f32(to[0].as_mut_ptr(), self.0[0]);
            vst1q_f32(to[1].as_mut_ptr(), self.0[1]);
            vst1q_f32(to[2].as_mut_ptr(), self.0[2]);
            vst1q_f32(to[3].as_mut_ptr(), self.0[3]);
        }
    }

    /// Nothing: the language has no stable way to ask, and the processors see by themselves that
    /// weights are read in their order.
    #[inline(always)]
    fn prefetch(_: Neon, _from: &[f32; BLOCK], _ahead: usize) {}

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        self.zip(other, |a, b| unsafe { vaddq_f32(a, b) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        self.zip(other, |a, b| unsafe { vsubq_f32(a, b) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        self.zip(other, |a, b| unsafe { vmulq_f32(a, b) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: `self` proves the instruction
        let product = |a, b, sum| unsafe { vfmaq_f32(sum, a, b) };
        Self([
            product(self.0[0], factor.0[0], addend.0[0]),
            product(self.0[1], factor.0[1], addend.0[1]),
            product(self.0[2], factor.0[2], addend.0[2]),
            product(self.0[3], factor.0[3], addend.0[3]),
        ])
    }

    // not the instructions for the larger and the smaller, which treat NaN in another way

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: `self` proves the instructions
        self.zip(other, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: `self` proves the instructions
        self.zip(other, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
    }
}
