//! Where a byte occurs first.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::Isa;
use crate::isa::Level;

/// The index of the first `wanted` in `bytes`.
#[must_use]
pub fn find_byte(isa: Isa, wanted: u8, bytes: &[u8]) -> Option<usize> {
    match isa.level() {
        Level::Portable => portable::find(wanted, bytes),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::find(isa, wanted, bytes),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::find(isa, wanted, bytes),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::find(isa, wanted, bytes),
    }
}
