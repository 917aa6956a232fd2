//! Twenty-four vectors of four.
#![allow(unsafe_code, reason = "calls of NEON, each with its argument")]

use crate::isa::Neon;
use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vst1q_f32};

/// Numbers of a vector.
const LANES: usize = 4;
/// Enough for four units that take four cycles, and few enough for 32 registers.
const VECTORS: usize = 24;

pub(super) fn run(_isa: Neon, rounds: usize, factor: f32, term: f32) -> (usize, f32) {
    // SAFETY: a `Neon` exists only where the processor has the instructions
    let sum = unsafe { in_vectors(rounds, factor, term) };
    (LANES * VECTORS, sum)
}

#[target_feature(enable = "neon")]
fn in_vectors(rounds: usize, factor: f32, term: f32) -> f32 {
    let (factor, term) = (vdupq_n_f32(factor), vdupq_n_f32(term));
    let mut vectors = [vdupq_n_f32(1.0); VECTORS];
    for _ in 0..rounds {
        for vector in &mut vectors {
            *vector = vfmaq_f32(term, *vector, factor);
        }
    }
    let mut numbers = [[0.0; LANES]; VECTORS];
    for (numbers, vector) in numbers.iter_mut().zip(vectors) {
        // SAFETY: there is room for four numbers
        unsafe { vst1q_f32(numbers.as_mut_ptr(), vector) };
    }
    numbers.as_flattened().iter().sum()
}
