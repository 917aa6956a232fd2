//! Which instructions sum products of bytes.

#[cfg(target_arch = "x86_64")]
use crate::isa::{Avx2, Avx512Vnni, AvxVnni};
#[cfg(target_arch = "aarch64")]
use crate::isa::{DotProd, I8mm, Neon};
use std::sync::LazyLock;

/// A way to sum products of bytes that this processor has; as [`crate::Isa`], with the instructions
/// for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int8Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What the compiler makes of plain Rust.
    Portable,
    /// 16-bit products, of which pairs are summed.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// 256-bit dot products of bytes.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    /// 512-bit dot products of bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512Vnni),
    /// 16-bit products, of which pairs are summed.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// 128-bit dot products of signed bytes.
    #[cfg(target_arch = "aarch64")]
    DotProd(DotProd),
    /// 128-bit dot products of unsigned with signed bytes.
    #[cfg(target_arch = "aarch64")]
    I8mm(I8mm),
}

impl Int8Isa {
    /// Plain Rust, which every processor runs.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The quickest one; the processor is asked once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: LazyLock<Int8Isa> =
            LazyLock::new(|| Int8Isa::available().last().copied().unwrap_or(Int8Isa::PORTABLE));
        *BEST
    }

    /// All that this processor has, the quickest one last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let detected = [
            Avx2::detect().map(Level::Avx2),
            AvxVnni::detect().map(Level::AvxVnni),
            Avx512Vnni::detect().map(Level::Avx512Vnni),
        ];
        #[cfg(target_arch = "aarch64")]
        let detected = [
            Neon::detect().map(Level::Neon),
            DotProd::detect().map(Level::DotProd),
            I8mm::detect().map(Level::I8mm),
        ];
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
            Level::AvxVnni(_) => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni(_) => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Level::Neon(_) => "neon",
            #[cfg(target_arch = "aarch64")]
            Level::DotProd(_) => "neon-dotprod",
            #[cfg(target_arch = "aarch64")]
            Level::I8mm(_) => "neon-i8mm",
        }
    }

    pub(super) fn level(self) -> Level {
        self.0
    }
}
