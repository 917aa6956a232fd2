//! Eight numbers at a time. No multiplication is fused with an addition, so every bit is that of
//! the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX2, each with its argument")]

use super::taps::Columns;
use super::{BESIDE, CHANNELS, TO_UNIT, portable};
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m128, __m128i, __m256, __m256i, _mm_loadl_epi64, _mm_loadu_ps, _mm_loadu_si128, _mm_or_si128,
    _mm_setr_epi8, _mm_setzero_si128, _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi64,
    _mm256_add_ps, _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_cvttps_epi32, _mm256_extracti128_si256, _mm256_loadu_ps,
    _mm256_mul_ps, _mm256_packs_epi32, _mm256_packus_epi16, _mm256_permute_ps, _mm256_set_m128,
    _mm256_set1_ps, _mm256_shuffle_epi8, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_sub_ps,
    _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

/// Numbers of a vector.
const LANES: usize = 8;
/// Bytes of half a vector; pixels whose colours are taken apart at a time.
const BYTES: usize = 16;

pub(super) fn blend_rows(_isa: Avx2, out: &mut [f32], rows: [&[u8]; 2], shares: [f32; 2]) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { blend(out, rows, shares) }
}

pub(super) fn blend_columns(
    _isa: Avx2,
    lines: [&mut [f32]; CHANNELS],
    row: &[f32],
    columns: &Columns,
) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { columns_to_planes(lines, row, columns) }
}

pub(super) fn blend_columns_to_bytes(_isa: Avx2, line: &mut [u8], row: &[f32], columns: &Columns) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { columns_to_bytes(line, row, columns) }
}

pub(super) fn split(_isa: Avx2, lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { split_row(lines, row) }
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
        store(out, sum);
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

#[target_feature(enable = "avx2,fma")]
fn columns_to_planes(lines: [&mut [f32]; CHANNELS], row: &[f32], columns: &Columns) {
    let [red, green, blue] = lines;
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let done = starts.len() * LANES;
    let out = (red.as_chunks_mut::<LANES>().0.iter_mut())
        .zip(green.as_chunks_mut::<LANES>().0)
        .zip(blue.as_chunks_mut::<LANES>().0);
    for ((starts, shares), ((red, green), blue)) in starts.iter().zip(shares).zip(out) {
        // a transposition in each half: four vectors of red, green, blue and something else
        let [a, b, c, d] = eight_pixels(row, starts, shares);
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (other_low, other_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        store(red, _mm256_shuffle_ps::<0b01_00_01_00>(low, other_low));
        store(green, _mm256_shuffle_ps::<0b11_10_11_10>(low, other_low));
        store(blue, _mm256_shuffle_ps::<0b01_00_01_00>(high, other_high));
    }
    portable::blend_columns_from(done, [red, green, blue], row, columns);
}

#[target_feature(enable = "avx2,fma")]
fn columns_to_bytes(line: &mut [u8], row: &[f32], columns: &Columns) {
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let mut done = 0;
    for (starts, shares) in starts.iter().zip(shares) {
        // four bytes behind the eight pixels are written, too, and once more with the next ones
        let Some(out) = line[done * CHANNELS..].first_chunk_mut::<{ LANES * CHANNELS + 4 }>()
        else {
            break;
        };
        let [a, b, c, d] = eight_pixels(row, starts, shares);
        let (first, second) = (
            _mm256_packs_epi32(to_bytes(a), to_bytes(b)),
            _mm256_packs_epi32(to_bytes(c), to_bytes(d)),
        );
        let bytes = without_fourths(_mm256_packus_epi16(first, second));
        store_bytes(&mut out[..BYTES], _mm256_castsi256_si128(bytes));
        let other_half = LANES / 2 * CHANNELS;
        store_bytes(&mut out[other_half..], _mm256_extracti128_si256::<1>(bytes));
        done += LANES;
    }
    portable::blend_columns_to_bytes_from(done, line, row, columns);
}

/// Four vectors of two pixels each, four numbers a pixel of which the last has no meaning: the
/// first and the fifth pixel, the second and the sixth, and so on.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn eight_pixels(row: &[f32], starts: &[usize; LANES], shares: &[f32; LANES]) -> [__m256; 4] {
    // SAFETY: eight numbers are there
    let second = unsafe { _mm256_loadu_ps(shares.as_ptr()) };
    let first = _mm256_sub_ps(_mm256_set1_ps(1.0), second);
    [
        pair::<0b00_00_00_00>(row, [starts[0], starts[4]], first, second),
        pair::<0b01_01_01_01>(row, [starts[1], starts[5]], first, second),
        pair::<0b10_10_10_10>(row, [starts[2], starts[6]], first, second),
        pair::<0b11_11_11_11>(row, [starts[3], starts[7]], first, second),
    ]
}

/// Two pixels; `SHARE` picks the share of each out of its half.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn pair<const SHARE: i32>(
    row: &[f32],
    [low, high]: [usize; 2],
    first: __m256,
    second: __m256,
) -> __m256 {
    let [(low, next_low), (high, next_high)] = [neighbours(row, low), neighbours(row, high)];
    _mm256_add_ps(
        _mm256_mul_ps(_mm256_set_m128(high, low), _mm256_permute_ps::<SHARE>(first)),
        _mm256_mul_ps(_mm256_set_m128(next_high, next_low), _mm256_permute_ps::<SHARE>(second)),
    )
}

