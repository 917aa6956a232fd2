//! Four pixels, or sixteen bytes, at a time. No multiplication is fused with an addition, so every
//! bit is that of the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of NEON, each with its argument")]

use super::taps::Columns;
use super::{BESIDE, CHANNELS, TO_UNIT, portable};
use crate::isa::Neon;
use std::arch::aarch64::{
    float32x4_t, uint8x16_t, uint16x4_t, vaddq_f32, vcombine_f32, vcombine_u8, vcombine_u16,
    vcvtq_f32_u32, vcvtq_u32_f32, vdupq_n_f32, vget_high_f32, vget_high_u8, vget_high_u16,
    vget_low_f32, vget_low_u8, vget_low_u16, vld1q_f32, vld1q_u8, vld3q_u8, vmovl_u8, vmovl_u16,
    vmulq_f32, vmulq_laneq_f32, vqmovn_u16, vqmovn_u32, vqtbl1q_u8, vst1q_f32, vst1q_u8, vsubq_f32,
    vtrn1q_f32, vtrn2q_f32,
};

/// Numbers of a vector.
const LANES: usize = 4;
/// Bytes of a vector.
const BYTES: usize = 16;

pub(super) fn blend_rows(_isa: Neon, out: &mut [f32], rows: [&[u8]; 2], shares: [f32; 2]) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { blend(out, rows, shares) }
}

pub(super) fn blend_columns(
    _isa: Neon,
    lines: [&mut [f32]; CHANNELS],
    row: &[f32],
    columns: &Columns,
) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { columns_to_planes(lines, row, columns) }
}

pub(super) fn blend_columns_to_bytes(_isa: Neon, line: &mut [u8], row: &[f32], columns: &Columns) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { columns_to_bytes(line, row, columns) }
}

pub(super) fn split(_isa: Neon, lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { split_row(lines, row) }
}

#[target_feature(enable = "neon")]
fn blend(out: &mut [f32], [upper, lower]: [&[u8]; 2], shares: [f32; 2]) {
    let (upper_share, lower_share) = (vdupq_n_f32(shares[0]), vdupq_n_f32(shares[1]));
    let (blocks, rest) = out.as_chunks_mut::<BYTES>();
    let ((upper, upper_rest), (lower, lower_rest)) =
        (upper.as_chunks::<BYTES>(), lower.as_chunks::<BYTES>());
    for ((out, upper), lower) in blocks.iter_mut().zip(upper).zip(lower) {
        let parts = numbers(load(upper)).into_iter().zip(numbers(load(lower)));
        for (out, (upper, lower)) in out.as_chunks_mut().0.iter_mut().zip(parts) {
            let (upper, lower) = (vmulq_f32(upper, upper_share), vmulq_f32(lower, lower_share));
            store(out, vaddq_f32(upper, lower));
        }
    }
    portable::blend_rows(rest, [upper_rest, lower_rest], shares);
}

/// Sixteen bytes as numbers.
#[target_feature(enable = "neon")]
#[inline]
fn numbers(bytes: uint8x16_t) -> [float32x4_t; LANES] {
    let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_u8(vget_high_u8(bytes)));
    let number = |words: uint16x4_t| vcvtq_f32_u32(vmovl_u16(words));
    [
        number(vget_low_u16(low)),
        number(vget_high_u16(low)),
        number(vget_low_u16(high)),
        number(vget_high_u16(high)),
    ]
}

#[target_feature(enable = "neon")]
fn columns_to_planes(lines: [&mut [f32]; CHANNELS], row: &[f32], columns: &Columns) {
    let [red, green, blue] = lines;
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let done = starts.len() * LANES;
    let out = (red.as_chunks_mut::<LANES>().0.iter_mut())
        .zip(green.as_chunks_mut::<LANES>().0)
        .zip(blue.as_chunks_mut::<LANES>().0);
    for ((starts, shares), ((red, green), blue)) in starts.iter().zip(shares).zip(out) {
        // a transposition: four vectors of red, green, blue and something else
        let [a, b, c, d] = four_pixels(row, starts, shares);
        let (even, odd) = (vtrn1q_f32(a, b), vtrn2q_f32(a, b));
        let (other_even, other_odd) = (vtrn1q_f32(c, d), vtrn2q_f32(c, d));
        store(red, vcombine_f32(vget_low_f32(even), vget_low_f32(other_even)));
        store(green, vcombine_f32(vget_low_f32(odd), vget_low_f32(other_odd)));
        store(blue, vcombine_f32(vget_high_f32(even), vget_high_f32(other_even)));
    }
    portable::blend_columns_from(done, [red, green, blue], row, columns);
}

