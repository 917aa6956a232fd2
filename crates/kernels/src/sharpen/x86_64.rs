//! The portable loops, compiled for wider vectors. Rust does not contract `a · b + c` to one
//! rounding, so the bytes are the same.
#![allow(unsafe_code, reason = "calls of functions for one instruction set")]

use super::portable::sharpen_rows;
use crate::Size;
use crate::isa::{Avx2, Avx512};

pub(super) fn avx2(_isa: Avx2, from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    #[target_feature(enable = "avx2,fma")]
    fn compiled(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
        sharpen_rows(from, size, factor, to);
    }
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { compiled(from, size, factor, to) }
}

pub(super) fn avx512(_isa: Avx512, from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn compiled(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
        sharpen_rows(from, size, factor, to);
    }
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { compiled(from, size, factor, to) }
}
