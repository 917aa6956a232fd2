//! Sixteen values at a time, in 16 bits each. No multiplication is fused with an addition, so every
//! byte is that of the portable version.
#![allow(unsafe_code, reason = "calls, loads and stores of NEON, each with its argument")]

use super::{CHANNELS, RECIPROCAL, portable};
use crate::isa::Neon;
use std::arch::aarch64::{
    float32x4_t, int32x4_t, uint8x8_t, uint16x4_t, uint16x8_t, vaddl_u8, vaddq_f32, vaddq_u16,
    vaddw_u8, vcombine_u8, vcombine_u16, vcvtq_f32_u32, vcvtq_s32_f32, vdupq_n_f32, vdupq_n_u16,
    vget_high_u8, vget_high_u16, vget_low_u8, vget_low_u16, vld1q_u8, vld1q_u16, vmovl_u8,
    vmovl_u16, vmull_n_u16, vmulq_f32, vqmovn_u16, vqmovun_s32, vshlq_n_u16, vshrn_n_u32, vst1q_u8,
    vst1q_u16, vsubq_f32,
};

/// Values of a block: two vectors in 16 bits each.
const LANES: usize = 16;
const HALF: usize = LANES / 2;

pub(super) fn add_below(
    _isa: Neon,
    sums: &mut [u16],
    pairs: &mut [u16],
    here: &[u8],
    below: &[u8],
) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { add_blocks(sums, pairs, here, below) }
}

pub(super) fn blend(_isa: Neon, here: &mut [u8], sums: &[u16], factor: f32) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    unsafe { blend_blocks(here, sums, factor) }
}

#[target_feature(enable = "neon")]
fn add_blocks(sums: &mut [u16], pairs: &mut [u16], here: &[u8], below: &[u8]) {
    let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
    let (pairs, pairs_rest) = pairs.as_chunks_mut::<LANES>();
    let ((here, here_rest), (below, below_rest)) =
        (here.as_chunks::<LANES>(), below.as_chunks::<LANES>());
    for (((sums, pairs), here), below) in sums.iter_mut().zip(pairs).zip(here).zip(below) {
        let halves = sums.as_chunks_mut::<HALF>().0.iter_mut().zip(pairs.as_chunks_mut().0);
        for (((sum, pair), here), below) in halves.zip(load(here)).zip(load(below)) {
            store(sum, vaddw_u8(words(pair), below));
            store(pair, vaddl_u8(here, below));
        }
    }
    portable::add_below(sums_rest, pairs_rest, here_rest, below_rest);
}

#[target_feature(enable = "neon")]
fn blend_blocks(here: &mut [u8], sums: &[u16], factor: f32) {
    let (blocks, rest) = here.as_chunks_mut::<LANES>();
    let done = blocks.len() * LANES;
    for (block, start) in blocks.iter_mut().zip((0..).step_by(LANES)) {
        let [low, high] = load(block);
        let low = eight(low, &sums[start..], factor);
        let high = eight(high, &sums[start + HALF..], factor);
        // SAFETY: there is room for sixteen bytes
        unsafe { vst1q_u8(block.as_mut_ptr(), vcombine_u8(low, high)) };
    }
    portable::blend(rest, &sums[done..], factor);
}

/// Eight pixels' values; `sums` are those of the column to the left and of the next ones.
#[target_feature(enable = "neon")]
#[inline]
fn eight(bytes: uint8x8_t, sums: &[u16], factor: f32) -> uint8x8_t {
    let pixels = vmovl_u8(bytes);
    let mut sum = vaddq_u16(vdupq_n_u16(6), vshlq_n_u16::<2>(pixels));
    for place in [0, CHANNELS, 2 * CHANNELS] {
        let sums = sums[place..].first_chunk().expect("sums of two pixels more than there are");
        sum = vaddq_u16(sum, words(sums));
    }
    let low = four(over_13(vget_low_u16(sum)), vget_low_u16(pixels), factor);
    let high = four(over_13(vget_high_u16(sum)), vget_high_u16(pixels), factor);
    // negative numbers become 0, and what does not fit the largest that does
    vqmovn_u16(vcombine_u16(vqmovun_s32(low), vqmovun_s32(high)))
}

#[target_feature(enable = "neon")]
#[inline]
fn over_13(sum: uint16x4_t) -> uint16x4_t {
    vshrn_n_u32::<16>(vmull_n_u16(sum, RECIPROCAL))
}

/// `smooth + factor · (pixel − smooth)`, cut off; NaN becomes 0.
#[target_feature(enable = "neon")]
#[inline]
fn four(smooth: uint16x4_t, pixels: uint16x4_t, factor: f32) -> int32x4_t {
    let (smooth, pixels) = (numbers(smooth), numbers(pixels));
    let product = vmulq_f32(vdupq_n_f32(factor), vsubq_f32(pixels, smooth));
    vcvtq_s32_f32(vaddq_f32(smooth, product))
}

#[target_feature(enable = "neon")]
#[inline]
fn numbers(words: uint16x4_t) -> float32x4_t {
    vcvtq_f32_u32(vmovl_u16(words))
}

#[target_feature(enable = "neon")]
#[inline]
fn load(bytes: &[u8; LANES]) -> [uint8x8_t; 2] {
    // SAFETY: sixteen bytes are there
    let bytes = unsafe { vld1q_u8(bytes.as_ptr()) };
    [vget_low_u8(bytes), vget_high_u8(bytes)]
}

#[target_feature(enable = "neon")]
#[inline]
fn words(from: &[u16; HALF]) -> uint16x8_t {
    // SAFETY: eight words are there
    unsafe { vld1q_u16(from.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store(to: &mut [u16; HALF], words: uint16x8_t) {
    // SAFETY: there is room for eight words
    unsafe { vst1q_u16(to.as_mut_ptr(), words) }
}
