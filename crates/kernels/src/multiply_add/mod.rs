//! How fast a core multiplies and adds: the upper bound of every convolution.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::Isa;
use crate::isa::Level;

/// Makes each of some independent numbers in registers `number * factor + term`, `rounds` times,
/// as fast as the instructions allow, without reading memory. Returns how many floating-point
/// operations these were (a multiplication and an addition are two), and the sum of the numbers,
/// which begin at 1.
#[must_use]
pub fn multiply_add(isa: Isa, rounds: usize, factor: f32, term: f32) -> (u64, f32) {
    let (numbers, sum) = match isa.level() {
        Level::Portable => portable::run(rounds, factor, term),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::run(isa, rounds, factor, term),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::run(isa, rounds, factor, term),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::run(isa, rounds, factor, term),
    };
    (2 * rounds as u64 * numbers as u64, sum)
}
