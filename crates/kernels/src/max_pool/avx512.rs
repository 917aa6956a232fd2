//! Sixteen cells at a time, the rest of a row under a mask.
#![allow(unsafe_code, reason = "calls and loads of AVX-512, each with its argument")]

use super::{for_each_pair, portable};
use crate::Size;
use crate::isa::Avx512;
use std::arch::x86_64::{
    __m512, __m512i, __mmask16, _mm512_castpd_ps, _mm512_castps_pd, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_permutexvar_pd, _mm512_set_epi64,
    _mm512_shuffle_ps,
};

/// Cells of a vector.
const LANES: usize = 16;

pub(super) fn halve(_isa: Avx512, from: &[f32], size: Size, to: &mut [f32]) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    unsafe { halve_planes(from, size, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn halve_planes(from: &[f32], size: Size, to: &mut [f32]) {
    for_each_pair(from, size, to, |upper, lower, to| fold(upper, lower, to));
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn fold(upper: &[f32], lower: &[f32], to: &mut [f32]) {
    // shuffles keep to quarters of a register: these eighths are in order
    let order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
    let pairs = upper.len() / 2;
    let (upper, upper_rest) = upper.split_at(2 * pairs);
    let (lower, lower_rest) = lower.split_at(2 * pairs);
    let (whole, rest) = to.split_at_mut(pairs);
    let rows = upper.chunks(2 * LANES).zip(lower.chunks(2 * LANES));
    for (to, (upper, lower)) in whole.chunks_mut(LANES).zip(rows) {
        let larger = _mm512_max_ps(larger_of_pairs(upper), larger_of_pairs(lower));
        store(to, in_order(order, larger));
    }
    portable::fold(upper_rest, lower_rest, rest);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn in_order(order: __m512i, cells: __m512) -> __m512 {
    _mm512_castpd_ps(_mm512_permutexvar_pd(order, _mm512_castps_pd(cells)))
}

/// The larger of every two neighbours of up to 32, in the order of the quarters of both registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn larger_of_pairs(row: &[f32]) -> __m512 {
    let (a, b) = row.split_at(row.len().min(LANES));
    let (a, b) = (load(a), load(b));
    let even = _mm512_shuffle_ps::<0b10_00_10_00>(a, b);
    let odd = _mm512_shuffle_ps::<0b11_01_11_01>(a, b);
    _mm512_max_ps(even, odd)
}

/// The first lanes, as many as there are numbers, up to all of them.
fn mask(numbers: usize) -> __mmask16 {
    if numbers >= LANES { __mmask16::MAX } else { (1 << numbers) - 1 }
}

/// Up to sixteen numbers, and zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn load(numbers: &[f32]) -> __m512 {
    // SAFETY: lanes beyond the slice are masked, and not read
    unsafe { _mm512_maskz_loadu_ps(mask(numbers.len()), numbers.as_ptr()) }
}

/// As many as `to` has room for, up to sixteen.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn store(to: &mut [f32], cells: __m512) {
    // SAFETY: lanes beyond the slice are masked, and not written
    unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask(to.len()), cells) }
}
