//! Sixteen filters at a time, four products each: `vpdpbusd` on 512 bits.
#![allow(unsafe_code, reason = "calls, loads and stores of AVX-512, each with its argument")]

use super::convolution::{Cell, Convolution, DEPTH, PANEL, ToBytes};

use super::tiles::{self, Tile};
use crate::isa::Avx512Vnni;
use std::arch::x86_64::{
    __m128i, __m512, __m512i, _mm_storeu_si128, _mm512_add_epi32, _mm512_add_ps,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_dpbusd_epi32,
    _mm512_load_si512, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_max_epi32, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_slli_epi32, _mm512_storeu_si512,
};

/// Pixels whose sums stay in registers, beside the weights and a pixel: of two panels, of two
/// panels in windows of four, and of one panel.
const PAIR: usize = 13;
const PAIR_HALVED: usize = 12;
const SINGLE: usize = 24;

pub(super) fn to_bytes(_isa: Avx512Vnni, work: &ToBytes<'_>, from: &[u8], to: &mut [u8]) {
    let convolution = work.convolution;
    let panels = convolution.panels();
    for panel in (0..panels).step_by(2) {
        let pair = panel + 1 < panels;
        match (pair, work.halve) {
            (true, false) => tiles::of_bytes::<PAIR, false>(convolution, work.layout, |tile| {
                // SAFETY: an `Avx512Vnni` exists only where the processor has the instructions
                unsafe { bytes::<PAIR, 2, false>(work, panel, from, tile, to) }
            }),
            (true, true) => {
                tiles::of_bytes::<PAIR_HALVED, true>(convolution, work.layout, |tile| {
                    // SAFETY: as above
                    unsafe { bytes::<PAIR_HALVED, 2, true>(work, panel, from, tile, to) }
                });
            }
            (false, false) => {
                tiles::of_bytes::<SINGLE, false>(convolution, work.layout, |tile| {
                    // SAFETY: as above
                    unsafe { bytes::<SINGLE, 1, false>(work, panel, from, tile, to) }
                });
            }
            (false, true) => tiles::of_bytes::<SINGLE, true>(convolution, work.layout, |tile| {
                // SAFETY: as above
                unsafe { bytes::<SINGLE, 1, true>(work, panel, from, tile, to) }
            }),
        }
    }
}

