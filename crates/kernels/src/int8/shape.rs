//! What stands between convolutions: bytes that are moved or compared.

use super::Layout;

/// A window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub size: usize,
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// Cells before the first, on both axes, that never win.
    pub before: usize,
}

/// The largest byte of each window; windows that reach beyond the image take what is there.
///
/// # Panics
/// When a slice does not have the length of its layout, the layouts' pixels differ, or a window is
/// beside the image.
pub fn max_pool(
    window: Window,
    (from, input): (&[u8], Layout),
    (to, output): (&mut [u8], Layout),
    zero: u8,
) {
    assert_eq!((from.len(), to.len()), (input.bytes(), output.bytes()), "bytes of the layouts");
    assert_eq!(input.stride(), output.stride(), "the same channels");
    let span = |at: usize, stride: usize, side: usize| {
        let start = at * stride;
        let first = start.saturating_sub(window.before);
        let end = (start + window.size).saturating_sub(window.before).min(side);
        assert!(first < end, "a window over the image");
        first..end
    };
    let stride = input.stride();
    for y in 0..output.size().height {
        let rows = span(y, window.strides.0, input.size().height);
        for x in 0..output.size().width {
            let columns = span(x, window.strides.1, input.size().width);
            let out = &mut to[output.at(y, x)..][..stride];
            out.copy_from_slice(&from[input.at(rows.start, columns.start)..][..stride]);
            for y in rows.clone() {
                for x in columns.clone() {
                    let cell = &from[input.at(y, x)..][..stride];
                    for (largest, byte) in out.iter_mut().zip(cell) {
                        *largest = (*largest).max(*byte);
                    }
                }
            }
        }
    }
    output.surround(to, zero);
}

/// Each pixel becomes a square of that side.
///
/// # Panics
/// When a slice does not have the length of its layout, or the output's sides are not `side` times
/// the input's.
pub fn upsample(
    side: usize,
    (from, input): (&[u8], Layout),
    (to, output): (&mut [u8], Layout),
    zero: u8,
) {
    assert_eq!((from.len(), to.len()), (input.bytes(), output.bytes()), "bytes of the layouts");
    assert_eq!(input.stride(), output.stride(), "the same channels");
    let (small, large) = (input.size(), output.size());
    assert_eq!((large.width, large.height), (small.width * side, small.height * side), "the sides");
    let stride = input.stride();
    for y in 0..large.height {
        let row = &from[input.row_at(y / side)];
        let out = to[output.row_at(y)].chunks_exact_mut(side * stride);
        for (square, pixel) in out.zip(row.chunks_exact(stride)) {
            for out in square.chunks_exact_mut(stride) {
                out.copy_from_slice(pixel);
            }
        }
    }
    output.surround(to, zero);
}

/// Channels of several images side by side: of each, `(bytes, layout, channels)`. All of them, and
/// the outcome, have the same quantisation.
///
/// # Panics
/// When a slice does not have the length of its layout, sizes differ, or the channels do not fit.
pub fn concat(parts: &[(&[u8], Layout, usize)], (to, output): (&mut [u8], Layout), zero: u8) {
    assert_eq!(to.len(), output.bytes(), "the output's bytes");
    let mut first = 0;
    for (from, input, channels) in parts {
        channels_at((from, *input, 0), (to, output, first), *channels);
        first += channels;
    }
    output.surround(to, zero);
}

/// Some channels of an image: as many as `channels`, from `first` on.
///
/// # Panics
/// When a slice does not have the length of its layout, sizes differ, or there are not as many
/// channels.
pub fn channels(
    (first, channels): (usize, usize),
    (from, input): (&[u8], Layout),
    (to, output): (&mut [u8], Layout),
    zero: u8,
) {
    channels_at((from, input, first), (to, output, 0), channels);
    output.surround(to, zero);
}

/// Copies channels from one place in each pixel to another.
fn channels_at(
    (from, input, start): (&[u8], Layout, usize),
    (to, output, place): (&mut [u8], Layout, usize),
    channels: usize,
) {
    assert_eq!((from.len(), to.len()), (input.bytes(), output.bytes()), "bytes of the layouts");
    assert_eq!(input.size(), output.size(), "the same sides");
    for y in 0..input.size().height {
        let pixels = from[input.row_at(y)].chunks_exact(input.stride());
        let out = to[output.row_at(y)].chunks_exact_mut(output.stride());
        for (out, pixel) in out.zip(pixels) {
            out[place..][..channels].copy_from_slice(&pixel[start..][..channels]);
        }
    }
}
