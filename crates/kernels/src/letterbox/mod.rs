//! Bilinear resizing of an image into planes of numbers or into a smaller picture, with bars where
//! it does not reach.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod taps;

use crate::isa::Level;
use crate::{Isa, Size};
use taps::{Columns, Tap};

/// Red, green, blue.
const CHANNELS: usize = 3;
/// What Darknet fills the bars beside the image with: middle grey.
const FILL: f32 = 0.5;
/// The same as a byte.
const FILL_BYTE: u8 = 128;
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

/// Resizes images into planes or pictures; keeps its tables and its row between images of the same
/// size.
#[derive(Clone, Debug)]
pub struct Letterboxer {
    isa: Isa,
    prepared: Option<Placement>,
    columns: Columns,
    rows: Vec<Tap>,
    /// One row of the image, already blended vertically, and [`BESIDE`] it.
    row: Vec<f32>,
}

/// Values beside a row: one more pixel, so that the last column has a right neighbour, and a fourth
/// value, so that a vector of four holds a pixel.
const BESIDE: usize = CHANNELS + 1;

impl Letterboxer {
    /// With the instructions given; no memory is taken yet.
    #[must_use]
    pub fn new(isa: Isa) -> Self {
        Self { isa, prepared: None, columns: Columns::default(), rows: Vec::new(), row: Vec::new() }
    }

    /// Fills three planes, one after the other: from `pixels`, interleaved bytes of red, green and
    /// blue, become numbers from 0 to 1, resized as Darknet's `resize_image` does, but for the
    /// order of rounding; what the image does not reach becomes 0.5.
    ///
    /// An image that already has the size that it is to be fitted to only has its colours taken
    /// apart, which gives the same numbers.
    ///
    /// # Panics
    /// When a slice's length is not that of the placement, a side of the image is 0, or the fitted
    /// image is larger than a plane.
    pub fn fill(&mut self, pixels: &[u8], placement: Placement, planes: &mut [f32]) {
        placement.check(pixels, planes.len());
        let Placement { image, fitted, input } = placement;
        if planes.is_empty() {
            return;
        }
        let (_, top) = placement.corner();
        for plane in planes.chunks_exact_mut(input.area()) {
            plane[..top * input.width].fill(FILL);
            plane[(top + fitted.height) * input.width..].fill(FILL);
        }
        let (red, rest) = planes.split_at_mut(input.area());
        let (green, blue) = rest.split_at_mut(input.area());
        let mut planes = [red, green, blue];
        if image == fitted {
            for (index, row) in pixels.chunks_exact(image.width * CHANNELS).enumerate() {
                split(self.isa, placement.lines(&mut planes, index), row);
            }
            return;
        }
        self.prepare(placement);
        for (index, tap) in self.rows.iter().enumerate() {
            blend_rows(self.isa, &mut self.row, pixels, image, *tap);
            let lines = placement.lines(&mut planes, index);
            blend_columns(self.isa, lines, &self.row, &self.columns);
        }
    }

    /// Fills a picture of the input's size, interleaved bytes of red, green and blue: the numbers
    /// that [`Self::fill`] writes, times 255, rounded to nearest; what the image does not reach
    /// becomes 128.
    ///
    /// # Panics
    /// When a slice's length is not that of the placement, a side of the image is 0, or the fitted
    /// image is larger than the picture.
    pub fn fill_bytes(&mut self, pixels: &[u8], placement: Placement, picture: &mut [u8]) {
        placement.check(pixels, picture.len());
        let Placement { image, fitted, input } = placement;
        if picture.is_empty() {
            return;
        }
        let (left, top) = placement.corner();
        let row_bytes = input.width * CHANNELS;
        let (upper_bar, rest) = picture.split_at_mut(top * row_bytes);
        let (middle, lower_bar) = rest.split_at_mut(fitted.height * row_bytes);
        upper_bar.fill(FILL_BYTE);
        lower_bar.fill(FILL_BYTE);
        let lines = middle.chunks_exact_mut(row_bytes).map(|line| {
            let (bar, rest) = line.split_at_mut(left * CHANNELS);
            let (picture, other_bar) = rest.split_at_mut(fitted.width * CHANNELS);
            bar.fill(FILL_BYTE);
            other_bar.fill(FILL_BYTE);
            picture
        });
        if image == fitted {
            for (line, row) in lines.zip(pixels.chunks_exact(image.width * CHANNELS)) {
                line.copy_from_slice(row);
            }
            return;
        }
        self.prepare(placement);
        for (line, tap) in lines.zip(&self.rows) {
            blend_rows(self.isa, &mut self.row, pixels, image, *tap);
            blend_columns_to_bytes(self.isa, line, &self.row, &self.columns);
        }
    }

