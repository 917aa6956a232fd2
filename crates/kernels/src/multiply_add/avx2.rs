//! Twelve vectors of eight.
#![allow(unsafe_code, reason = "calls of AVX2 and FMA, each with its argument")]

use crate::isa::Avx2;
use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm256_storeu_ps};

/// Numbers of a vector.
const LANES: usize = 8;
/// Enough for two units that take four or five cycles, and few enough for sixteen registers.
const VECTORS: usize = 12;

pub(super) fn run(_isa: Avx2, rounds: usize, factor: f32, term: f32) -> (usize, f32) {
    // SAFETY: an `Avx2` exists only where the processor has the instructions
    let sum = unsafe { in_vectors(rounds, factor, term) };
    (LANES * VECTORS, sum)
}

#[target_feature(enable = "avx2,fma")]
fn in_vectors(rounds: usize, factor: f32, term: f32) -> f32 {
    let (factor, term) = (_mm256_set1_ps(factor), _mm256_set1_ps(term));
    let mut vectors = [_mm256_set1_ps(1.0); VECTORS];
    for _ in 0..rounds {
        for vector in &mut vectors {
            *vector = _mm256_fmadd_ps(*vector, factor, term);
        }
    }
    let mut numbers = [[0.0; LANES]; VECTORS];
    for (numbers, vector) in numbers.iter_mut().zip(vectors) {
        // SAFETY: there is room for eight numbers
        unsafe { _mm256_storeu_ps(numbers.as_mut_ptr(), vector) };
    }
    numbers.as_flattened().iter().sum()
}
