//! What arm64 processors may have. A value proves that the instructions are there.

use std::arch::is_aarch64_feature_detected;

/// NEON, which all processors have that run a common operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub(crate) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// NEON, and the dot products of signed bytes of Armv8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DotProd(());

impl DotProd {
    pub(crate) fn detect() -> Option<Self> {
        let all = Neon::detect().is_some() && is_aarch64_feature_detected!("dotprod");
        all.then_some(Self(()))
    }
}

/// NEON, and the dot products of unsigned with signed bytes of Armv8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct I8mm(());

impl I8mm {
    pub(crate) fn detect() -> Option<Self> {
        let all = Neon::detect().is_some() && is_aarch64_feature_detected!("i8mm");
        all.then_some(Self(()))
    }
}
