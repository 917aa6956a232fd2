//! Sixteen vectors of sixteen.
#![allow(unsafe_code, reason = "calls of AVX-512, each with its argument")]

use crate::isa::Avx512;
use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps, _mm512_storeu_ps};

/// Numbers of a vector.
const LANES: usize = 16;
/// Enough for two units that take four or five cycles, and few enough for 32 registers.
const VECTORS: usize = 16;

pub(super) fn run(_isa: Avx512, rounds: usize, factor: f32, term: f32) -> (usize, f32) {
    // SAFETY: an `Avx512` exists only where the processor has the instructions
    let sum = unsafe { in_vectors(rounds, factor, term) };
    (LANES * VECTORS, sum)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn in_vectors(rounds: usize, factor: f32, term: f32) -> f32 {
    let (factor, term) = (_mm512_set1_ps(factor), _mm512_set1_ps(term));
    let mut vectors = [_mm512_set1_ps(1.0); VECTORS];
    for _ in 0..rounds {
        for vector in &mut vectors {
            *vector = _mm512_fmadd_ps(*vector, factor, term);
        }
    }
    let mut numbers = [[0.0; LANES]; VECTORS];
    for (numbers, vector) in numbers.iter_mut().zip(vectors) {
        // SAFETY: there is room for sixteen numbers
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), vector) };
    }
    numbers.as_flattened().iter().sum()
}
