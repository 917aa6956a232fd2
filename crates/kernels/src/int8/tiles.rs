//! The outputs of a convolution, some at a time.

use super::convolution::Convolution;
use super::strips::Strip;

/// Pixels whose sums are made together. When the outputs are fewer than a tile's places, the last
/// one takes several: its sums are made, and stored, more than once.
pub(super) struct Tile<const PIXELS: usize> {
    /// Where the kernel's first cell is, in bytes of the input.
    pub(super) from: [usize; PIXELS],
    /// Where the output goes: its first byte in a strip, or its place in a plane. Of halved
    /// outputs, every fourth counts.
    pub(super) to: [usize; PIXELS],
}

/// All outputs for planes.
pub(super) fn of_planes<const PIXELS: usize>(
    convolution: &Convolution,
    work: impl FnMut(&Tile<PIXELS>),
) {
    each::<PIXELS, false>(convolution, None, work);
}

/// The outputs of a strip of bytes. If `HALVE`, four pixels in a row are those of one window.
pub(super) fn of_bytes<const PIXELS: usize, const HALVE: bool>(
    convolution: &Convolution,
    strip: Strip,
    work: impl FnMut(&Tile<PIXELS>),
) {
    each::<PIXELS, HALVE>(convolution, Some(strip), work);
}

fn each<const PIXELS: usize, const HALVE: bool>(
    convolution: &Convolution,
    strip: Option<Strip>,
    mut work: impl FnMut(&Tile<PIXELS>),
) {
    const { assert!(!HALVE || PIXELS.is_multiple_of(4), "whole windows") };
    let (step, sums) = (convolution.step, convolution.size);
    let (row, column) = (step.strides.0 * step.input.row(), step.strides.1 * step.input.stride());
    let origin = convolution.origin();
    let from = |y: usize, x: usize| origin + y * row + x * column;
    let width = strip.map_or(sums.width, Strip::width);
    let to = |y: usize, x: usize| strip.map_or(y * width + x, |strip| strip.at(y, x));
    let (first, rows) = strip.map_or((0, sums.height), |strip| (strip.first(), strip.rows()));
    let last = (first + rows - 1, width - 1);
    let (mut y, mut x, mut done) = (first, 0, false);
    let mut tile = Tile { from: [0; PIXELS], to: [0; PIXELS] };
    while !done {
        for group in 0..if HALVE { PIXELS / 4 } else { PIXELS } {
            if HALVE {
                // where there is no further pixel, its neighbour is as large
                let below = (2 * y + 1).min(sums.height - 1);
                let right = (2 * x + 1).min(sums.width - 1);
                tile.from[4 * group] = from(2 * y, 2 * x);
                tile.from[4 * group + 1] = from(2 * y, right);
                tile.from[4 * group + 2] = from(below, 2 * x);
                tile.from[4 * group + 3] = from(below, right);
                tile.to[4 * group] = to(y, x);
            } else {
                tile.from[group] = from(y, x);
                tile.to[group] = to(y, x);
            }
            if (y, x) == last {
                done = true;
            } else if x + 1 == width {
                (y, x) = (y + 1, 0);
            } else {
                x += 1;
            }
        }
        work(&tile);
    }
}
