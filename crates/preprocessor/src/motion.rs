//! How much of a frame differs from another one.

use frame::RgbImage;

/// Cells from left to right and from top to bottom: a person who walks at the far end of a scene
/// still moves several of them.
const COLUMNS: usize = 64;
const ROWS: usize = 48;
/// A cell whose mean brightness differs by more than this has changed; sensor noise, averaged over
/// a cell, stays well below.
const CHANGED: i32 = 6;
/// Brightness is taken from about this many pixels of a cell, to spare time on large images.
const SAMPLES: usize = 64;

/// A coarse picture of a frame's brightness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Thumbnail {
    cells: Vec<u8>,
}

impl Thumbnail {
    /// Mean brightness of each cell of a grid.
    pub(crate) fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let mut cells = Vec::with_capacity(COLUMNS * ROWS);
        for row in 0..ROWS {
            let rows = span(row, ROWS, height);
            for column in 0..COLUMNS {
                cells.push(brightness(
                    image.data(),
                    width,
                    span(column, COLUMNS, width),
                    rows.clone(),
                ));
            }
        }
        Self { cells }
    }

    /// The share of cells that differ, from 0 (none) to 1 (all).
    pub(crate) fn change_since(&self, before: &Self) -> f64 {
        let differs =
            |(now, before): (&u8, &u8)| (i32::from(*now) - i32::from(*before)).abs() > CHANGED;
        self.cells.iter().zip(&before.cells).filter(|pair| differs(*pair)).count() as f64
            / self.cells.len() as f64
    }
}

/// The pixels of a cell along one side; never empty.
fn span(index: usize, of: usize, length: usize) -> std::ops::Range<usize> {
    let start = (index * length / of).min(length.saturating_sub(1));
    start..((index + 1) * length / of).max(start + 1)
}

fn brightness(
    data: &[u8],
    width: usize,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> u8 {
    let step = ((columns.len() * rows.len()).div_ceil(SAMPLES) as f64).sqrt().ceil() as usize;
    let (mut sum, mut count) = (0usize, 0usize);
    for y in rows.step_by(step) {
        for x in columns.clone().step_by(step) {
            let pixel = &data[(y * width + x) * 3..][..3];
            sum +=
                (usize::from(pixel[0]) * 2 + usize::from(pixel[1]) * 5 + usize::from(pixel[2])) / 8;
            count += 1;
        }
    }
    u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::ImageSize;

    fn picture(width: u32, height: u32, lit: impl Fn(u32, u32) -> bool) -> RgbImage {
        let data = (0..width * height)
            .flat_map(|i| [if lit(i % width, i / width) { 200 } else { 40 }; 3])
            .collect();
        RgbImage::new(ImageSize { width, height }, data).unwrap()
    }

    #[test]
    fn what_moves_is_seen_and_what_stands_still_is_not() {
        let square = |left: u32| {
            picture(640, 480, move |x, y| (left..left + 64).contains(&x) && (200..264).contains(&y))
        };
        let [here, there] = [square(100), square(400)].map(|image| Thumbnail::of(&image));
        assert_eq!(here.change_since(&here), 0.0);
        let change = there.change_since(&here);
        // two squares of 1/75 of the picture, and the cells at their edges
        assert!((0.02..0.05).contains(&change), "{change}");
        let night = Thumbnail::of(&picture(640, 480, |_, _| false));
        assert_eq!(night.change_since(&Thumbnail::of(&picture(640, 480, |_, _| true))), 1.0);
    }

    #[test]
    fn small_and_narrow_images_have_a_thumbnail_too() {
        for (width, height) in [(1, 1), (3, 500), (500, 3), (64, 48)] {
            let (dark, light) =
                (picture(width, height, |_, _| false), picture(width, height, |_, _| true));
            assert_eq!(
                Thumbnail::of(&light).change_since(&Thumbnail::of(&dark)),
                1.0,
                "{width}x{height}"
            );
        }
    }
}
