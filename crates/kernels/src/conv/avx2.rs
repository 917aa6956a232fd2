//! Two registers of 256 bits.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::lanes::{BLOCK, Lanes, Work};
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m256, _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

/// Made only with a token, so that whoever holds one may use AVX2 and FMA.
#[derive(Clone, Copy)]
struct Registers(__m256, __m256);

pub(super) fn run<W: Work>(isa: Avx2, work: W) -> W::Output {
    #[target_feature(enable = "avx2,fma")]
    fn enter<W: Work>(isa: Avx2, work: W) -> W::Output {
        work.run::<Registers>(isa)
    }
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { enter(isa, work) }
}

impl Lanes for Registers {
    type Token = Avx2;
    const COLUMNS: usize = 1;
    const ROWS: usize = 6;
    const NEIGHBOURS: usize = 4;

    #[inline(always)]
    fn splat(_: Avx2, value: f32) -> Self {
        // SAFETY: the token proves the instruction
        let register = unsafe { _mm256_set1_ps(value) };
        Self(register, register)
    }

    #[inline(always)]
    fn load(_: Avx2, from: &[f32; BLOCK]) -> Self {
        let (low, high) = from.split_at(BLOCK / 2);
        // SAFETY: the token proves the instruction, and eight numbers are in each half
        unsafe { Self(_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; BLOCK]) {
        let (low, high) = to.split_at_mut(BLOCK / 2);
        // SAFETY: `self` proves the instruction, and there is room for eight numbers in each half
        unsafe {
            _mm256_storeu_ps(low.as_mut_ptr(), self.0);
            _mm256_storeu_ps(high.as_mut_ptr(), self.1);
        }
    }

    #[inline(always)]
    fn prefetch(_: Avx2, from: &[f32; BLOCK], ahead: usize) {
        // SAFETY: a prefetch reads nothing, and may name any address
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().wrapping_add(ahead).cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe {
            Self(
                _mm256_fmadd_ps(self.0, factor.0, addend.0),
                _mm256_fmadd_ps(self.1, factor.1, addend.1),
            )
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: `self` proves the instruction
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }
}
