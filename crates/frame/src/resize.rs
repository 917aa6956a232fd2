//! How a picture is brought to the size of a network's input.

use crate::ImageSize;
use serde::{Deserialize, Serialize};

/// How a picture is brought to the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Its shape is kept, with grey bars on two sides.
    Letterbox,
    /// Each side by itself, without bars.
    Stretch,
}

impl Resize {
    /// As a description writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Letterbox => "letterbox",
            Self::Stretch => "stretch",
        }
    }

    /// The size of a picture of `image` pixels within an input of `input` pixels, all sides at
    /// least 1. A picture of that size already fits as it is: fitted again, it stays so.
    ///
    /// A letterboxed picture follows Darknet's `letterbox_image`: in whole pixels rounded down; at
    /// least one pixel is left of the thinnest picture.
    #[must_use]
    pub fn fitted(self, image: ImageSize, input: ImageSize) -> ImageSize {
        if self == Self::Stretch {
            return input;
        }
        let scaled = |side: u32, target: u32, of: u32| {
            // never above the target's own side, so it fits in 32 bits
            (u64::from(side) * u64::from(target) / u64::from(of)).max(1) as u32
        };
        let wide =
            input.width as f32 / (image.width as f32) < input.height as f32 / (image.height as f32);
        if wide {
            let height = scaled(image.height, input.width, image.width).min(input.height);
            ImageSize { width: input.width, height }
        } else {
            let width = scaled(image.width, input.height, image.height).min(input.width);
            ImageSize { width, height: input.height }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn size(width: u32, height: u32) -> ImageSize {
        ImageSize { width, height }
    }

    #[test]
    fn thin_images_keep_a_pixel() {
        let fitted = |image, input| Resize::Letterbox.fitted(image, input);
        assert_eq!(fitted(size(10_000, 1), size(416, 416)), size(416, 1));
        assert_eq!(fitted(size(1, 10_000), size(416, 416)), size(1, 416));
        assert_eq!(fitted(size(1, 1), size(416, 320)), size(320, 320));
        assert_eq!(fitted(size(640, 480), size(416, 416)), size(416, 312));
        assert_eq!(Resize::Stretch.fitted(size(10_000, 1), size(416, 320)), size(416, 320));
    }

    proptest! {
        #[test]
        fn a_picture_that_was_fitted_fits_as_it_is(
            width in 1u32..20_000, height in 1u32..20_000,
            input_width in 1u32..2000, input_height in 1u32..2000, letterbox: bool,
        ) {
            let resize = if letterbox { Resize::Letterbox } else { Resize::Stretch };
            let input = size(input_width, input_height);
            let fitted = resize.fitted(size(width, height), input);
            prop_assert!((1..=input_width).contains(&fitted.width));
            prop_assert!((1..=input_height).contains(&fitted.height));
            prop_assert_eq!(resize.fitted(fitted, input), fitted);
        }
    }
}
