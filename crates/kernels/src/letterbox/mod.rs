//! Bilinear resizing of an image into planes of numbers, with bars where it does not reach.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod taps;

use crate::isa::Level;
use crate::{Isa, Size};
use taps::Tap;

/// Red, green, blue.
const CHANNELS: usize = 3;
/// What Darknet fills the bars beside the image with: middle grey.
const FILL: f32 = 0.5;
/// From bytes to 0 to 1.
const TO_UNIT: f32 = 1.0 / 255.0;

/// Where an image goes: scaled to `fitted`, into the middle of planes of the size `input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Of the image given.
    pub image: Size,
    /// Of the image within a plane; no side longer than the plane's.
    pub fitted: Size,
    /// Of a plane.
    pub input: Size,
}

/// Writes images into planes; keeps its tables and its row between images of the same size.
#[derive(Clone, Debug)]
pub struct Letterboxer {
    isa: Isa,
    prepared: Option<Placement>,
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    /// One row of the image, already blended vertically, with one more pixel so that the last
    /// column has a right neighbour.
    row: Vec<f32>,
}

impl Letterboxer {
    /// With the instructions given; no memory is taken yet.
    #[must_use]
    pub fn new(isa: Isa) -> Self {
        Self { isa, prepared: None, columns: Vec::new(), rows: Vec::new(), row: Vec::new() }
    }

    /// Fills three planes, one after the other: from `pixels`, interleaved bytes of red, green and
    /// blue, become numbers from 0 to 1, resized as Darknet's `resize_image` does, but for the
    /// order of rounding; what the image does not reach becomes 0.5.
    ///
    /// # Panics
    /// When a slice's length is not that of the placement, a side of the image is 0, or the fitted
    /// image is larger than a plane.
    pub fn fill(&mut self, pixels: &[u8], placement: Placement, planes: &mut [f32]) {
        let Placement { image, fitted, input } = placement;
        assert_eq!(pixels.len(), image.area() * CHANNELS, "three bytes a pixel");
        assert_eq!(planes.len(), input.area() * CHANNELS, "three planes");
        assert!(image.area() > 0, "an image of some pixels");
        assert!(fitted.width <= input.width && fitted.height <= input.height, "it fits");
        self.prepare(placement);
        let (left, top) = ((input.width - fitted.width) / 2, (input.height - fitted.height) / 2);
        if planes.is_empty() {
            return;
        }
        for plane in planes.chunks_exact_mut(input.area()) {
            plane[..top * input.width].fill(FILL);
            plane[(top + fitted.height) * input.width..].fill(FILL);
        }
        let (red, rest) = planes.split_at_mut(input.area());
        let (green, blue) = rest.split_at_mut(input.area());
        let row_bytes = image.width * CHANNELS;
        for (index, tap) in self.rows.iter().enumerate() {
            let row_at = |y: usize| &pixels[y * row_bytes..][..row_bytes];
            let below = (tap.first + 1).min(image.height - 1);
            blend_rows(
                self.isa,
                &mut self.row,
                [row_at(tap.first), row_at(below)],
                tap.second_share,
            );
            let start = (top + index) * input.width;
            let lines = [&mut *red, &mut *green, &mut *blue].map(|plane| {
                let (bar, rest) = plane[start..][..input.width].split_at_mut(left);
                let (picture, other_bar) = rest.split_at_mut(fitted.width);
                bar.fill(FILL);
                other_bar.fill(FILL);
                picture
            });
            portable::blend_columns(lines, &self.row, &self.columns);
        }
    }

    fn prepare(&mut self, placement: Placement) {
        if self.prepared == Some(placement) {
            return;
        }
        let (from, to) = (placement.image, placement.fitted);
        self.columns = taps::between(from.width, to.width);
        self.rows = taps::between(from.height, to.height);
        self.row = vec![0.0; (from.width + 1) * CHANNELS];
        self.prepared = Some(placement);
    }
}

/// The vertical half, on whole rows of bytes; Darknet does it second, which gives the same but for
/// rounding, and would blend twice as many pixels horizontally.
fn blend_rows(isa: Isa, out: &mut [f32], [upper, lower]: [&[u8]; 2], lower_share: f32) {
    let (picture, extra) = out.split_at_mut(upper.len());
    let shares = [(1.0 - lower_share) * TO_UNIT, lower_share * TO_UNIT];
    match isa.level() {
        Level::Portable => portable::blend_rows(picture, [upper, lower], shares),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::blend_rows(isa, picture, [upper, lower], shares),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::blend_rows(isa, picture, [upper, lower], shares),
    }
    extra.copy_from_slice(&picture[upper.len() - CHANNELS..]);
}
