//! Turning an image upright.

use frame::{ImageSize, RgbImage};
use image::DynamicImage;
use image::metadata::Orientation;

const CHANNELS: usize = 3;
type Pixel = [u8; CHANNELS];

/// Side of the squares in which rows become columns, in pixels: the rows that are read and those
/// that are written stay in the first cache.
const SQUARE: usize = 32;

/// The image, turned and mirrored. An upright one is given back as it is, and what keeps its size
/// is turned in place.
///
/// Files are turned after decoding: turning the coefficients of a JPEG before would decode the
/// entropy-coded data twice, and cannot move blocks that are cut off at the right or lower edge.
pub(crate) fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    match orientation {
        Orientation::NoTransforms => image,
        Orientation::Rotate180 => in_place(image, |pixels, _| pixels.reverse()),
        Orientation::FlipHorizontal => {
            in_place(image, |pixels, width| pixels.chunks_exact_mut(width).for_each(<[_]>::reverse))
        }
        Orientation::FlipVertical => in_place(image, flip_vertically),
        // (x, y) of the upright image from (y, x), of which one or both may count from the end
        Orientation::Rotate90FlipH => transposed(&image, false, false),
        Orientation::Rotate90 => transposed(&image, true, false),
        Orientation::Rotate270 => transposed(&image, false, true),
        Orientation::Rotate270FlipH => transposed(&image, true, true),
    }
}

/// The size of an image after it is turned upright.
pub(crate) fn turned(stored: ImageSize, orientation: Orientation) -> ImageSize {
    match orientation {
        Orientation::Rotate90FlipH
        | Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate270FlipH => ImageSize { width: stored.height, height: stored.width },
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => stored,
    }
}

/// Changes the pixels; the closure gets them and the width.
fn in_place(image: RgbImage, change: impl FnOnce(&mut [Pixel], usize)) -> RgbImage {
    let size = image.size();
    let mut data = image.into_data();
    change(data.as_chunks_mut().0, size.width as usize);
    RgbImage::new(size, data).expect("as many bytes as before")
}

fn flip_vertically(pixels: &mut [Pixel], width: usize) {
    let mut rows = pixels.chunks_exact_mut(width);
    while let (Some(upper), Some(lower)) = (rows.next(), rows.next_back()) {
        upper.swap_with_slice(lower);
    }
}

/// Rows become columns. `last_row_first`: the first column is the last row; `last_column_first`:
/// the first row is the last column.
fn transposed(image: &RgbImage, last_row_first: bool, last_column_first: bool) -> RgbImage {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let from = image.data().as_chunks::<CHANNELS>().0;
    let mut to = vec![[0; CHANNELS]; from.len()];
    for (band, columns) in to.chunks_mut(SQUARE * height).zip((0..).step_by(SQUARE)) {
        for start in (0..height).step_by(SQUARE) {
            let end = (start + SQUARE).min(height);
            for (row, column) in band.chunks_exact_mut(height).zip(columns..) {
                let column = if last_column_first { width - 1 - column } else { column };
                let from = &from[column..];
                let to = row[start..end].iter_mut();
                if last_row_first {
                    for (to, y) in to.zip((height - end..height - start).rev()) {
                        *to = from[y * width];
                    }
                } else {
                    for (to, y) in to.zip(start..end) {
                        *to = from[y * width];
                    }
                }
            }
        }
    }
    let size = ImageSize { width: image.height(), height: image.width() };
    RgbImage::new(size, to.into_flattened()).expect("as many pixels as before")
}

/// Any image as 8-bit RGB: grey is tripled, 16 bits are rounded to 8, alpha is dropped.
pub(crate) fn own(image: DynamicImage) -> RgbImage {
    let rgb = image.into_rgb8();
    let size = ImageSize { width: rgb.width(), height: rgb.height() };
    RgbImage::new(size, rgb.into_raw())
        .expect("a decoded image has pixels, and three bytes for each")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the `image` crate, for sides on both sides of the squares' edges.
    #[test]
    fn every_orientation_is_what_it_is_called() {
        for (width, height) in [(1, 1), (1, 7), (7, 1), (32, 32), (33, 31), (65, 100), (3, 64)] {
            let data = (0..width * height * 3).map(|index| (index * 37 % 251) as u8).collect();
            let image = RgbImage::new(ImageSize { width, height }, data).unwrap();
            for value in 1..=8 {
                let orientation = Orientation::from_exif(value).unwrap();
                let buffer = image::RgbImage::from_raw(width, height, image.data().to_vec());
                let mut theirs = DynamicImage::ImageRgb8(buffer.unwrap());
                theirs.apply_orientation(orientation);
                let ours = upright(image.clone(), orientation);
                assert_eq!(ours.size(), turned(image.size(), orientation));
                assert_eq!(ours, own(theirs), "{width}x{height}, {value}");
            }
        }
    }
}
