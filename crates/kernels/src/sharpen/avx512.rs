//! Thirty-two values at a time, in 16 bits each. No multiplication is fused with an addition, so every
//! byte is that of the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX-512, each with its argument")]

use super::{CHANNELS, RECIPROCAL, portable};
use crate::isa::Avx512;
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi16, _mm512_add_ps,
    _mm512_castsi512_ps, _mm512_cvtepu8_epi16, _mm512_cvttps_epi32, _mm512_cvtusepi16_epi8,
    _mm512_loadu_si512, _mm512_max_epi16, _mm512_mul_ps, _mm512_mulhi_epu16, _mm512_packs_epi32,
    _mm512_set1_epi16, _mm512_set1_ps, _mm512_setzero_si512, _mm512_slli_epi16,
    _mm512_storeu_si512, _mm512_sub_ps, _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
};

/// Values of a vector.
const LANES: usize = 32;

pub(super) fn add_below(
    _isa: Avx512,
    sums: &mut [u16],
    pairs: &mut [u16],
    here: &[u8],
    below: &[u8],
) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { add_blocks(sums, pairs, here, below) }
}

pub(super) fn blend(_isa: Avx512, here: &mut [u8], sums: &[u16], factor: f32) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { blend_blocks(here, sums, factor) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn add_blocks(sums: &mut [u16], pairs: &mut [u16], here: &[u8], below: &[u8]) {
    let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
    let (pairs, pairs_rest) = pairs.as_chunks_mut::<LANES>();
    let ((here, here_rest), (below, below_rest)) =
        (here.as_chunks::<LANES>(), below.as_chunks::<LANES>());
    for (((sum, pair), here), below) in sums.iter_mut().zip(pairs).zip(here).zip(below) {
        let below = load(below);
        store(sum, _mm512_add_epi16(words(pair), below));
        store(pair, _mm512_add_epi16(load(here), below));
    }
    portable::add_below(sums_rest, pairs_rest, here_rest, below_rest);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn blend_blocks(here: &mut [u8], sums: &[u16], factor: f32) {
    let (blocks, rest) = here.as_chunks_mut::<LANES>();
    let done = blocks.len() * LANES;
    for (block, start) in blocks.iter_mut().zip((0..).step_by(LANES)) {
        let pixels = load(block);
        let mut sum = _mm512_add_epi16(_mm512_set1_epi16(6), _mm512_slli_epi16::<2>(pixels));
        for place in [0, CHANNELS, 2 * CHANNELS] {
            sum = _mm512_add_epi16(sum, words(&sums[start + place..]));
        }
        let smooth = _mm512_mulhi_epu16(sum, _mm512_set1_epi16(RECIPROCAL.cast_signed()));
        let value = value(smooth, pixels, factor);
        // the narrowing clips at 255
        let positive = _mm512_max_epi16(value, _mm512_setzero_si512());
        // SAFETY: there is room for thirty-two bytes
        unsafe {
            _mm256_storeu_si256(
                block.as_mut_ptr().cast::<__m256i>(),
                _mm512_cvtusepi16_epi8(positive),
            );
        }
    }
    portable::blend(rest, &sums[done..], factor);
}

/// `smooth + factor · (pixel − smooth)`, cut off, in 16 bits or as near as they come.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn value(smooth: __m512i, pixels: __m512i, factor: f32) -> __m512i {
    // below these words as upper halves, an integer is the mantissa's end: 8,388,608 more than
    // itself
    let upper = _mm512_set1_epi16(0x4B00);
    let [low, high] = [
        single_precision(
            _mm512_unpacklo_epi16(smooth, upper),
            _mm512_unpacklo_epi16(pixels, upper),
            factor,
        ),
        single_precision(
            _mm512_unpackhi_epi16(smooth, upper),
            _mm512_unpackhi_epi16(pixels, upper),
            factor,
        ),
    ];
    _mm512_packs_epi32(low, high)
}

/// Of numbers that both have 8,388,608 added; NaN becomes the least integer.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn single_precision(smooth: __m512i, pixels: __m512i, factor: f32) -> __m512i {
    let (smooth, pixels) = (_mm512_castsi512_ps(smooth), _mm512_castsi512_ps(pixels));
    let product = _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_sub_ps(pixels, smooth));
    let smooth = _mm512_sub_ps(smooth, _mm512_set1_ps(8_388_608.0));
    _mm512_cvttps_epi32(_mm512_add_ps(smooth, product))
}

/// Bytes, each in 16 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m512i {
    // SAFETY: thirty-two bytes are there
    _mm512_cvtepu8_epi16(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) })
}

/// The first thirty-two.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn words(words: &[u16]) -> __m512i {
    let words = &words[..LANES];
    // SAFETY: thirty-two words are there
    unsafe { _mm512_loadu_si512(words.as_ptr().cast::<__m512i>()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn store(to: &mut [u16; LANES], words: __m512i) {
    // SAFETY: there is room for thirty-two words
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast::<__m512i>(), words) }
}
