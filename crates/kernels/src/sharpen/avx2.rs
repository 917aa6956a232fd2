//! Sixteen values at a time, in 16 bits each. No multiplication is fused with an addition, so every
//! byte is that of the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX2, each with its argument")]

use super::{CHANNELS, RECIPROCAL, portable};
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi16, _mm256_add_ps,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cvtepu8_epi16, _mm256_cvttps_epi32,
    _mm256_loadu_si256, _mm256_mul_ps, _mm256_mulhi_epu16, _mm256_packs_epi32, _mm256_packus_epi16,
    _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_ps, _mm256_slli_epi16,
    _mm256_storeu_si256, _mm256_sub_ps, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

/// Values of a vector.
const LANES: usize = 16;

pub(super) fn add_below(
    _isa: Avx2,
    sums: &mut [u16],
    pairs: &mut [u16],
    here: &[u8],
    below: &[u8],
) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { add_blocks(sums, pairs, here, below) }
}

pub(super) fn blend(_isa: Avx2, here: &mut [u8], sums: &[u16], factor: f32) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { blend_blocks(here, sums, factor) }
}

#[target_feature(enable = "avx2,fma")]
fn add_blocks(sums: &mut [u16], pairs: &mut [u16], here: &[u8], below: &[u8]) {
    let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
    let (pairs, pairs_rest) = pairs.as_chunks_mut::<LANES>();
    let ((here, here_rest), (below, below_rest)) =
        (here.as_chunks::<LANES>(), below.as_chunks::<LANES>());
    for (((sum, pair), here), below) in sums.iter_mut().zip(pairs).zip(here).zip(below) {
        let below = load(below);
        store(sum, _mm256_add_epi16(words(pair), below));
        store(pair, _mm256_add_epi16(load(here), below));
    }
    portable::add_below(sums_rest, pairs_rest, here_rest, below_rest);
}

#[target_feature(enable = "avx2,fma")]
fn blend_blocks(here: &mut [u8], sums: &[u16], factor: f32) {
    let (blocks, rest) = here.as_chunks_mut::<LANES>();
    let done = blocks.len() * LANES;
    for (block, start) in blocks.iter_mut().zip((0..).step_by(LANES)) {
        let pixels = load(block);
        let mut sum = _mm256_add_epi16(_mm256_set1_epi16(6), _mm256_slli_epi16::<2>(pixels));
        for place in [0, CHANNELS, 2 * CHANNELS] {
            sum = _mm256_add_epi16(sum, words(&sums[start + place..]));
        }
        let smooth = _mm256_mulhi_epu16(sum, _mm256_set1_epi16(RECIPROCAL.cast_signed()));
        // packing clips to 0 to 255; it keeps to halves of a register: quarters 0 and 2 are in order
        let words = value(smooth, pixels, factor);
        let bytes = _mm256_permute4x64_epi64::<0b10_00>(_mm256_packus_epi16(words, words));
        // SAFETY: there is room for sixteen bytes
        unsafe {
            _mm_storeu_si128(block.as_mut_ptr().cast::<__m128i>(), _mm256_castsi256_si128(bytes));
        }
    }
    portable::blend(rest, &sums[done..], factor);
}

/// `smooth + factor · (pixel − smooth)`, cut off, in 16 bits or as near as they come.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn value(smooth: __m256i, pixels: __m256i, factor: f32) -> __m256i {
    // below these words as upper halves, an integer is the mantissa's end: 8,388,608 more than
    // itself
    let upper = _mm256_set1_epi16(0x4B00);
    let [low, high] = [
        single_precision(
            _mm256_unpacklo_epi16(smooth, upper),
            _mm256_unpacklo_epi16(pixels, upper),
            factor,
        ),
        single_precision(
            _mm256_unpackhi_epi16(smooth, upper),
            _mm256_unpackhi_epi16(pixels, upper),
            factor,
        ),
    ];
    _mm256_packs_epi32(low, high)
}

/// Of numbers that both have 8,388,608 added; NaN becomes the least integer.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn single_precision(smooth: __m256i, pixels: __m256i, factor: f32) -> __m256i {
    let (smooth, pixels) = (_mm256_castsi256_ps(smooth), _mm256_castsi256_ps(pixels));
    let product = _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_sub_ps(pixels, smooth));
    let smooth = _mm256_sub_ps(smooth, _mm256_set1_ps(8_388_608.0));
    _mm256_cvttps_epi32(_mm256_add_ps(smooth, product))
}

/// Bytes, each in 16 bits.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load(bytes: &[u8; LANES]) -> __m256i {
    // SAFETY: sixteen bytes are there
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()) })
}

/// The first sixteen.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn words(words: &[u16]) -> __m256i {
    let words = &words[..LANES];
    // SAFETY: sixteen words are there
    unsafe { _mm256_loadu_si256(words.as_ptr().cast::<__m256i>()) }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn store(to: &mut [u16; LANES], words: __m256i) {
    // SAFETY: there is room for sixteen words
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast::<__m256i>(), words) }
}
