//! Sixty-four bytes at a time.
#![allow(unsafe_code, reason = "calls and loads of NEON, each with its argument")]

use super::portable;
use crate::isa::Neon;
use std::arch::aarch64::{uint8x16_t, vceqq_u8, vdupq_n_u8, vld1q_u8, vmaxvq_u8, vorrq_u8};

/// Bytes of a vector.
const LANES: usize = 16;
/// Bytes of a block.
const BLOCK: usize = 4 * LANES;

pub(super) fn find(_isa: Neon, wanted: u8, bytes: &[u8]) -> Option<usize> {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    let skipped = unsafe { blocks_without(wanted, bytes) } * BLOCK;
    portable::find(wanted, &bytes[skipped..]).map(|found| skipped + found)
}

/// How many blocks there are before the first that has the byte.
#[target_feature(enable = "neon")]
fn blocks_without(wanted: u8, bytes: &[u8]) -> usize {
    let pattern = vdupq_n_u8(wanted);
    let lacks = |block: &&[u8; BLOCK]| {
        let equal = |index: usize| vceqq_u8(load(&block.as_chunks().0[index]), pattern);
        let any = vorrq_u8(vorrq_u8(equal(0), equal(1)), vorrq_u8(equal(2), equal(3)));
        vmaxvq_u8(any) == 0
    };
    bytes.as_chunks::<BLOCK>().0.iter().take_while(lacks).count()
}

#[target_feature(enable = "neon")]
#[inline]
fn load(bytes: &[u8; LANES]) -> uint8x16_t {
    // SAFETY: sixteen bytes are there
    unsafe { vld1q_u8(bytes.as_ptr()) }
}
