//! Two registers of 256 bits.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::lanes::{BLOCK, Lanes, Work};
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m256, __m256i, _CMP_UNORD_Q, _MM_HINT_T0, _mm_prefetch, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_si256, _mm256_blendv_ps, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_or_si256,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps,
    _mm256_sub_ps,
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
    const PAIR_ROWS: usize = 4;
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

    #[inline(always)]
    fn pair(_: Avx2, low: Self, high: Self) -> Self {
        // SAFETY: the token proves the instructions
        unsafe { Self(pair(low.0, high.0), pair(low.1, high.1)) }
    }

    #[inline(always)]
    fn dot(self, _: Avx2, other: Self, addend: Self) -> Self {
        // SAFETY: the token proves the instructions
        unsafe { Self(dot(self.0, other.0, addend.0), dot(self.1, other.1, addend.1)) }
    }
}

/// The upper half of each number's bits.
const UPPER: i32 = 0xFFFF_0000u32.cast_signed();

/// The nearest bfloat16, the even one of two, in the upper half of the bits; the lower one is any.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn rounded(value: __m256) -> __m256i {
    let bits = _mm256_castps_si256(value);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    // what is no number stays none
    let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
    let none = _mm256_cmp_ps::<_CMP_UNORD_Q>(value, value);
    let (up, quiet) = (_mm256_castsi256_ps(up), _mm256_castsi256_ps(quiet));
    _mm256_castps_si256(_mm256_blendv_ps(up, quiet, none))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn pair(low: __m256, high: __m256) -> __m256 {
    let high = _mm256_and_si256(rounded(high), _mm256_set1_epi32(UPPER));
    _mm256_castsi256_ps(_mm256_or_si256(_mm256_srli_epi32::<16>(rounded(low)), high))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn dot(ours: __m256, others: __m256, addend: __m256) -> __m256 {
    let (ours, others) = (_mm256_castps_si256(ours), _mm256_castps_si256(others));
    let low = |pairs| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs));
    let high = |pairs| _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(UPPER)));
    let sum = _mm256_fmadd_ps(low(ours), low(others), addend);
    _mm256_fmadd_ps(high(ours), high(others), sum)
}
