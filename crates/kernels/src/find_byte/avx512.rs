//! Sixty-four bytes at a time.
#![allow(unsafe_code, reason = "calls and loads of AVX-512, each with its argument")]

use super::portable;
use crate::isa::Avx512;
use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8};

/// Bytes of a vector.
const LANES: usize = 64;

pub(super) fn find(_isa: Avx512, wanted: u8, bytes: &[u8]) -> Option<usize> {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { find_in_blocks(wanted, bytes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn find_in_blocks(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let pattern = _mm512_set1_epi8(wanted.cast_signed());
    let (blocks, rest) = bytes.as_chunks::<LANES>();
    for (index, block) in blocks.iter().enumerate() {
        // SAFETY: the block has 64 bytes
        let block = unsafe { _mm512_loadu_si512(block.as_ptr().cast::<__m512i>()) };
        let equal = _mm512_cmpeq_epi8_mask(block, pattern);
        if equal != 0 {
            return Some(index * LANES + equal.trailing_zeros() as usize);
        }
    }
    portable::find(wanted, rest).map(|found| blocks.len() * LANES + found)
}
