//! Rows as slices, which the compiler turns into vector instructions.

use super::CHANNELS;
use super::taps::Tap;

/// A row of both neighbours, by their shares.
pub(super) fn blend_rows(out: &mut [f32], [upper, lower]: [&[u8]; 2], shares: [f32; 2]) {
    for ((out, upper), lower) in out.iter_mut().zip(upper).zip(lower) {
        *out = f32::from(*upper) * shares[0] + f32::from(*lower) * shares[1];
    }
}

/// The horizontal half, which also takes the colours apart.
pub(super) fn blend_columns(
    [red, green, blue]: [&mut [f32]; CHANNELS],
    row: &[f32],
    columns: &[Tap],
) {
    for (((red, green), blue), tap) in red.iter_mut().zip(green).zip(blue).zip(columns) {
        // one check for the six values of both neighbours
        let pair = &row[tap.first * CHANNELS..][..2 * CHANNELS];
        let (second, first) = (tap.second_share, 1.0 - tap.second_share);
        *red = pair[0] * first + pair[3] * second;
        *green = pair[1] * first + pair[4] * second;
        *blue = pair[2] * first + pair[5] * second;
    }
}
