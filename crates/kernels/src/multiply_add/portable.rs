//! Vectors of four, which every processor of the targets has.

/// Numbers of a vector.
const LANES: usize = 4;
/// Vectors that are worked on at once, so that none waits for its own last result.
const VECTORS: usize = 12;

pub(super) fn run(rounds: usize, factor: f32, term: f32) -> (usize, f32) {
    let mut numbers = [[1.0f32; LANES]; VECTORS];
    for _ in 0..rounds {
        for number in numbers.as_flattened_mut() {
            // without an instruction for both, `mul_add` would be a slow call
            *number = if cfg!(target_arch = "aarch64") {
                number.mul_add(factor, term)
            } else {
                *number * factor + term
            };
        }
    }
    (LANES * VECTORS, numbers.as_flattened().iter().sum())
}
