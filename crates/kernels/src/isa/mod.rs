//! Which instructions a kernel may use.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{DotProd, I8mm, Neon};
use std::sync::LazyLock;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Avx2, Avx512, Avx512Bf16, Avx512Vnni, AvxVnni};

/// An instruction set that this processor has; kernels have a version for each.
///
/// There is no other way to a value than [`Isa::best`] and [`Isa::available`], which ask the
/// processor. So whoever holds one may run its instructions, and a test forces a version by
/// choosing among those that are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Level);

/// What kernels choose by; each payload proves that the processor has the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What the compiler makes of plain Rust for any processor of the target.
    Portable,
    /// AVX2 and FMA: x86-64-v3.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 F, BW, DQ and VL: x86-64-v4.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// NEON, of 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Isa {
    /// Plain Rust, which every processor runs.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The most capable one; the processor is asked once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: LazyLock<Isa> =
            LazyLock::new(|| Isa::available().last().copied().unwrap_or(Isa::PORTABLE));
        *BEST
    }

    /// All that this processor has, the most capable one last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let detected = [Avx2::detect().map(Level::Avx2), Avx512::detect().map(Level::Avx512)];
        #[cfg(target_arch = "aarch64")]
        let detected = [Neon::detect().map(Level::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let detected: [Option<Level>; 0] = [];
        std::iter::once(Self::PORTABLE).chain(detected.into_iter().flatten().map(Self)).collect()
    }

    /// A short name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon(_) => "neon",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}
