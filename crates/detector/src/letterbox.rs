//! Fitting an image into the network's input: without distorting it, as Darknet's `letterbox_image`
//! does, or side by side, as AlexeyAB's does with `resize_image` alone.

use crate::Resize;
use frame::{BoundingBox, ImageSize, RgbImage};

/// What Darknet fills the bars beside the image with: middle grey.
const FILL: f32 = 0.5;
/// Red, green, blue.
const CHANNELS: usize = 3;

/// Where an image lies in the network's input: all over it, or scaled to fit, in the middle, with
/// bars on two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letterbox {
    image: ImageSize,
    input: ImageSize,
    /// The image's size within the input.
    fitted: ImageSize,
}

impl Letterbox {
    pub(crate) fn of(resize: Resize, image: ImageSize, input: ImageSize) -> Self {
        match resize {
            Resize::Letterbox => Self::new(image, input),
            Resize::Stretch => Self { image, input, fitted: input },
        }
    }

    /// Darknet's rule, in whole pixels rounded down; at least one pixel is left of the thinnest
    /// image.
    pub(crate) fn new(image: ImageSize, input: ImageSize) -> Self {
        let scaled = |side: u32, target: u32, of: u32| {
            // never above the target's own side, so it fits in 32 bits
            (u64::from(side) * u64::from(target) / u64::from(of)).max(1) as u32
        };
        let wide =
            input.width as f32 / (image.width as f32) < input.height as f32 / (image.height as f32);
        let fitted = if wide {
            ImageSize {
                width: input.width,
                height: scaled(image.height, input.width, image.width).min(input.height),
            }
        } else {
            ImageSize {
                width: scaled(image.width, input.height, image.height).min(input.width),
                height: input.height,
            }
        };
        Self { image, input, fitted }
    }

    /// A box in pixels of the network's input as a box in pixels of the image (Darknet's
    /// `correct_yolo_boxes`).
    pub(crate) fn to_image(self, in_input: &BoundingBox) -> BoundingBox {
        // Darknet takes half the bar here, where the picture itself was placed at its floor
        let left = (self.input.width - self.fitted.width) as f32 / 2.0;
        let top = (self.input.height - self.fitted.height) as f32 / 2.0;
        let moved = BoundingBox { x: in_input.x - left, y: in_input.y - top, ..*in_input };
        moved.scaled(
            self.image.width as f32 / self.fitted.width as f32,
            self.image.height as f32 / self.fitted.height as f32,
        )
    }
}

/// Writes images into input tensors; keeps its tables and its row between images of the same size.
pub(crate) struct Letterboxer {
    resize: Resize,
    prepared: Option<Letterbox>,
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    /// One row of the image, already blended vertically, with one more pixel so that the last
    /// column has a right neighbour.
    row: Vec<f32>,
}

/// Which two neighbours an output pixel lies between.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    /// How much of the second goes in, 0 to 1.
    second_share: f32,
}

/// Darknet's `resize_image`: corners stay corners, so the scale is `(from - 1) / (to - 1)`, in
/// single precision.
fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = if to > 1 { (from - 1) as f32 / (to - 1) as f32 } else { 0.0 };
    let tap = |index: usize| {
        if index + 1 == to || from == 1 {
            return Tap { first: from - 1, second_share: 0.0 };
        }
        let position = index as f32 * scale;
        let first = (position as usize).min(from - 1);
        Tap { first, second_share: position - first as f32 }
    };
    (0..to).map(tap).collect()
}

impl Letterboxer {
    pub(crate) fn new(resize: Resize) -> Self {
        Self { resize, prepared: None, columns: Vec::new(), rows: Vec::new(), row: Vec::new() }
    }

    /// Fills the planes of one image, red, green, blue, each `input.height × input.width` values
    /// from 0 to 1.
    pub(crate) fn fill(
        &mut self,
        image: &RgbImage,
        input: ImageSize,
        planes: &mut [f32],
    ) -> Letterbox {
        let letterbox = Letterbox::of(self.resize, image.size(), input);
        self.prepare(letterbox);
        let (width, height) = (input.width as usize, input.height as usize);
        let (fitted_width, fitted_height) =
            (letterbox.fitted.width as usize, letterbox.fitted.height as usize);
        let (left, top) = ((width - fitted_width) / 2, (height - fitted_height) / 2);
        for plane in planes.chunks_exact_mut(width * height) {
            plane[..top * width].fill(FILL);
            plane[(top + fitted_height) * width..].fill(FILL);
        }
        let (red, rest) = planes.split_at_mut(width * height);
        let (green, blue) = rest.split_at_mut(width * height);
        let row_bytes = image.width() as usize * CHANNELS;
        for (index, tap) in self.rows.iter().enumerate() {
            let row_at = |y: usize| &image.data()[y * row_bytes..][..row_bytes];
            let below = (tap.first + 1).min(image.height() as usize - 1);
            blend_rows(&mut self.row, row_at(tap.first), row_at(below), tap.second_share);
            let start = (top + index) * width;
            let lines = [
                &mut red[start..][..width],
                &mut green[start..][..width],
                &mut blue[start..][..width],
            ];
            let lines = lines.map(|line| {
                let (bar, rest) = line.split_at_mut(left);
                let (picture, other_bar) = rest.split_at_mut(fitted_width);
                bar.fill(FILL);
                other_bar.fill(FILL);
                picture
            });
            blend_columns(lines, &self.row, &self.columns);
        }
        letterbox
    }

