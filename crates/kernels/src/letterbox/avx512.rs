//! Sixteen numbers at a time. No multiplication is fused with an addition, so every bit is that of
//! the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX-512, each with its argument")]

use super::avx2::{colours, neighbours};
use super::taps::Columns;
use super::{CHANNELS, TO_UNIT, portable};
use crate::isa::Avx512;
use std::arch::x86_64::{
    __m128, __m128i, __m512, __m512i, _mm_loadu_si128, _mm_setr_epi8, _mm256_set_m128,
    _mm512_add_ps, _mm512_broadcast_i32x4, _mm512_castps256_ps512, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi32, _mm512_cvttps_epi32, _mm512_insertf32x8, _mm512_loadu_ps,
    _mm512_mask_storeu_epi32, _mm512_mul_ps, _mm512_packs_epi32, _mm512_packus_epi16,
    _mm512_permute_ps, _mm512_permutexvar_epi32, _mm512_set1_ps, _mm512_setr_epi32,
    _mm512_shuffle_epi8, _mm512_shuffle_ps, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_ps,
    _mm512_unpacklo_ps,
};

/// Numbers of a vector.
const LANES: usize = 16;

pub(super) fn blend_rows(_isa: Avx512, out: &mut [f32], rows: [&[u8]; 2], shares: [f32; 2]) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { blend(out, rows, shares) }
}

pub(super) fn blend_columns(
    _isa: Avx512,
    lines: [&mut [f32]; CHANNELS],
    row: &[f32],
    columns: &Columns,
) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { columns_to_planes(lines, row, columns) }
}

pub(super) fn blend_columns_to_bytes(
    _isa: Avx512,
    line: &mut [u8],
    row: &[f32],
    columns: &Columns,
) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { columns_to_bytes(line, row, columns) }
}

