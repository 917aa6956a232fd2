//! One register of 512 bits, with dot products of pairs of bfloat16.
#![allow(unsafe_code, reason = "calls of AVX-512 BF16, each with its argument")]

use super::avx512::Register;
use super::lanes::{BLOCK, Lanes, Work};
use crate::isa::{Avx512, Avx512Bf16};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_si512,
    _mm512_permutexvar_epi16,
};

/// What AVX-512 has, and the dot products; made only with a token for these.
#[derive(Clone, Copy)]
struct Pairs(Register);

pub(super) fn run<W: Work>(isa: Avx512Bf16, work: W) -> W::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    fn enter<W: Work>(isa: Avx512Bf16, work: W) -> W::Output {
        work.run::<Pairs>(isa)
    }
    // SAFETY: an `Avx512Bf16` exists only where the processor has the instructions
    unsafe { enter(isa, work) }
}

/// Words of one half and the other in turn.
static IN_TURN: [u16; 32] = {
    let mut places = [0; 32];
    let mut lane = 0;
    while lane < BLOCK {
        places[2 * lane] = lane as u16;
        places[2 * lane + 1] = (BLOCK + lane) as u16;
        lane += 1;
    }
    places
};

impl Lanes for Pairs {
    type Token = Avx512Bf16;
    const COLUMNS: usize = Register::COLUMNS;
    const ROWS: usize = Register::ROWS;
    const NEIGHBOURS: usize = Register::NEIGHBOURS;

    #[inline(always)]
    fn splat(token: Avx512Bf16, value: f32) -> Self {
        Self(Register::splat(Avx512::from(token), value))
    }

    #[inline(always)]
    fn load(token: Avx512Bf16, from: &[f32; BLOCK]) -> Self {
        Self(Register::load(Avx512::from(token), from))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; BLOCK]) {
        self.0.store(to);
    }

    #[inline(always)]
    fn prefetch(token: Avx512Bf16, from: &[f32; BLOCK], ahead: usize) {
        Register::prefetch(Avx512::from(token), from, ahead);
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0.add(other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0.sub(other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0.mul(other.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(self.0.mul_add(factor.0, addend.0))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    #[inline(always)]
    fn pair(_: Avx512Bf16, low: Self, high: Self) -> Self {
        // SAFETY: the token proves the instructions, the places are 64 bytes, and all three types
        // are plain registers of 512 bits
        unsafe {
            let places = _mm512_loadu_si512((&raw const IN_TURN).cast::<__m512i>());
            let halves = _mm512_cvtne2ps_pbh(high.0.0, low.0.0);
            let words = std::mem::transmute::<__m512bh, __m512i>(halves);
            let words = _mm512_permutexvar_epi16(places, words);
            Self(Register(std::mem::transmute::<__m512i, __m512>(words)))
        }
    }

    #[inline(always)]
    fn dot(self, _: Avx512Bf16, other: Self, addend: Self) -> Self {
        // SAFETY: the token proves the instruction; both types are plain registers of 512 bits
        unsafe {
            let ours = std::mem::transmute::<__m512, __m512bh>(self.0.0);
            let others = std::mem::transmute::<__m512, __m512bh>(other.0.0);
            Self(Register(_mm512_dpbf16_ps(addend.0.0, ours, others)))
        }
    }
}
