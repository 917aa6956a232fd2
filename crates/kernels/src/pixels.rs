//! Moving activations about whose channels lie together, `[batch, height, width, padded channels]`.
//!
//! The channels of a pixel are padded to a multiple of [`BLOCK`] ([`padded`]). What is beyond the
//! channels is never read as one, but may be any number that is not infinite.

use crate::Size;
use crate::conv::{BLOCK, padded};

/// From planes, `[batch, channels, height, width]`.
///
/// # Panics
/// When a slice has another length.
pub fn from_planes(planes: &[f32], channels: usize, size: Size, to: &mut [f32]) {
    let (area, depth) = (size.area(), padded(channels));
    assert_eq!(planes.len() * depth, to.len() * channels, "as many values on both sides");
    if planes.is_empty() {
        return;
    }
    let images = planes.chunks_exact(area * channels).zip(to.chunks_exact_mut(area * depth));
    for (planes, to) in images {
        for (pixel, to) in to.chunks_exact_mut(depth).enumerate() {
            let (values, rest) = to.split_at_mut(channels);
            for (value, plane) in values.iter_mut().zip(planes.chunks_exact(area)) {
                *value = plane[pixel];
            }
            rest.fill(0.0);
        }
    }
}

/// To planes, `[batch, channels, height, width]`.
///
/// # Panics
/// When a slice has another length.
pub fn to_planes(from: &[f32], channels: usize, size: Size, planes: &mut [f32]) {
    let (area, depth) = (size.area(), padded(channels));
    assert_eq!(planes.len() * depth, from.len() * channels, "as many values on both sides");
    if planes.is_empty() {
        return;
    }
    let images = planes.chunks_exact_mut(area * channels).zip(from.chunks_exact(area * depth));
    for (planes, from) in images {
        // a block of channels at a time, so that a line of the cache is read once
        for (first, planes) in (0..).step_by(BLOCK).zip(planes.chunks_mut(area * BLOCK)) {
            for (pixel, values) in from.chunks_exact(depth).enumerate() {
                let planes = planes.chunks_exact_mut(area);
                for (plane, value) in planes.zip(&values[first..first + BLOCK]) {
                    plane[pixel] = *value;
                }
            }
        }
    }
}

/// The channels of several inputs, one input after the other. Each input comes with its channels.
///
/// # Panics
/// When a slice has another length.
pub fn concat(inputs: &[(&[f32], usize)], to: &mut [f32]) {
    let depth = padded(inputs.iter().map(|(_, channels)| channels).sum());
    let mut first = 0;
    for (from, channels) in inputs {
        let pixels = from.chunks_exact(padded(*channels));
        assert_eq!(pixels.len() * depth, to.len(), "as many pixels on both sides");
        for (from, to) in pixels.zip(to.chunks_exact_mut(depth)) {
            to[first..first + channels].copy_from_slice(&from[..*channels]);
        }
        first += channels;
    }
    if first < depth {
        to.chunks_exact_mut(depth).for_each(|to| to[first..].fill(0.0));
    }
}

/// Some channels of an input that has `of`.
///
/// # Panics
/// When a slice has another length, or there are not so many channels.
pub fn select(from: &[f32], of: usize, channels: std::ops::Range<usize>, to: &mut [f32]) {
    let depth = padded(channels.len());
    let pixels = from.chunks_exact(padded(of));
    assert_eq!(pixels.len() * depth, to.len(), "as many pixels on both sides");
    for (from, to) in pixels.zip(to.chunks_exact_mut(depth)) {
        let (values, rest) = to.split_at_mut(channels.len());
        values.copy_from_slice(&from[channels.clone()]);
        rest.fill(0.0);
    }
}

/// Each pixel becomes a square of this side.
///
/// # Panics
/// When a slice has another length.
pub fn upsample(from: &[f32], channels: usize, width: usize, stride: usize, to: &mut [f32]) {
    let depth = padded(channels);
    assert_eq!(from.len() * stride * stride, to.len(), "a square for each pixel");
    if from.is_empty() {
        return;
    }
    let lines = from.chunks_exact(width * depth);
    for (from, to) in lines.zip(to.chunks_exact_mut(stride * stride * width * depth)) {
        let (first, others) = to.split_at_mut(stride * width * depth);
        for (from, to) in from.chunks_exact(depth).zip(first.chunks_exact_mut(stride * depth)) {
            to.chunks_exact_mut(depth).for_each(|to| to.copy_from_slice(from));
        }
        others.chunks_exact_mut(first.len()).for_each(|to| to.copy_from_slice(first));
    }
}

/// The windows of a pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Rows and columns of a window.
    pub sides: (usize, usize),
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// Cells above and to the left of the input; they never win.
    pub before: (usize, usize),
    /// Of the output.
    pub output: Size,
}

/// The largest value of each window; windows may reach beyond the input, but each must have a cell
/// in it.
///
/// # Panics
/// When a slice has another length, or a window has no cell.
pub fn max_pool(from: &[f32], channels: usize, size: Size, windows: &Windows, to: &mut [f32]) {
    let depth = padded(channels);
    let output = windows.output;
    assert_eq!(from.len() * output.area(), to.len() * size.area(), "as many images on both sides");
    if to.is_empty() {
        return;
    }
    let range = |at: usize, stride: usize, side: usize, before: usize, all: usize| {
        let first = (at * stride).saturating_sub(before);
        let last = (at * stride + side).saturating_sub(before).min(all);
        assert!(first < last, "each window has a cell in the input");
        first..last
    };
    let images = from.chunks_exact(size.area() * depth);
    for (from, to) in images.zip(to.chunks_exact_mut(output.area() * depth)) {
        for (index, to) in to.chunks_exact_mut(depth).enumerate() {
            let (y, x) = (index / output.width, index % output.width);
            let rows = range(y, windows.strides.0, windows.sides.0, windows.before.0, size.height);
            let columns =
                range(x, windows.strides.1, windows.sides.1, windows.before.1, size.width);
            let mut empty = true;
            for row in rows {
                for column in columns.clone() {
                    let cell = &from[(row * size.width + column) * depth..][..depth];
                    if empty {
                        to.copy_from_slice(cell);
                        empty = false;
                    } else {
                        for (largest, value) in to.iter_mut().zip(cell) {
                            *largest = if *largest > *value { *largest } else { *value };
                        }
                    }
                }
            }
        }
    }
}
