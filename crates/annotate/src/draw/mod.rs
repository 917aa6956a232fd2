//! All of it on one picture.

use crate::area::Area;
use crate::canvas::Canvas;
use crate::mark::Mark;
use crate::place::place;
use crate::style::Style;
use crate::text::Line;
use crate::{Colour, colour};
use frame::{ImageSize, RgbImage};

/// More marks are not drawn: nobody could tell them apart, and each tag is compared with those that
/// were placed before.
const MAX_MARKS: usize = 300;

/// A label that has its place.
struct Tag {
    area: Area,
    line: Line,
    colour: Colour,
}

/// Draws the marks, of which the first are the most important: they are on top, and get the better
/// places for their tags. Boxes are cut to the picture, those without an area in it are left out,
/// and tags are kept inside. No pixel outside of boxes' borders and tags changes.
#[must_use]
pub fn draw(picture: RgbImage, marks: &[Mark]) -> RgbImage {
    let style = Style::for_picture(picture.size());
    let mut canvas = Canvas::new(picture);
    let size = canvas.size();
    let shown: Vec<(Area, &Mark)> = marks
        .iter()
        .filter_map(|mark| Some((Area::of(&mark.bounding_box, size)?, mark)))
        .take(MAX_MARKS)
        .collect();
    for (area, mark) in shown.iter().rev() {
        canvas.outline(*area, style.thickness, colour::of_class(mark.class_id));
    }
    for Tag { area, line, colour } in tags(&shown, size, style).into_iter().rev() {
        canvas.fill(area, colour);
        let start = (area.left + style.margin, area.top);
        line.draw(&mut canvas, start, area, colour::readable_on(colour));
    }
    canvas.finish()
}

fn tags(shown: &[(Area, &Mark)], size: ImageSize, style: Style) -> Vec<Tag> {
    let (mut tags, mut taken) = (Vec::new(), Vec::new());
    for (area, mark) in shown {
        if mark.text.is_empty() {
            continue;
        }
        let line = Line::new(&mark.text, style.text_height);
        let wanted = ImageSize { width: line.width() + 2 * style.margin, height: line.height() };
        let area = place(*area, wanted, size, &taken);
        taken.push(area);
        tags.push(Tag { area, line, colour: colour::of_class(mark.class_id) });
    }
    tags
}

#[cfg(test)]
mod tests;
