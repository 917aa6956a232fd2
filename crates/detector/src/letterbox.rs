//! Fitting an image into the network's input: without distorting it, as Darknet's `letterbox_image`
//! does, or side by side, as AlexeyAB's does with `resize_image` alone.

use crate::Resize;
use frame::{BoundingBox, ImageSize, RgbImage};
use kernels::{Isa, Placement, Size};

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
        Self { image, input, fitted: resize.fitted(image, input) }
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

/// Writes images into input tensors; keeps its tables between images of the same size.
pub(crate) struct Letterboxer {
    resize: Resize,
    kernel: kernels::Letterboxer,
}

impl Letterboxer {
    pub(crate) fn new(resize: Resize) -> Self {
        Self { resize, kernel: kernels::Letterboxer::new(Isa::best()) }
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
        let placement = Placement {
            image: size(letterbox.image),
            fitted: size(letterbox.fitted),
            input: size(letterbox.input),
        };
        self.kernel.fill(image.data(), placement, planes);
        letterbox
    }
}

fn size(of: ImageSize) -> Size {
    Size { width: of.width as usize, height: of.height as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(width: u32, height: u32) -> ImageSize {
        ImageSize { width, height }
    }

    fn filled(resize: Resize, image: &RgbImage, input: ImageSize) -> Vec<f32> {
        let mut planes = vec![f32::NAN; (input.width * input.height) as usize * 3];
        Letterboxer::new(resize).fill(image, input, &mut planes);
        planes
    }

    fn pattern(image: ImageSize) -> RgbImage {
        let data =
            (0..image.width * image.height * 3).map(|index| (index * 37 % 251) as u8).collect();
        RgbImage::new(image, data).unwrap()
    }

    fn either() -> impl Strategy<Value = Resize> {
        prop_oneof![Just(Resize::Letterbox), Just(Resize::Stretch)]
    }

    #[test]
    fn stretched_images_have_no_bars_and_boxes_map_back() {
        let (image, input) = (pattern(size(40, 10)), size(20, 20));
        assert!(filled(Resize::Letterbox, &image, input)[..20].iter().all(|value| *value == 0.5));
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
        fn a_box_comes_back_from_the_input_where_it_was(
            resize in either(), width in 1u32..5000, height in 1u32..5000,
            x in 0.0f32..1.0, y in 0.0f32..1.0, w in 0.0f32..1.0, h in 0.0f32..1.0,
        ) {
            let letterbox = Letterbox::of(resize, size(width, height), size(416, 320));
            let fitted = letterbox.fitted;
            let (fw, fh) = (fitted.width as f32, fitted.height as f32);
            let in_input = BoundingBox {
                x: x * fw + (416.0 - fw) / 2.0,
                y: y * fh + (320.0 - fh) / 2.0,
                width: w * fw,
                height: h * fh,
            };
            let back = letterbox.to_image(&in_input);
            let wanted = BoundingBox { x, y, width: w, height: h };
            let wanted = wanted.scaled(width as f32, height as f32);
            for (found, wanted, side) in [
                (back.x, wanted.x, width),
                (back.y, wanted.y, height),
                (back.width, wanted.width, width),
                (back.height, wanted.height, height),
            ] {
                // half a thousandth of a side: what single precision leaves of an input coordinate
                // in a thin image
                let fitted_side = if side == width { fw } else { fh }.min(fw.min(fh));
                let tolerance = side as f32 * 2e-4 / fitted_side.max(0.1) + 1e-3;
                prop_assert!((found - wanted).abs() <= tolerance, "{back:?} {wanted:?}");
            }
        }
    }
}
