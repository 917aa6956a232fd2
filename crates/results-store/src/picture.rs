//! What is done to pixels: decode, blacken what is masked, make smaller, encode.

use frame::ImageFormat;
use regions::Regions;
use unit::PixelRoom;
use vision::{Limits, VisionError};

/// How wide a picture is at most, in pixels: what a list of events shows, twice as fine.
const WIDTH: u32 = 320;
/// Some 5 to 20 kB, by how much there is to be seen.
const QUALITY: u8 = 80;

/// What a pixel takes at most meanwhile, in bytes, as web-server's pictures have it.
const fn bytes_per_pixel(format: ImageFormat) -> u64 {
    match format {
        // the coefficients of a progressive one (6), and the picture (3)
        ImageFormat::Jpeg => 9,
        ImageFormat::Png | ImageFormat::WebP => PixelRoom::BYTES_PER_PIXEL,
    }
}

/// An upload that fits, and how much memory its pixels take.
pub(crate) struct Sized {
    pub(crate) memory: u64,
    limits: Limits,
}

/// Looks at the header alone: cheap. `most`: as many bytes may its pixels take.
///
/// # Errors
/// When it is no image that can be decoded, or too large a one.
pub(crate) fn sized(upload: &[u8], format: ImageFormat, most: u64) -> Result<Sized, VisionError> {
    let of_pixel = bytes_per_pixel(format);
    let limits = Limits { max_pixels: most / of_pixel };
    let size = vision::probe(upload, &limits)?.size;
    Ok(Sized { memory: u64::from(size.width) * u64::from(size.height) * of_pixel, limits })
}

/// A small JPEG in which everything that the camera's masks cover, be it in part, is black. Takes
/// milliseconds: not to be called from async code.
///
/// # Errors
/// When it cannot be decoded.
pub(crate) fn small(
    upload: &[u8],
    Sized { limits, .. }: &Sized,
    regions: Option<&Regions>,
) -> Result<Vec<u8>, VisionError> {
    let masks = regions.filter(|regions| !regions.masks.is_empty());
    let picture = match masks {
        // before it is made smaller, which mixes what lies side by side
        Some(masks) => {
            let mut picture = vision::decode(upload, limits)?;
            vision::blacken(&mut picture, masks.polygons());
            vision::narrowed(picture, WIDTH)
        }
        None => vision::preview(upload, limits, WIDTH)?,
    };
    vision::encode_jpeg(&picture, QUALITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{ImageSize, RgbImage};

    const MOST: u64 = 100 << 20;

    /// A picture with something bright in its left half, which `seen` makes another one.
    fn upload(seen: u8) -> Vec<u8> {
        let size = ImageSize { width: 800, height: 600 };
        let pixel = |at: u32| {
            let (x, y) = (at % 800, at / 800);
            let secret = 200 + (x * 7 + y * 3 + u32::from(seen)) as u8 % 56;
            if x < 400 { [secret, secret / 2 + seen, 255 - seen] } else { [90, 160, 40] }
        };
        let data = (0..800 * 600).flat_map(pixel).collect();
        vision::encode_png(&RgbImage::new(size, data).unwrap()).unwrap()
    }

    fn made(upload: &[u8], regions: Option<&Regions>) -> Vec<u8> {
        small(upload, &sized(upload, ImageFormat::Png, MOST).unwrap(), regions).unwrap()
    }

    #[test]
    fn what_is_masked_is_black_and_leaves_no_trace() {
        let mask = "{\"masks\":[{\"points\":[[0,0],[0.5,0],[0.5,1],[0,1]]}]}";
        let regions = Regions::from_json(mask).unwrap();
        let (one, other) = (upload(1), upload(90));
        assert_ne!(made(&one, None), made(&other, None));
        let masked = made(&one, Some(&regions));
        assert_eq!(masked, made(&other, Some(&regions)), "they differ in what is masked alone");
        let picture = vision::decode(&masked, &Limits::default()).unwrap();
        assert_eq!(picture.size(), ImageSize { width: WIDTH, height: 240 });
        for (at, pixel) in picture.data().as_chunks::<3>().0.iter().enumerate() {
            let (x, brightest) = (at as u32 % WIDTH, *pixel.iter().max().unwrap());
            // a JPEG smears what it shows over a block of 16
            if x < WIDTH / 2 - 16 {
                assert_eq!(brightest, 0, "at {x}");
            } else if x >= WIDTH / 2 + 16 {
                assert!((140..180).contains(&brightest), "at {x}: {brightest}");
            }
        }
    }

    #[test]
    fn a_narrow_picture_stays_as_wide_and_a_large_one_is_refused() {
        let size = ImageSize { width: 40, height: 20 };
        let jpeg = vision::encode_jpeg(&RgbImage::new(size, vec![9; 2400]).unwrap(), 90).unwrap();
        let fits = sized(&jpeg, ImageFormat::Jpeg, 9 * 800).unwrap();
        assert_eq!(fits.memory, 9 * 800);
        let small = small(&jpeg, &fits, None).unwrap();
        assert_eq!(vision::decode(&small, &Limits::default()).unwrap().size(), size);
        let refused = sized(&jpeg, ImageFormat::Jpeg, 9 * 800 - 1);
        assert!(matches!(refused, Err(VisionError::TooManyPixels { .. })));
        assert!(sized(b"no picture", ImageFormat::Jpeg, MOST).is_err());
    }
}