#[target_feature(enable = "neon")]
fn columns_to_bytes(line: &mut [u8], row: &[f32], columns: &Columns) {
    let starts = columns.starts.as_chunks::<LANES>().0;
    let shares = columns.second_shares.as_chunks::<LANES>().0;
    let without_fourths = load(&[0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255]);
    let mut done = 0;
    for (starts, shares) in starts.iter().zip(shares) {
        // four bytes behind the four pixels are written, too, and once more with the next ones
        let Some(out) = line[done * CHANNELS..].first_chunk_mut::<BYTES>() else { break };
        let [a, b, c, d] = four_pixels(row, starts, shares);
        let first = vcombine_u16(to_words(a), to_words(b));
        let second = vcombine_u16(to_words(c), to_words(d));
        let bytes = vcombine_u8(vqmovn_u16(first), vqmovn_u16(second));
        let bytes = vqtbl1q_u8(bytes, without_fourths);
        // SAFETY: there is room for sixteen bytes
        unsafe { vst1q_u8(out.as_mut_ptr(), bytes) };
        done += LANES;
    }
    portable::blend_columns_to_bytes_from(done, line, row, columns);
}

/// A vector for each pixel: red, green, blue, and a number without a meaning.
#[target_feature(enable = "neon")]
#[inline]
fn four_pixels(row: &[f32], starts: &[usize; LANES], shares: &[f32; LANES]) -> [float32x4_t; 4] {
    // SAFETY: four numbers are there
    let second = unsafe { vld1q_f32(shares.as_ptr()) };
    let first = vsubq_f32(vdupq_n_f32(1.0), second);
    [
        pixel::<0>(row, starts[0], first, second),
        pixel::<1>(row, starts[1], first, second),
        pixel::<2>(row, starts[2], first, second),
        pixel::<3>(row, starts[3], first, second),
    ]
}

/// A pixel between the one that starts there and its right neighbour; `AT` is the place of the
/// shares.
#[target_feature(enable = "neon")]
#[inline]
fn pixel<const AT: i32>(
    row: &[f32],
    start: usize,
    first: float32x4_t,
    second: float32x4_t,
) -> float32x4_t {
    let window = &row[start..][..CHANNELS + BESIDE];
    // SAFETY: seven numbers are there, of which four from the first and from the fourth are loaded
    let (here, next) =
        unsafe { (vld1q_f32(window.as_ptr()), vld1q_f32(window[CHANNELS..].as_ptr())) };
    vaddq_f32(vmulq_laneq_f32::<AT>(here, first), vmulq_laneq_f32::<AT>(next, second))
}

/// From 0 to 1 to 0 to 255, rounded to nearest.
#[target_feature(enable = "neon")]
#[inline]
fn to_words(values: float32x4_t) -> uint16x4_t {
    let scaled = vmulq_f32(values, vdupq_n_f32(255.0));
    vqmovn_u32(vcvtq_u32_f32(vaddq_f32(scaled, vdupq_n_f32(0.5))))
}

#[target_feature(enable = "neon")]
fn split_row(lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    let (blocks, rest) = row.as_chunks::<{ BYTES * CHANNELS }>();
    let done = blocks.len() * BYTES;
    let lines = lines.map(|line| line.split_at_mut(done));
    let [(red, red_rest), (green, green_rest), (blue, blue_rest)] = lines;
    let out = (red.as_chunks_mut::<BYTES>().0.iter_mut())
        .zip(green.as_chunks_mut::<BYTES>().0)
        .zip(blue.as_chunks_mut::<BYTES>().0);
    for (block, ((red, green), blue)) in blocks.iter().zip(out) {
        // SAFETY: three times sixteen bytes are there
        let colours = unsafe { vld3q_u8(block.as_ptr()) };
        for (bytes, out) in [(colours.0, red), (colours.1, green), (colours.2, blue)] {
            for (out, values) in out.as_chunks_mut().0.iter_mut().zip(numbers(bytes)) {
                store(out, vmulq_f32(values, vdupq_n_f32(TO_UNIT)));
            }
        }
    }
    portable::split([red_rest, green_rest, blue_rest], rest);
}

#[target_feature(enable = "neon")]
#[inline]
fn load(bytes: &[u8; BYTES]) -> uint8x16_t {
    // SAFETY: sixteen bytes are there
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store(to: &mut [f32; LANES], values: float32x4_t) {
    // SAFETY: there is room for four numbers
    unsafe { vst1q_f32(to.as_mut_ptr(), values) }
}
