//! Text as anti-aliased pixels.

use crate::area::Area;
use crate::canvas::Canvas;
use crate::colour::Colour;
use ab_glyph::{Font, FontRef, Glyph, PxScaleFont, ScaleFont, point};
use std::sync::LazyLock;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(crate::FONT).expect("the font is part of the program")
});

/// Longer labels are cut off; no class or zone has such a name.
const MAX_CHARACTERS: usize = 64;

/// One line of text, laid out.
pub(crate) struct Line {
    glyphs: Vec<Glyph>,
    font: PxScaleFont<&'static FontRef<'static>>,
    width: f32,
}

impl Line {
    /// A character that the font does not have is an empty box; one that is not for reading is a
    /// space.
    pub(crate) fn new(text: &str, height: f32) -> Self {
        let font = FONT.as_scaled(height);
        let (mut glyphs, mut width) = (Vec::new(), 0.0);
        let cut_off = text.chars().nth(MAX_CHARACTERS).map(|_| '…');
        for character in text.chars().take(MAX_CHARACTERS).chain(cut_off) {
            let character = if character.is_control() { ' ' } else { character };
            let mut glyph = font.scaled_glyph(character);
            glyph.position = point(width, font.ascent());
            width += font.h_advance(glyph.id);
            glyphs.push(glyph);
        }
        Self { glyphs, font, width }
    }

    /// In whole pixels.
    pub(crate) fn width(&self) -> u32 {
        self.width.ceil() as u32
    }

    /// In whole pixels.
    pub(crate) fn height(&self) -> u32 {
        self.font.height().ceil() as u32
    }

    /// Draws it from the pixel `left`, `top` on, and nothing outside of `within`.
    pub(crate) fn draw(
        self,
        canvas: &mut Canvas,
        (left, top): (u32, u32),
        within: Area,
        colour: Colour,
    ) {
        for glyph in self.glyphs {
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            // sizes and positions are those of a label: some thousand pixels at most
            let (from_x, from_y) =
                (corner.x as i64 + i64::from(left), corner.y as i64 + i64::from(top));
            outline.draw(|x, y, coverage| {
                let (x, y) = (from_x + i64::from(x), from_y + i64::from(y));
                let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
                let is_inside = (within.left..within.right).contains(&x)
                    && (within.top..within.bottom).contains(&y);
                if is_inside {
                    canvas.cover(x, y, colour, coverage.clamp(0.0, 1.0));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_has_glyphs() {
        for character in "AZaz09 %,.-_/()äßçñøŁőğĐ¿αΩЖяЇ–—“”€°²µ×…".chars()
        {
            assert_ne!(FONT.glyph_id(character).0, 0, "{character}");
        }
        for character in ['猫', '🐈', '\u{202e}'] {
            assert_eq!(FONT.glyph_id(character).0, 0, "{character} is a box");
        }
        let missing = Line::new("猫", 20.0);
        assert!(missing.font.outline_glyph(missing.glyphs[0].clone()).is_some());
    }

    #[test]
    fn a_line_is_as_wide_as_its_letters_and_bounded() {
        let width = |text: &str| Line::new(text, 20.0).width();
        assert!(width("") == 0 && width("i") < width("m") && width("m") < width("mm"));
        assert_eq!(width("a\nb"), width("a b"));
        assert_eq!(width(&"x".repeat(100_000)), width(&"x".repeat(65)));
        assert!(width(&"x".repeat(65)) > width(&"x".repeat(64)));
    }
}