    fn prepare(&mut self, letterbox: Letterbox) {
        if self.prepared == Some(letterbox) {
            return;
        }
        let (from, to) = (letterbox.image, letterbox.fitted);
        self.columns = taps(from.width as usize, to.width as usize);
        self.rows = taps(from.height as usize, to.height as usize);
        self.row = vec![0.0; (from.width as usize + 1) * CHANNELS];
        self.prepared = Some(letterbox);
    }
}

/// The vertical half, on whole rows of bytes, which the compiler turns into vector instructions;
/// Darknet does it second, which gives the same but for rounding, and would blend twice as many
/// pixels horizontally.
fn blend_rows(out: &mut [f32], upper: &[u8], lower: &[u8], lower_share: f32) {
    const TO_UNIT: f32 = 1.0 / 255.0;
    let (upper_share, lower_share) = ((1.0 - lower_share) * TO_UNIT, lower_share * TO_UNIT);
    let (picture, extra) = out.split_at_mut(upper.len());
    if lower_share == 0.0 {
        for (out, upper) in picture.iter_mut().zip(upper) {
            *out = f32::from(*upper) * upper_share;
        }
    } else {
        for ((out, upper), lower) in picture.iter_mut().zip(upper).zip(lower) {
            *out = f32::from(*upper) * upper_share + f32::from(*lower) * lower_share;
        }
    }
    extra.copy_from_slice(&picture[upper.len() - CHANNELS..]);
}

