//! How pairs of bfloat16 are multiplied: by instructions for it, or widened to 32 bits.

use super::lanes::Work;
use crate::Isa;

/// The best way within an instruction set.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) enum PairIsa {
    Portable,
    Avx2(crate::isa::Avx2),
    Avx512Bf16(crate::isa::Avx512Bf16),
}

#[cfg(target_arch = "x86_64")]
impl PairIsa {
    pub(super) fn of(isa: Isa) -> Self {
        use crate::isa::{Avx2, Avx512Bf16, Level};
        match isa.level() {
            Level::Portable => Self::Portable,
            Level::Avx2(isa) => Self::Avx2(isa),
            Level::Avx512(_) => match (Avx512Bf16::detect(), Avx2::detect()) {
                (Some(isa), _) => Self::Avx512Bf16(isa),
                (None, Some(isa)) => Self::Avx2(isa),
                (None, None) => Self::Portable,
            },
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2(_) => "avx2",
            Self::Avx512Bf16(_) => "avx512-bf16",
        }
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            Self::Portable => super::portable::run(work),
            Self::Avx2(isa) => super::avx2::run(isa, work),
            Self::Avx512Bf16(isa) => super::avx512_bf16::run(isa, work),
        }
    }
}

/// The vectors of numbers, by which pairs are widened.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(super) struct PairIsa(Isa);

#[cfg(not(target_arch = "x86_64"))]
impl PairIsa {
    pub(super) fn of(isa: Isa) -> Self {
        Self(isa)
    }

    pub(super) fn name(self) -> &'static str {
        self.0.name()
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        super::on(self.0, work)
    }
}
