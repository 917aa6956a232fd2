//! One output at a time, in plain Rust.

use super::convolution::{Cell, Convolution, DEPTH, PANEL, ToBytes};
use super::tiles::{self, Tile};

pub(super) fn to_bytes(work: &ToBytes<'_>, from: &[u8], to: &mut [u8]) {
    let convolution = work.convolution;
    for panel in 0..convolution.panels() {
        if work.halve {
            tiles::of_bytes::<4, true>(convolution, work.layout, |tile: &Tile<4>| {
                let sums = tile.from.map(|at| sums(convolution, panel, from, at));
                let largest =
                    |index: usize| sums.iter().map(|sums| sums[index]).fold(i32::MIN, i32::max);
                finish(work, panel, &std::array::from_fn(largest), &mut to[tile.to[0]..]);
            });
        } else {
            tiles::of_bytes::<1, false>(convolution, work.layout, |tile: &Tile<1>| {
                let sums = sums(convolution, panel, from, tile.from[0]);
                finish(work, panel, &sums, &mut to[tile.to[0]..]);
            });
        }
    }
}

pub(super) fn to_planes(convolution: &Convolution, from: &[u8], to: &mut [f32]) {
    for panel in 0..convolution.panels() {
        tiles::of_planes::<1>(convolution, |tile| {
            let sums = sums(convolution, panel, from, tile.from[0]);
            convolution.scatter(panel, &[sums], &tile.to, to);
        });
    }
}

fn sums(convolution: &Convolution, panel: usize, from: &[u8], at: usize) -> [i32; PANEL] {
    let mut sums = convolution.starts[panel];
    let depth = convolution.depth;
    let cells = convolution.panel(panel).chunks_exact(depth);
    for (run, cells) in convolution.runs.iter().zip(cells) {
        let bytes = &from[at + run..][..depth * DEPTH];
        for (bytes, Cell(weights)) in bytes.as_chunks::<DEPTH>().0.iter().zip(cells) {
            for (sum, weights) in sums.iter_mut().zip(weights) {
                for (byte, weight) in bytes.iter().zip(weights) {
                    *sum += i32::from(*byte) * i32::from(*weight);
                }
            }
        }
    }
    sums
}

/// Sums become bytes.
fn finish(work: &ToBytes<'_>, panel: usize, sums: &[i32; PANEL], to: &mut [u8]) {
    let convolution = work.convolution;
    let (factors, addends) = (&convolution.factors[panel], &convolution.addends[panel]);
    let (low, high) = work.limits();
    for (filter, byte) in to[panel * PANEL..][..PANEL].iter_mut().enumerate() {
        let value = sums[filter] as f32 * factors[filter] + addends[filter];
        let value = value.max(value * convolution.slope).max(low).min(high);
        *byte = (rounded(value) + i32::from(work.zero)) as u8;
    }
}

/// To the nearest integer, to the even one of two; below 2²² in size.
pub(super) fn rounded(value: f32) -> i32 {
    // adding it leaves no room for the fraction
    const SHIFT: f32 = 12_582_912.0;
    ((value + SHIFT) - SHIFT) as i32
}
