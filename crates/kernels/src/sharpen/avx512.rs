//! Thirty-two bytes at a time. No multiplication is fused with an addition, so every byte is that of
//! the portable version.
#![allow(unsafe_code, reason = "calls and loads of AVX-512, each with its argument")]

use super::{CHANNELS, RECIPROCAL, for_each_row, portable};
use crate::Size;
use crate::isa::Avx512;
use std::arch::x86_64::{
    __m128i, __m256i, __m512, __m512i, _mm_storeu_si128, _mm256_loadu_si256, _mm512_add_epi16,
    _mm512_add_ps, _mm512_castsi512_si256, _mm512_cvtepi16_epi32, _mm512_cvtepi32_epi8,
    _mm512_cvtepi32_ps, _mm512_cvtepu8_epi16, _mm512_cvttps_epi32, _mm512_extracti64x4_epi64,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_mulhi_epu16, _mm512_set1_epi16,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi16, _mm512_sub_epi16,
};

/// Bytes at a time, which become as many numbers of 16 bits.
const LANES: usize = 32;
/// Bytes of a row that they depend on.
const WINDOW: usize = LANES + 2 * CHANNELS;

pub(super) fn sharpen(_isa: Avx512, from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    if size.width * CHANNELS < WINDOW {
        return portable::sharpen(from, size, factor, to);
    }
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { sharpen_rows(from, size, factor, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
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

/// The sharpened middles of three windows, in two halves.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn block([above, here, below]: [&[u8]; 3], factor: f32) -> [__m128i; 2] {
    let pixels = load(&here[CHANNELS..]);
    let mut sum = _mm512_add_epi16(_mm512_set1_epi16(6), _mm512_slli_epi16::<2>(pixels));
    for row in [above, here, below] {
        for place in [0, CHANNELS, 2 * CHANNELS] {
            sum = _mm512_add_epi16(sum, load(&row[place..]));
        }
    }
    let smooth = _mm512_mulhi_epu16(sum, _mm512_set1_epi16(RECIPROCAL.cast_signed()));
    let sharp = _mm512_sub_epi16(pixels, smooth);
    let low = blend(_mm512_castsi512_si256(smooth), _mm512_castsi512_si256(sharp), factor);
    let high = blend(
        _mm512_extracti64x4_epi64::<1>(smooth),
        _mm512_extracti64x4_epi64::<1>(sharp),
        factor,
    );
    [low, high]
}

/// `smooth + factor · sharp`, clipped to 0 to 255 and cut off; NaN becomes 0.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn blend(smooth: __m256i, sharp: __m256i, factor: f32) -> __m128i {
    let numbers = |words: __m256i| -> __m512 { _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(words)) };
    let product = _mm512_mul_ps(_mm512_set1_ps(factor), numbers(sharp));
    let value = _mm512_add_ps(numbers(smooth), product);
    let above = _mm512_max_ps(value, _mm512_setzero_ps());
    let clipped = _mm512_min_ps(above, _mm512_set1_ps(255.0));
    _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(clipped))
}

/// The first thirty-two bytes, each in 16 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn load(bytes: &[u8]) -> __m512i {
    let bytes = &bytes[..LANES];
    // SAFETY: thirty-two bytes are there
    _mm512_cvtepu8_epi16(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) })
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn store(to: &mut [u8], [low, high]: [__m128i; 2]) {
    let (first, second) = to[..LANES].split_at_mut(LANES / 2);
    // SAFETY: there is room for sixteen bytes in each half
    unsafe {
        _mm_storeu_si128(first.as_mut_ptr().cast::<__m128i>(), low);
        _mm_storeu_si128(second.as_mut_ptr().cast::<__m128i>(), high);
    }
}
