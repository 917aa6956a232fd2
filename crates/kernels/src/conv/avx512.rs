//! One register of 512 bits.
#![allow(unsafe_code, reason = "calls and loads of AVX-512, each with its argument")]

use super::lanes::{BLOCK, Lanes, Work};
use crate::isa::Avx512;
use std::arch::x86_64::{
    __m512, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

/// Made only with a token, so that whoever holds one may use AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Register(pub(super) __m512);

pub(super) fn run<W: Work>(isa: Avx512, work: W) -> W::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn enter<W: Work>(isa: Avx512, work: W) -> W::Output {
        work.run::<Register>(isa)
    }
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { enter(isa, work) }
}

impl Lanes for Register {
    type Token = Avx512;
    const COLUMNS: usize = 2;
    const ROWS: usize = 14;
    const NEIGHBOURS: usize = 8;

    #[inline(always)]
    fn splat(_: Avx512, value: f32) -> Self {
        // SAFETY: the token proves the instruction
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    fn load(_: Avx512, from: &[f32; BLOCK]) -> Self {
        // SAFETY: the token proves the instruction, and sixteen numbers are there
        Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; BLOCK]) {
        // SAFETY: `self` proves the instruction, and there is room for sixteen numbers
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn prefetch(_: Avx512, from: &[f32; BLOCK], ahead: usize) {
        // SAFETY: a prefetch reads nothing, and may name any address
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(ahead).cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }
}
