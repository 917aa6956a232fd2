//! Eight cells at a time.
#![allow(unsafe_code, reason = "calls and loads of AVX2, each with its argument")]

use super::{for_each_pair, portable};
use crate::Size;
use crate::isa::Avx2;
use std::arch::x86_64::{
    __m256, _mm256_castpd_ps, _mm256_castps_pd, _mm256_loadu_ps, _mm256_max_ps,
    _mm256_permute4x64_pd, _mm256_shuffle_ps, _mm256_storeu_ps,
};

/// Cells of a vector.
const LANES: usize = 8;

pub(super) fn halve(_isa: Avx2, from: &[f32], size: Size, to: &mut [f32]) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    unsafe { halve_planes(from, size, to) }
}

#[target_feature(enable = "avx2,fma")]
fn halve_planes(from: &[f32], size: Size, to: &mut [f32]) {
    for_each_pair(from, size, to, |upper, lower, to| fold(upper, lower, to));
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn fold(upper: &[f32], lower: &[f32], to: &mut [f32]) {
    let (upper, upper_rest) = upper.as_chunks::<{ 2 * LANES }>();
    let (lower, lower_rest) = lower.as_chunks::<{ 2 * LANES }>();
    let (whole, rest) = to.split_at_mut(upper.len() * LANES);
    for ((to, upper), lower) in whole.as_chunks_mut::<LANES>().0.iter_mut().zip(upper).zip(lower) {
        let larger = _mm256_max_ps(larger_of_pairs(upper), larger_of_pairs(lower));
        // shuffles keep to halves of a register: quarters 0 2 1 3 are in order
        let in_order = _mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(larger));
        // SAFETY: `to` has room for eight numbers
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), _mm256_castpd_ps(in_order)) };
    }
    portable::fold(upper_rest, lower_rest, rest);
}

/// The larger of every two neighbours, in the order of the halves of both registers.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn larger_of_pairs(row: &[f32; 2 * LANES]) -> __m256 {
    // SAFETY: sixteen numbers are there
    let (a, b) =
        unsafe { (_mm256_loadu_ps(row.as_ptr()), _mm256_loadu_ps(row.as_ptr().add(LANES))) };
    let even = _mm256_shuffle_ps::<0b10_00_10_00>(a, b);
    let odd = _mm256_shuffle_ps::<0b11_01_11_01>(a, b);
    _mm256_max_ps(even, odd)
}