/// The horizontal half, which also takes the colours apart.
fn blend_columns([red, green, blue]: [&mut [f32]; CHANNELS], row: &[f32], columns: &[Tap]) {
    for (((red, green), blue), tap) in red.iter_mut().zip(green).zip(blue).zip(columns) {
        // one check for the six values of both neighbours
        let pair = &row[tap.first * CHANNELS..][..2 * CHANNELS];
        let (second, first) = (tap.second_share, 1.0 - tap.second_share);
        *red = pair[0] * first + pair[3] * second;
        *green = pair[1] * first + pair[4] * second;
        *blue = pair[2] * first + pair[5] * second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(width: u32, height: u32) -> ImageSize {
        ImageSize { width, height }
    }

    fn filled(resize: Resize, image: &RgbImage, input: ImageSize) -> Vec<f32> {
        let mut planes = vec![f32::NAN; (input.width * input.height) as usize * CHANNELS];
        Letterboxer::new(resize).fill(image, input, &mut planes);
        planes
    }

    fn pattern(image: ImageSize) -> RgbImage {
        let data =
            (0..image.width * image.height * 3).map(|index| (index * 37 % 251) as u8).collect();
        RgbImage::new(image, data).unwrap()
    }

    /// Darknet's `letterbox_image`, or `resize_image` alone, written down plainly: horizontal pass,
    /// vertical pass, embed.
    fn plain(resize: Resize, image: &RgbImage, input: ImageSize) -> Vec<f32> {
        let letterbox = Letterbox::of(resize, image.size(), input);
        let (w, h) = (letterbox.fitted.width as usize, letterbox.fitted.height as usize);
        let (iw, ih) = (image.width() as usize, image.height() as usize);
        let (nw, nh) = (input.width as usize, input.height as usize);
        let mut out = vec![0.5; nw * nh * 3];
        for channel in 0..3 {
            let pixel =
                |x: usize, y: usize| f32::from(image.data()[(y * iw + x) * 3 + channel]) / 255.0;
            let across = |x: usize, y: usize| {
                if x == w - 1 || iw == 1 {
                    return pixel(iw - 1, y);
                }
                let position = x as f32 * (iw - 1) as f32 / (w - 1) as f32;
                let left = position as usize;
                let share = position - left as f32;
                (1.0 - share) * pixel(left, y) + share * pixel((left + 1).min(iw - 1), y)
            };
            for y in 0..h {
                let last = y == h - 1 || ih == 1;
                let position = if last {
                    (ih - 1) as f32
                } else {
                    y as f32 * (ih - 1) as f32 / (h - 1) as f32
                };
                let upper = position as usize;
                let share = position - upper as f32;
                for x in 0..w {
                    let value = (1.0 - share) * across(x, upper)
                        + if last { 0.0 } else { share * across(x, upper + 1) };
                    out[channel * nw * nh + ((nh - h) / 2 + y) * nw + (nw - w) / 2 + x] = value;
                }
            }
        }
        out
    }

    #[test]
    fn thin_images_keep_a_pixel() {
        assert_eq!(Letterbox::new(size(10_000, 1), size(416, 416)).fitted, size(416, 1));
        assert_eq!(Letterbox::new(size(1, 10_000), size(416, 416)).fitted, size(1, 416));
        assert_eq!(Letterbox::new(size(1, 1), size(416, 320)).fitted, size(320, 320));
    }

    #[test]
    fn a_second_image_leaves_nothing_of_the_first() {
        let input = size(16, 16);
        let mut planes = vec![f32::NAN; 16 * 16 * 3];
        let mut letterboxer = Letterboxer::new(Resize::Letterbox);
        letterboxer.fill(&pattern(size(30, 10)), input, &mut planes);
        letterboxer.fill(&pattern(size(10, 30)), input, &mut planes);
        assert_eq!(planes, filled(Resize::Letterbox, &pattern(size(10, 30)), input));
    }

    fn either() -> impl Strategy<Value = Resize> {
        prop_oneof![Just(Resize::Letterbox), Just(Resize::Stretch)]
    }

    #[test]
    fn a_stretched_image_has_no_bars_and_its_boxes_are_stretched_back() {
        let (image, input) = (pattern(size(40, 10)), size(20, 20));
        assert!(filled(Resize::Letterbox, &image, input)[..20].iter().all(|value| *value == FILL));
        let stretched = filled(Resize::Stretch, &image, input);
        // corners stay corners
        let corner = |x: usize, y: usize| f32::from(image.data()[(y * 40 + x) * 3]) / 255.0;
        for (at, wanted) in
            [(0, corner(0, 0)), (19, corner(39, 0)), (380, corner(0, 9)), (399, corner(39, 9))]
        {
            assert!((stretched[at] - wanted).abs() < 1e-6, "{at}");
        }
        let found = BoundingBox { x: 5.0, y: 5.0, width: 10.0, height: 10.0 };
        let back = Letterbox::of(Resize::Stretch, image.size(), input).to_image(&found);
        assert_eq!(back, BoundingBox { x: 10.0, y: 2.5, width: 20.0, height: 5.0 });
    }

    proptest! {
        #[test]
        fn every_pixel_is_as_in_the_plain_form(
            width in 1u32..90, height in 1u32..90, input_width in 1u32..70, input_height in 1u32..70, resize in either(),
        ) {
            let (image, input) = (pattern(size(width, height)), size(input_width, input_height));
            for (fast, plain) in filled(resize, &image, input).iter().zip(plain(resize, &image, input)) {
                // positions computed in another order may round to the neighbouring pixel's share
                prop_assert!((fast - plain).abs() < 1e-3, "{fast} {plain}");
            }
        }

        #[test]
        fn a_box_comes_back_from_the_input_where_it_was(
            resize in either(), width in 1u32..5000, height in 1u32..5000, x in 0.0f32..1.0, y in 0.0f32..1.0, w in 0.0f32..1.0, h in 0.0f32..1.0,
        ) {
            let letterbox = Letterbox::of(resize, size(width, height), size(416, 320));
            let fitted = letterbox.fitted;
            let (fw, fh) = (fitted.width as f32, fitted.height as f32);
            let in_input =
                BoundingBox { x: x * fw + (416.0 - fw) / 2.0, y: y * fh + (320.0 - fh) / 2.0, width: w * fw, height: h * fh };
            let back = letterbox.to_image(&in_input);
            let wanted = BoundingBox { x, y, width: w, height: h }.scaled(width as f32, height as f32);
            for (found, wanted, side) in [
                (back.x, wanted.x, width), (back.y, wanted.y, height), (back.width, wanted.width, width), (back.height, wanted.height, height),
            ] {
                // half a thousandth of a side: what single precision leaves of an input coordinate in a thin image
                let fitted_side = if side == width { fw } else { fh }.min(fw.min(fh));
                prop_assert!((found - wanted).abs() <= side as f32 * 2e-4 / fitted_side.max(0.1) + 1e-3, "{back:?} {wanted:?}");
            }
        }
    }
}
