//! Sixteen bytes at a time. No multiplication is fused with an addition, so every byte is that of
//! the portable version.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::{CHANNELS, RECIPROCAL, for_each_row, portable};
use crate::Size;
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi16, _mm256_add_ps,
    _mm256_castsi256_si128, _mm256_cvtepi16_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16,
    _mm256_cvttps_epi32, _mm256_extracti128_si256, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps,
    _mm256_mulhi_epu16, _mm256_packus_epi16, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi16, _mm256_sub_epi16,
};

/// Bytes at a time, which become as many numbers of 16 bits.
const LANES: usize = 16;
/// Bytes of a row that they depend on.
const WINDOW: usize = LANES + 2 * CHANNELS;

pub(super) fn sharpen(_isa: Avx2, from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    if size.width * CHANNELS < WINDOW {
        return portable::sharpen(from, size, factor, to);
    }
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { sharpen_rows(from, size, factor, to) }
}

#[target_feature(enable = "avx2,fma")]
fn sharpen_rows(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    for_each_row(from, size, to, |rows, out| {
        let last = out.len() - LANES;
        // the last block goes over some bytes a second time
        for start in (0..last).step_by(LANES).chain([last]) {
            let windows = rows.map(|row| &row[start..][..WINDOW]);
            store(&mut out[start..][..LANES], block(windows, factor));
        }
    });
}

/// The sharpened middles of three windows.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn block([above, here, below]: [&[u8]; 3], factor: f32) -> __m128i {
    let pixels = load(&here[CHANNELS..]);
    let mut sum = _mm256_add_epi16(_mm256_set1_epi16(6), _mm256_slli_epi16::<2>(pixels));
    for row in [above, here, below] {
        for place in [0, CHANNELS, 2 * CHANNELS] {
            sum = _mm256_add_epi16(sum, load(&row[place..]));
        }
    }
    let smooth = _mm256_mulhi_epu16(sum, _mm256_set1_epi16(RECIPROCAL.cast_signed()));
    let sharp = _mm256_sub_epi16(pixels, smooth);
    let low = blend(_mm256_castsi256_si128(smooth), _mm256_castsi256_si128(sharp), factor);
    let high =
        blend(_mm256_extracti128_si256::<1>(smooth), _mm256_extracti128_si256::<1>(sharp), factor);
    // packing keeps to halves of a register: quarters 0 2 1 3 are in order
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
    let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi16(words, words));
    _mm256_castsi256_si128(bytes)
}

/// `smooth + factor · sharp`, clipped to 0 to 255 and cut off; NaN becomes 0.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn blend(smooth: __m128i, sharp: __m128i, factor: f32) -> __m256i {
    let numbers = |words: __m128i| -> __m256 { _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(words)) };
    let product = _mm256_mul_ps(_mm256_set1_ps(factor), numbers(sharp));
    let value = _mm256_add_ps(numbers(smooth), product);
    let above = _mm256_max_ps(value, _mm256_setzero_ps());
    _mm256_cvttps_epi32(_mm256_min_ps(above, _mm256_set1_ps(255.0)))
}

/// The first sixteen bytes, each in 16 bits.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load(bytes: &[u8]) -> __m256i {
    let bytes = &bytes[..LANES];
    // SAFETY: sixteen bytes are there
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()) })
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn store(to: &mut [u8], bytes: __m128i) {
    let to = &mut to[..LANES];
    // SAFETY: there is room for sixteen bytes
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast::<__m128i>(), bytes) }
}