pub(super) fn split(_isa: Avx512, lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { split_row(lines, row) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn blend(out: &mut [f32], [upper, lower]: [&[u8]; 2], shares: [f32; 2]) {
    let (upper_share, lower_share) = (_mm512_set1_ps(shares[0]), _mm512_set1_ps(shares[1]));
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let ((upper, upper_rest), (lower, lower_rest)) =
        (upper.as_chunks::<LANES>(), lower.as_chunks::<LANES>());
    for ((out, upper), lower) in blocks.iter_mut().zip(upper).zip(lower) {
        let sum = _mm512_add_ps(
            _mm512_mul_ps(numbers(upper), upper_share),
            _mm512_mul_ps(numbers(lower), lower_share),
        );
        store(out, sum);
    }
    portable::blend_rows(rest, [upper_rest, lower_rest], shares);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn numbers(bytes: &[u8; LANES]) -> __m512 {
    // SAFETY: sixteen bytes are there
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()) };
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn columns_to_planes(lines: [&mut [f32]; CHANNELS], row: &[f32], columns: &Columns) {
    let [red, green, blue] = lines;
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let done = starts.len() * LANES;
    let out = (red.as_chunks_mut::<LANES>().0.iter_mut())
        .zip(green.as_chunks_mut::<LANES>().0)
        .zip(blue.as_chunks_mut::<LANES>().0);
    for ((starts, shares), ((red, green), blue)) in starts.iter().zip(shares).zip(out) {
        // a transposition in each quarter: four vectors of red, green, blue and something else
        let [a, b, c, d] = sixteen_pixels(row, starts, shares);
        let (low, high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (other_low, other_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        store(red, _mm512_shuffle_ps::<0b01_00_01_00>(low, other_low));
        store(green, _mm512_shuffle_ps::<0b11_10_11_10>(low, other_low));
        store(blue, _mm512_shuffle_ps::<0b01_00_01_00>(high, other_high));
    }
    portable::blend_columns_from(done, [red, green, blue], row, columns);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn columns_to_bytes(line: &mut [u8], row: &[f32], columns: &Columns) {
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let done = starts.len() * LANES;
    let out = line.as_chunks_mut::<{ LANES * CHANNELS }>().0;
    for ((starts, shares), out) in starts.iter().zip(shares).zip(out) {
        let [a, b, c, d] = sixteen_pixels(row, starts, shares);
        let (first, second) = (
            _mm512_packs_epi32(to_bytes(a), to_bytes(b)),
            _mm512_packs_epi32(to_bytes(c), to_bytes(d)),
        );
        let pixels = without_fourths(_mm512_packus_epi16(first, second));
        // SAFETY: there is room for forty-eight bytes, and so many are stored
        unsafe { _mm512_mask_storeu_epi32(out.as_mut_ptr().cast::<i32>(), 0x0FFF, pixels) }
    }
    portable::blend_columns_to_bytes_from(done, line, row, columns);
}

/// Four vectors of four pixels each, four numbers a pixel of which the last has no meaning: the
/// first, the fifth, the ninth and the thirteenth pixel, and so on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn sixteen_pixels(row: &[f32], starts: &[usize; LANES], shares: &[f32; LANES]) -> [__m512; 4] {
    // SAFETY: sixteen numbers are there
    let second = unsafe { _mm512_loadu_ps(shares.as_ptr()) };
    let first = _mm512_sub_ps(_mm512_set1_ps(1.0), second);
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = *starts;
    [
        four::<0b00_00_00_00>(row, [s0, s4, s8, s12], first, second),
        four::<0b01_01_01_01>(row, [s1, s5, s9, s13], first, second),
        four::<0b10_10_10_10>(row, [s2, s6, s10, s14], first, second),
        four::<0b11_11_11_11>(row, [s3, s7, s11, s15], first, second),
    ]
}

/// Four pixels; `SHARE` picks the share of each out of its quarter.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn four<const SHARE: i32>(
    row: &[f32],
    [a, b, c, d]: [usize; 4],
    first: __m512,
    second: __m512,
) -> __m512 {
    let ((a, next_a), (b, next_b)) = (neighbours(row, a), neighbours(row, b));
    let ((c, next_c), (d, next_d)) = (neighbours(row, c), neighbours(row, d));
    _mm512_add_ps(
        _mm512_mul_ps(together(a, b, c, d), _mm512_permute_ps::<SHARE>(first)),
        _mm512_mul_ps(together(next_a, next_b, next_c, next_d), _mm512_permute_ps::<SHARE>(second)),
    )
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn together(a: __m128, b: __m128, c: __m128, d: __m128) -> __m512 {
    let (low, high) = (_mm256_set_m128(b, a), _mm256_set_m128(d, c));
    _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
}

/// From 0 to 1 to 0 to 255, rounded to nearest.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn to_bytes(values: __m512) -> __m512i {
    let scaled = _mm512_mul_ps(values, _mm512_set1_ps(255.0));
    _mm512_cvttps_epi32(_mm512_add_ps(scaled, _mm512_set1_ps(0.5)))
}

/// The first forty-eight bytes are sixteen pixels.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn without_fourths(bytes: __m512i) -> __m512i {
    let order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    let threes = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(order));
    let together = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(together, threes)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn split_row(lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    let (blocks, rest) = row.as_chunks::<{ LANES * CHANNELS }>();
    let done = blocks.len() * LANES;
    let lines = lines.map(|line| line.split_at_mut(done));
    let [(red, red_rest), (green, green_rest), (blue, blue_rest)] = lines;
    let out = (red.as_chunks_mut::<LANES>().0.iter_mut())
        .zip(green.as_chunks_mut::<LANES>().0)
        .zip(blue.as_chunks_mut::<LANES>().0);
    for (block, ((red, green), blue)) in blocks.iter().zip(out) {
        for (bytes, out) in colours(block).into_iter().zip([red, green, blue]) {
            let values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
            store(out, _mm512_mul_ps(values, _mm512_set1_ps(TO_UNIT)));
        }
    }
    portable::split([red_rest, green_rest, blue_rest], rest);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn store(to: &mut [f32; LANES], values: __m512) {
    // SAFETY: there is room for sixteen numbers
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), values) }
}
