//! The outputs of a convolution, some at a time.

use super::Layout;
use super::convolution::Convolution;

/// Pixels whose sums are made together. When the outputs are fewer than a tile's places, the last
/// one takes several: its sums are made, and stored, more than once.
pub(super) struct Tile<const PIXELS: usize> {
    /// Where the kernel's first cell is, in bytes of the input.
    pub(super) from: [usize; PIXELS],
    /// Where the output goes: its first byte in a layout, or its place in a plane. Of halved
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

/// All outputs for bytes that lie so. If `HALVE`, four pixels in a row are those of one window.
pub(super) fn of_bytes<const PIXELS: usize, const HALVE: bool>(
    convolution: &Convolution,
    layout: Layout,
    work: impl FnMut(&Tile<PIXELS>),
) {
    each::<PIXELS, HALVE>(convolution, Some(layout), work);
}

fn each<const PIXELS: usize, const HALVE: bool>(
    convolution: &Convolution,
    layout: Option<Layout>,
    mut work: impl FnMut(&Tile<PIXELS>),
) {
    const { assert!(!HALVE || PIXELS.is_multiple_of(4), "whole windows") };
    let (step, sums) = (convolution.step, convolution.size);
    let (row, column) = (step.strides.0 * step.input.row(), step.strides.1 * step.input.stride());
    let origin = convolution.origin();
    let from = |y: usize, x: usize| origin + y * row + x * column;
    let out = layout.map_or(sums, Layout::size);
    let to = |y: usize, x: usize| layout.map_or(y * out.width + x, |layout| layout.at(y, x));
    let last = (out.height - 1, out.width - 1);
    let (mut y, mut x, mut done) = (0, 0, false);
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
            } else if x + 1 == out.width {
                (y, x) = (y + 1, 0);
            } else {
                x += 1;
            }
        }
        work(&tile);
    }
}
