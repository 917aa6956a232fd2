//! Rows as slices, which the compiler turns into vector instructions.

use super::taps::Columns;
use super::{CHANNELS, TO_UNIT};

/// A row of both neighbours, by their shares.
pub(super) fn blend_rows(out: &mut [f32], [upper, lower]: [&[u8]; 2], shares: [f32; 2]) {
    for ((out, upper), lower) in out.iter_mut().zip(upper).zip(lower) {
        *out = f32::from(*upper) * shares[0] + f32::from(*lower) * shares[1];
    }
}

pub(super) fn blend_columns(lines: [&mut [f32]; CHANNELS], row: &[f32], columns: &Columns) {
    blend_columns_from(0, lines, row, columns);
}

/// The columns from the given one on.
pub(super) fn blend_columns_from(
    first: usize,
    [red, green, blue]: [&mut [f32]; CHANNELS],
    row: &[f32],
    columns: &Columns,
) {
    let out = red[first..].iter_mut().zip(&mut green[first..]).zip(&mut blue[first..]);
    for (((red, green), blue), pixel) in out.zip(pixels(first, row, columns)) {
        [*red, *green, *blue] = pixel;
    }
}

pub(super) fn blend_columns_to_bytes(line: &mut [u8], row: &[f32], columns: &Columns) {
    blend_columns_to_bytes_from(0, line, row, columns);
}

/// The columns from the given one on.
pub(super) fn blend_columns_to_bytes_from(
    first: usize,
    line: &mut [u8],
    row: &[f32],
    columns: &Columns,
) {
    let out = line.as_chunks_mut::<CHANNELS>().0[first..].iter_mut();
    for (out, pixel) in out.zip(pixels(first, row, columns)) {
        // the cast cuts off
        *out = pixel.map(|value| (value * 255.0 + 0.5) as u8);
    }
}

/// Red, green and blue of each column from the given one on.
fn pixels<'a>(
    first: usize,
    row: &'a [f32],
    columns: &'a Columns,
) -> impl Iterator<Item = [f32; CHANNELS]> + 'a {
    let columns = columns.starts[first..].iter().zip(&columns.second_shares[first..]);
    columns.map(move |(start, second)| {
        // one check for the six values of both neighbours
        let pair = &row[*start..][..2 * CHANNELS];
        let first = 1.0 - second;
        [0, 1, 2].map(|channel| pair[channel] * first + pair[channel + CHANNELS] * second)
    })
}

/// Red, green and blue of a row as numbers from 0 to 1.
pub(super) fn split([red, green, blue]: [&mut [f32]; CHANNELS], row: &[u8]) {
    let pixels = row.as_chunks::<CHANNELS>().0;
    for (((red, green), blue), pixel) in red.iter_mut().zip(green).zip(blue).zip(pixels) {
        [*red, *green, *blue] = pixel.map(|byte| f32::from(byte) * TO_UNIT);
    }
}
