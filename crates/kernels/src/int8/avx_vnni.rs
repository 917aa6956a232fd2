//! Eight filters at a time, four products each: `vpdpbusd` on 256 bits.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX2, each with its argument")]

use super::avx2;
use super::convolution::{Convolution, DEPTH, PANEL, ToBytes};
use super::tiles::{self, Tile};
use crate::isa::AvxVnni;
use std::arch::x86_64::{
    __m256i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_loadu_si256, _mm256_max_epi32,
    _mm256_set1_epi32, _mm256_storeu_si256,
};

/// Half a panel: the filters of a vector.
const HALF: usize = PANEL / 2;
/// Pixels whose sums stay in registers, beside the weights and a pixel.
const PIXELS: usize = 6;
/// The same in windows of four.
const PIXELS_HALVED: usize = 4;

pub(super) fn to_bytes(_isa: AvxVnni, work: &ToBytes<'_>, from: &[u8], to: &mut [u8]) {
    let convolution = work.convolution;
    for panel in 0..convolution.panels() {
        if work.halve {
            tiles::of_bytes::<PIXELS_HALVED, true>(convolution, work.layout, |tile| {
                // SAFETY: an `AvxVnni` exists only where the processor has the instructions
                unsafe { bytes::<PIXELS_HALVED, true>(work, panel, from, tile, to) }
            });
        } else {
            tiles::of_bytes::<PIXELS, false>(convolution, work.layout, |tile| {
                // SAFETY: as above
                unsafe { bytes::<PIXELS, false>(work, panel, from, tile, to) }
            });
        }
    }
}

pub(super) fn to_planes(_isa: AvxVnni, convolution: &Convolution, from: &[u8], to: &mut [f32]) {
    for panel in 0..convolution.panels() {
        tiles::of_planes::<PIXELS>(convolution, |tile| {
            // SAFETY: an `AvxVnni` exists only where the processor has the instructions
            unsafe { planes(convolution, panel, from, tile, to) }
        });
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn bytes<const PIXELS: usize, const HALVE: bool>(
    work: &ToBytes<'_>,
    panel: usize,
    from: &[u8],
    tile: &Tile<PIXELS>,
    to: &mut [u8],
) {
    let mut sums = [[_mm256_set1_epi32(0); 2]; PIXELS];
    sum(work.convolution, panel, from, &tile.from, &mut sums);
    let mut pixel = 0;
    while pixel < PIXELS {
        let mut largest = sums[pixel];
        if HALVE {
            for (half, sum) in largest.iter_mut().enumerate() {
                *sum = _mm256_max_epi32(
                    _mm256_max_epi32(*sum, sums[pixel + 1][half]),
                    _mm256_max_epi32(sums[pixel + 2][half], sums[pixel + 3][half]),
                );
            }
        }
        avx2::finish(work, panel, largest, &mut to[tile.to[pixel]..]);
        pixel += if HALVE { 4 } else { 1 };
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn planes(
    convolution: &Convolution,
    panel: usize,
    from: &[u8],
    tile: &Tile<PIXELS>,
    to: &mut [f32],
) {
    let mut sums = [[_mm256_set1_epi32(0); 2]; PIXELS];
    sum(convolution, panel, from, &tile.from, &mut sums);
    let mut rows = [[0; PANEL]; PIXELS];
    for (row, sums) in rows.iter_mut().zip(&sums) {
        for (row, sums) in row.as_chunks_mut::<HALF>().0.iter_mut().zip(sums) {
            // SAFETY: `row` has room for eight sums
            unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast::<__m256i>(), *sums) };
        }
    }
    convolution.scatter(panel, &rows, &tile.to, to);
}

/// Of each pixel and filter. They stay in registers until all products are in, which they would not
/// if they were returned: the return value has a place in memory.
#[target_feature(enable = "avx2,fma,avxvnni")]
#[inline]
fn sum<const PIXELS: usize>(
    convolution: &Convolution,
    panel: usize,
    from: &[u8],
    at: &[usize; PIXELS],
    out: &mut [[__m256i; 2]; PIXELS],
) {
    let depth = convolution.depth;
    let mut starts = [_mm256_set1_epi32(0); 2];
    let numbers = convolution.starts[panel].as_chunks::<HALF>().0;
    for (start, numbers) in starts.iter_mut().zip(numbers) {
        // SAFETY: eight numbers are there
        *start = unsafe { _mm256_loadu_si256(numbers.as_ptr().cast::<__m256i>()) };
    }
    let mut sums = [starts; PIXELS];
    let room = from.len().checked_sub(convolution.span()).expect("an input of one output at least");
    assert!(at.iter().all(|at| *at <= room), "all that the outputs read is there");
    let runs = convolution.runs.iter().zip(convolution.panel(panel).chunks_exact(depth));
    for (offset, cells) in runs {
        let mut pixels = [from.as_ptr(); PIXELS];
        for (pixel, at) in pixels.iter_mut().zip(at) {
            // SAFETY: a span from each of the pixels on is within `from`, and no run reads beyond
            // it: the last one ends where the span does
            *pixel = unsafe { pixel.add(at + offset) };
        }
        for (step, cell) in cells.iter().enumerate() {
            let mut weights = starts;
            for (half, weights) in weights.iter_mut().enumerate() {
                // SAFETY: a cell is aligned and has twice 32 bytes
                *weights = unsafe {
                    _mm256_load_si256(std::ptr::from_ref(cell).cast::<__m256i>().add(half))
                };
            }
            for pixel in 0..PIXELS {
                // SAFETY: four bytes of a run of 4 · depth bytes
                let bytes =
                    unsafe { pixels[pixel].add(step * DEPTH).cast::<i32>().read_unaligned() };
                let bytes = _mm256_set1_epi32(bytes);
                for half in 0..2 {
                    sums[pixel][half] =
                        _mm256_dpbusd_avx_epi32(sums[pixel][half], bytes, weights[half]);
                }
            }
        }
    }
    *out = sums;
}
