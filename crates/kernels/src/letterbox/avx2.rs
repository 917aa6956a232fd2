//! Eight numbers at a time. No multiplication is fused with an addition, so every bit is that of
//! the portable version.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::portable;
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m128i, __m256, _mm_loadl_epi64, _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps,
};

/// Numbers of a vector.
const LANES: usize = 8;

pub(super) fn blend_rows(_isa: Avx2, out: &mut [f32], rows: [&[u8]; 2], shares: [f32; 2]) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { blend(out, rows, shares) }
}

#[target_feature(enable = "avx2,fma")]
fn blend(out: &mut [f32], [upper, lower]: [&[u8]; 2], shares: [f32; 2]) {
    let (upper_share, lower_share) = (_mm256_set1_ps(shares[0]), _mm256_set1_ps(shares[1]));
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let ((upper, upper_rest), (lower, lower_rest)) =
        (upper.as_chunks::<LANES>(), lower.as_chunks::<LANES>());
    for ((out, upper), lower) in blocks.iter_mut().zip(upper).zip(lower) {
        let sum = _mm256_add_ps(
            _mm256_mul_ps(numbers(upper), upper_share),
            _mm256_mul_ps(numbers(lower), lower_share),
        );
        // SAFETY: `out` has room for eight numbers
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sum) };
    }
    portable::blend_rows(rest, [upper_rest, lower_rest], shares);
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn numbers(bytes: &[u8; LANES]) -> __m256 {
    // SAFETY: eight bytes are there
    let bytes = unsafe { _mm_loadl_epi64(bytes.as_ptr().cast::<__m128i>()) };
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
}
