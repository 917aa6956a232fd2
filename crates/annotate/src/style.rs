//! How thick lines and how large letters are, by the picture's size.

use frame::ImageSize;

/// All in pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Style {
    /// Of a box's lines.
    pub(crate) thickness: u32,
    /// From the top of the highest letter to the bottom of the lowest one.
    pub(crate) text_height: f32,
    /// Between a tag's edge and its text, left and right.
    pub(crate) margin: u32,
}

impl Style {
    pub(crate) fn for_picture(size: ImageSize) -> Self {
        let shorter = size.width.min(size.height) as f32;
        let text_height = (7.0 + shorter * 0.024).round().clamp(9.0, 96.0);
        Self {
            thickness: ((0.9 + shorter / 260.0).round() as u32).clamp(1, 16),
            text_height,
            margin: ((text_height / 5.0).round() as u32).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_pictures_get_thicker_lines_and_larger_letters() {
        let styles = [(1, 1), (32, 32), (640, 480), (1920, 1080), (8000, 6000), (65_000, 65_000)]
            .map(|(width, height)| Style::for_picture(ImageSize { width, height }));
        assert!(styles.is_sorted_by(|a, b| {
            a.thickness <= b.thickness && a.text_height <= b.text_height && a.margin <= b.margin
        }));
        assert_eq!((styles[0].thickness, styles[2].thickness, styles[3].thickness), (1, 3, 5));
        assert_eq!((styles[1].text_height, styles[2].text_height), (9.0, 19.0));
    }
}