    fn prepare(&mut self, placement: Placement) {
        if self.prepared == Some(placement) {
            return;
        }
        let (from, to) = (placement.image, placement.fitted);
        self.columns = Columns::of(&taps::between(from.width, to.width));
        self.rows = taps::between(from.height, to.height);
        self.row = vec![0.0; from.width * CHANNELS + BESIDE];
        self.prepared = Some(placement);
    }
}

impl Placement {
    fn check(self, pixels: &[u8], values: usize) {
        let Self { image, fitted, input } = self;
        assert_eq!(pixels.len(), image.area() * CHANNELS, "three bytes a pixel");
        assert_eq!(values, input.area() * CHANNELS, "three values a pixel of the input");
        assert!(image.area() > 0, "an image of some pixels");
        assert!(fitted.width <= input.width && fitted.height <= input.height, "it fits");
    }

    /// Where the fitted image starts: columns from the left, rows from the top.
    fn corner(self) -> (usize, usize) {
        let Self { fitted, input, .. } = self;
        ((input.width - fitted.width) / 2, (input.height - fitted.height) / 2)
    }

    /// A line of the fitted image in each plane; fills the bars on both sides of it.
    fn lines<'a>(
        self,
        planes: &'a mut [&mut [f32]; CHANNELS],
        index: usize,
    ) -> [&'a mut [f32]; CHANNELS] {
        let (left, top) = self.corner();
        planes.each_mut().map(|plane| {
            let line = &mut plane[(top + index) * self.input.width..][..self.input.width];
            let (bar, rest) = line.split_at_mut(left);
            let (picture, other_bar) = rest.split_at_mut(self.fitted.width);
            bar.fill(FILL);
            other_bar.fill(FILL);
            picture
        })
    }
}

/// The vertical half, on whole rows of bytes; Darknet does it second, which gives the same but for
/// rounding, and would blend twice as many pixels horizontally.
fn blend_rows(isa: Isa, out: &mut [f32], pixels: &[u8], image: Size, tap: Tap) {
    let row_bytes = image.width * CHANNELS;
    let row_at = |y: usize| &pixels[y * row_bytes..][..row_bytes];
    let rows = [row_at(tap.first), row_at((tap.first + 1).min(image.height - 1))];
    let shares = [(1.0 - tap.second_share) * TO_UNIT, tap.second_share * TO_UNIT];
    let (picture, extra) = out.split_at_mut(row_bytes);
    match isa.level() {
        Level::Portable => portable::blend_rows(picture, rows, shares),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::blend_rows(isa, picture, rows, shares),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::blend_rows(isa, picture, rows, shares),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::blend_rows(isa, picture, rows, shares),
    }
    extra[..CHANNELS].copy_from_slice(&picture[row_bytes - CHANNELS..]);
}

/// The horizontal half, which also takes the colours apart.
fn blend_columns(isa: Isa, lines: [&mut [f32]; CHANNELS], row: &[f32], columns: &Columns) {
    match isa.level() {
        Level::Portable => portable::blend_columns(lines, row, columns),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::blend_columns(isa, lines, row, columns),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::blend_columns(isa, lines, row, columns),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::blend_columns(isa, lines, row, columns),
    }
}

/// The horizontal half, which leaves the colours together.
fn blend_columns_to_bytes(isa: Isa, line: &mut [u8], row: &[f32], columns: &Columns) {
    match isa.level() {
        Level::Portable => portable::blend_columns_to_bytes(line, row, columns),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::blend_columns_to_bytes(isa, line, row, columns),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::blend_columns_to_bytes(isa, line, row, columns),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::blend_columns_to_bytes(isa, line, row, columns),
    }
}

/// Takes the colours apart.
fn split(isa: Isa, lines: [&mut [f32]; CHANNELS], row: &[u8]) {
    match isa.level() {
        Level::Portable => portable::split(lines, row),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::split(isa, lines, row),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::split(isa, lines, row),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::split(isa, lines, row),
    }
}