/// The pixel that starts there and its right neighbour, each with a number more.
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn neighbours(row: &[f32], start: usize) -> (__m128, __m128) {
    let window = &row[start..][..CHANNELS + BESIDE];
    // SAFETY: seven numbers are there, of which four from the first and from the fourth are loaded
    unsafe { (_mm_loadu_ps(window.as_ptr()), _mm_loadu_ps(window[CHANNELS..].as_ptr())) }
}

/// From 0 to 1 to 0 to 255, rounded to nearest.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn to_bytes(values: __m256) -> __m256i {
    let scaled = _mm256_mul_ps(values, _mm256_set1_ps(255.0));
    _mm256_cvttps_epi32(_mm256_add_ps(scaled, _mm256_set1_ps(0.5)))
}

/// The first twelve bytes of each half are four pixels.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn without_fourths(bytes: __m256i) -> __m256i {
    let order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order))
}

#[target_feature(enable = "avx2,fma")]
fn split_row(lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    let (blocks, rest) = row.as_chunks::<{ BYTES * CHANNELS }>();
    let done = blocks.len() * BYTES;
    let lines = lines.map(|line| line.split_at_mut(done));
    let [(red, red_rest), (green, green_rest), (blue, blue_rest)] = lines;
    let out = (red.as_chunks_mut::<BYTES>().0.iter_mut())
        .zip(green.as_chunks_mut::<BYTES>().0)
        .zip(blue.as_chunks_mut::<BYTES>().0);
    for (block, ((red, green), blue)) in blocks.iter().zip(out) {
        for (bytes, out) in colours(block).into_iter().zip([red, green, blue]) {
            let [low, high] = out.as_chunks_mut::<LANES>().0 else { continue };
            store(low, to_unit(bytes));
            store(high, to_unit(_mm_unpackhi_epi64(bytes, bytes)));
        }
    }
    portable::split([red_rest, green_rest, blue_rest], rest);
}

/// Sixteen pixels taken apart: sixteen bytes of each colour.
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn colours(pixels: &[u8; BYTES * CHANNELS]) -> [__m128i; CHANNELS] {
    let (parts, _) = pixels.as_chunks::<BYTES>();
    let mut colours = [_mm_setzero_si128(); CHANNELS];
    for (colour, places) in colours.iter_mut().zip(&PLACES) {
        for (part, places) in parts.iter().zip(places) {
            *colour = _mm_or_si128(*colour, _mm_shuffle_epi8(load(part), load(places)));
        }
    }
    colours
}

/// For each colour and each third of sixteen pixels: where the colour's bytes lie in the third. A
/// place beyond 127 stands for a 0.
const PLACES: [[[u8; BYTES]; 3]; CHANNELS] = {
    let mut places = [[[0x80; BYTES]; 3]; CHANNELS];
    let mut at = 0;
    while at < BYTES * CHANNELS {
        places[at % CHANNELS][at / BYTES][at / CHANNELS] = (at % BYTES) as u8;
        at += 1;
    }
    places
};

/// Numbers from 0 to 1 of the first eight bytes.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn to_unit(bytes: __m128i) -> __m256 {
    _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)), _mm256_set1_ps(TO_UNIT))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn load(bytes: &[u8; BYTES]) -> __m128i {
    // SAFETY: sixteen bytes are there
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()) }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn store(to: &mut [f32; LANES], values: __m256) {
    // SAFETY: there is room for eight numbers
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), values) }
}

/// To the first sixteen bytes.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn store_bytes(to: &mut [u8], bytes: __m128i) {
    let to = &mut to[..BYTES];
    // SAFETY: there is room for sixteen bytes
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast::<__m128i>(), bytes) }
}
