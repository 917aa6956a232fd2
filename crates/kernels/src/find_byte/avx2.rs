//! Thirty-two bytes at a time.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::portable;
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
};

/// Bytes of a vector.
const LANES: usize = 32;

pub(super) fn find(_isa: Avx2, wanted: u8, bytes: &[u8]) -> Option<usize> {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { find_in_blocks(wanted, bytes) }
}

#[target_feature(enable = "avx2,fma")]
fn find_in_blocks(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let pattern = _mm256_set1_epi8(wanted.cast_signed());
    let (blocks, rest) = bytes.as_chunks::<LANES>();
    for (index, block) in blocks.iter().enumerate() {
        // SAFETY: the block has 32 bytes
        let block = unsafe { _mm256_loadu_si256(block.as_ptr().cast::<__m256i>()) };
        let equal = _mm256_movemask_epi8(_mm256_cmpeq_epi8(block, pattern));
        if equal != 0 {
            return Some(index * LANES + equal.trailing_zeros() as usize);
        }
    }
    portable::find(wanted, rest).map(|found| blocks.len() * LANES + found)
}
