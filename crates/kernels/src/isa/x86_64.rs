//! What x86-64 processors may have beyond SSE2. A value proves that the instructions are there.

/// AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        all.then_some(Self(()))
    }
}

/// AVX-512 F, BW, DQ and VL, with AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let all = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        all.then_some(Self(()))
    }
}

/// AVX-512 F, BW, DQ and VL, and the dot products of pairs that came with AVX-512 BF16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512Bf16(Avx512);

impl Avx512Bf16 {
    pub(crate) fn detect() -> Option<Self> {
        let avx512 = Avx512::detect().filter(|_| is_x86_feature_detected!("avx512bf16"));
        avx512.map(Self)
    }
}

impl From<Avx512Bf16> for Avx512 {
    fn from(isa: Avx512Bf16) -> Self {
        isa.0
    }
}

/// AVX2 and the dot products of bytes that came with AVX-VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AvxVnni(());

impl AvxVnni {
    pub(crate) fn detect() -> Option<Self> {
        let all = Avx2::detect().is_some() && is_x86_feature_detected!("avxvnni");
        all.then_some(Self(()))
    }
}

/// AVX-512 F, BW, DQ and VL, and the dot products of bytes that came with AVX-512 VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512Vnni(());

impl Avx512Vnni {
    pub(crate) fn detect() -> Option<Self> {
        let all = Avx512::detect().is_some() && is_x86_feature_detected!("avx512vnni");
        all.then_some(Self(()))
    }
}