pub(super) fn to_planes(_isa: Avx512Vnni, convolution: &Convolution, from: &[u8], to: &mut [f32]) {
    let panels = convolution.panels();
    for panel in (0..panels).step_by(2) {
        if panel + 1 < panels {
            tiles::of_planes::<PAIR>(convolution, |tile| {
                // SAFETY: an `Avx512Vnni` exists only where the processor has the instructions
                unsafe { planes::<PAIR, 2>(convolution, panel, from, tile, to) }
            });
        } else {
            tiles::of_planes::<SINGLE>(convolution, |tile| {
                // SAFETY: as above
                unsafe { planes::<SINGLE, 1>(convolution, panel, from, tile, to) }
            });
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn bytes<const PIXELS: usize, const PANELS: usize, const HALVE: bool>(
    work: &ToBytes<'_>,
    panel: usize,
    from: &[u8],
    tile: &Tile<PIXELS>,
    to: &mut [u8],
) {
    let convolution = work.convolution;
    let mut sums = [[_mm512_set1_epi32(0); PANELS]; PIXELS];
    sum(convolution, panel, from, &tile.from, &mut sums);
    let slope = _mm512_set1_ps(convolution.slope);
    let (low, high) = work.limits();
    let (low, high) = (_mm512_set1_ps(low), _mm512_set1_ps(high));
    let zero = _mm512_set1_epi32(i32::from(work.zero));
    let step = if HALVE { 4 } else { 1 };
    for index in 0..PANELS {
        let (factors, addends) = scales(convolution, panel + index);
        let mut pixel = 0;
        while pixel < PIXELS {
            let mut largest = sums[pixel][index];
            if HALVE {
                largest = _mm512_max_epi32(
                    _mm512_max_epi32(largest, sums[pixel + 1][index]),
                    _mm512_max_epi32(sums[pixel + 2][index], sums[pixel + 3][index]),
                );
            }
            let value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(largest), factors), addends);
            let value = _mm512_max_ps(value, _mm512_mul_ps(value, slope));
            let value = _mm512_min_ps(_mm512_max_ps(value, low), high);
            let value = _mm512_add_epi32(_mm512_cvtps_epi32(value), zero);
            let place = &mut to[tile.to[pixel] + (panel + index) * PANEL..][..PANEL];
            // SAFETY: `place` has room for sixteen bytes
            unsafe {
                _mm_storeu_si128(place.as_mut_ptr().cast::<__m128i>(), _mm512_cvtepi32_epi8(value));
            }
            pixel += step;
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn planes<const PIXELS: usize, const PANELS: usize>(
    convolution: &Convolution,
    panel: usize,
    from: &[u8],
    tile: &Tile<PIXELS>,
    to: &mut [f32],
) {
    let mut sums = [[_mm512_set1_epi32(0); PANELS]; PIXELS];
    sum(convolution, panel, from, &tile.from, &mut sums);
    for index in 0..PANELS {
        let mut rows = [[0; PANEL]; PIXELS];
        for (row, sums) in rows.iter_mut().zip(&sums) {
            // SAFETY: `row` has room for sixteen sums
            unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast::<__m512i>(), sums[index]) };
        }
        convolution.scatter(panel + index, &rows, &tile.to, to);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn scales(convolution: &Convolution, panel: usize) -> (__m512, __m512) {
    let (factors, addends) = (&convolution.factors[panel], &convolution.addends[panel]);
    // SAFETY: both have sixteen numbers
    unsafe { (_mm512_loadu_ps(factors.as_ptr()), _mm512_loadu_ps(addends.as_ptr())) }
}

/// Of each pixel and filter. They stay in registers until all products are in, which they would not
/// if they were returned: the return value has a place in memory.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn sum<const PIXELS: usize, const PANELS: usize>(
    convolution: &Convolution,
    panel: usize,
    from: &[u8],
    at: &[usize; PIXELS],
    out: &mut [[__m512i; PANELS]; PIXELS],
) {
    let depth = convolution.depth;
    let mut starts = [_mm512_set1_epi32(0); PANELS];
    for (index, start) in starts.iter_mut().enumerate() {
        let numbers = convolution.starts[panel + index].as_ptr();
        // SAFETY: sixteen numbers are there
        *start = unsafe { _mm512_loadu_si512(numbers.cast::<__m512i>()) };
    }
    let mut sums = [starts; PIXELS];
    let mut panels: [&[Cell]; PANELS] = [&[]; PANELS];
    for (index, cells) in panels.iter_mut().enumerate() {
        *cells = convolution.panel(panel + index);
    }
    let room = from.len().checked_sub(convolution.span()).expect("an input of one output at least");
    assert!(at.iter().all(|at| *at <= room), "all that the outputs read is there");
    for (run, offset) in convolution.runs.iter().enumerate() {
        let mut cells = panels;
        for cells in &mut cells {
            *cells = &cells[run * depth..][..depth];
        }
        let mut pixels = [from.as_ptr(); PIXELS];
        for (pixel, at) in pixels.iter_mut().zip(at) {
            // SAFETY: a span from each of the pixels on is within `from`, and no run reads beyond
            // it: the last one ends where the span does
            *pixel = unsafe { pixel.add(at + offset) };
        }
        for step in 0..depth {
            let mut weights = starts;
            for index in 0..PANELS {
                // SAFETY: `step` is below `depth`, as many cells as there are; a cell is aligned
                weights[index] =
                    unsafe { _mm512_load_si512(cells[index].as_ptr().add(step).cast::<__m512i>()) };
            }
            for pixel in 0..PIXELS {
                // SAFETY: four bytes of a run of 4 · depth bytes
                let bytes =
                    unsafe { pixels[pixel].add(step * DEPTH).cast::<i32>().read_unaligned() };
                let bytes = _mm512_set1_epi32(bytes);
                for index in 0..PANELS {
                    sums[pixel][index] =
                        _mm512_dpbusd_epi32(sums[pixel][index], bytes, weights[index]);
                }
            }
        }
    }
    *out = sums;
}

/// One row of an image.
pub(super) fn quantize(_isa: Avx512Vnni, rows: &[&[f32]], to: &mut [[u8; 4]]) {
    // SAFETY: an `Avx512Vnni` exists only where the processor has the instructions
    unsafe { quantize_row(rows, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quantize_row(rows: &[&[f32]], to: &mut [[u8; 4]]) {
    let (white, black) = (_mm512_set1_ps(255.0), _mm512_set1_ps(0.0));
    let (blocks, rest) = to.as_chunks_mut::<PANEL>();
    let done = blocks.len() * PANEL;
    for (block, pixels) in blocks.iter_mut().enumerate() {
        let mut words = _mm512_set1_epi32(0);
        for row in rows.iter().rev() {
            let numbers = &row[block * PANEL..][..PANEL];
            // SAFETY: sixteen numbers are there
            let numbers = unsafe { _mm512_loadu_ps(numbers.as_ptr()) };
            // of two operands of which one is no number, the maximum is the second
            let numbers = _mm512_max_ps(_mm512_mul_ps(numbers, white), black);
            let bytes = _mm512_cvtps_epi32(_mm512_min_ps(numbers, white));
            words = _mm512_or_si512(_mm512_slli_epi32::<8>(words), bytes);
        }
        // SAFETY: `pixels` has room for sixteen times four bytes
        unsafe { _mm512_storeu_si512(pixels.as_mut_ptr().cast::<__m512i>(), words) };
    }
    let mut rests: [&[f32]; 4] = [&[]; 4];
    for (rest, row) in rests.iter_mut().zip(rows) {
        *rest = &row[done..];
    }
    super::quantize::portable(&rests[..rows.len()], rest);
}
