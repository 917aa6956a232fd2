//! Labels in YOLO form: `class cx cy width height` a line, in shares of the image's sides.

use crate::{LabelError, Object, Truth};
use frame::{BoundingBox, ImageSize};
use std::ops::RangeInclusive;
use std::path::Path;

/// Labelling tools round, and let boxes reach a little beyond the edge; pixels in the place of
/// shares are far beyond.
const SHARES: RangeInclusive<f64> = -0.5..=1.5;

/// Reads the text of a label file.
///
/// # Errors
/// Names the first line that is no label.
pub(crate) fn parse(text: &str, image: ImageSize, path: &Path) -> Result<Truth, LabelError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let object = |(index, line): (usize, &str)| {
        object(line, image).ok_or_else(|| LabelError::Line {
            path: path.into(),
            line: index + 1,
            text: line.into(),
        })
    };
    Ok(Truth { objects: lines.map(object).collect::<Result<_, _>>()? })
}

fn object(line: &str, image: ImageSize) -> Option<Object> {
    let mut words = line.split_whitespace();
    let class_id = words.next()?.parse().ok()?;
    let mut share = || words.next()?.parse::<f64>().ok().filter(|share| SHARES.contains(share));
    let (center_x, center_y, width, height) = (share()?, share()?, share()?, share()?);
    if words.next().is_some() || width < 0.0 || height < 0.0 {
        return None;
    }
    // in double precision up to the pixels, since precision is judged by overlaps that may be close
    // calls
    let (wide, high) = (f64::from(image.width), f64::from(image.height));
    let bounding_box = BoundingBox {
        x: ((center_x - width / 2.0) * wide) as f32,
        y: ((center_y - height / 2.0) * high) as f32,
        width: (width * wide) as f32,
        height: (height * high) as f32,
    };
    Some(Object { class_id, bounding_box, crowd: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: ImageSize = ImageSize { width: 640, height: 480 };

    fn read(text: &str) -> Result<Truth, LabelError> {
        parse(text, SIZE, Path::new("a.txt"))
    }

    #[test]
    fn a_line_is_a_box_in_shares_of_the_sides() {
        let truth = read("45 0.5 0.5 0.25 0.5\n\n 0 0.1 0.1 0.2 0.2 \n").unwrap();
        let bounding_box = BoundingBox { x: 240.0, y: 120.0, width: 160.0, height: 240.0 };
        assert_eq!(truth.objects[0], Object { class_id: 45, bounding_box, crowd: false });
        assert_eq!(truth.objects.len(), 2);
        assert_eq!(read("").unwrap(), Truth::default());
    }

    #[test]
    fn a_line_that_is_no_label_is_named() {
        for line in [
            "45 0.5 0.5 0.25",
            "45 0.5 0.5 0.25 0.5 1",
            "-1 0 0 0 0",
            "cup 0 0 0 0",
            "1 0 0 nan 0",
            "1 0 0 -1 0",
            "1 0 0 0 inf",
            "1 0 0 0 1e999",
            "1 320 240 64 48",
            "1 0.5 0.5 2 0.5",
        ] {
            let error = read(&format!("0 0 0 0 0\n{line}")).unwrap_err();
            assert!(
                matches!(&error, LabelError::Line { line: 2, text, .. } if text == line),
                "{error}"
            );
            assert!(error.to_string().contains("a.txt:2"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_box_comes_back_from_its_shares(
            x in 0.0f32..600.0, y in 0.0f32..400.0,
            width in 0.0f32..600.0, height in 0.0f32..400.0,
        ) {
            let (cx, cy) = ((x + width / 2.0) / 640.0, (y + height / 2.0) / 480.0);
            let text = format!("7 {cx} {cy} {} {}", width / 640.0, height / 480.0);
            let found = read(&text).unwrap().objects[0].bounding_box;
            for (found, wanted) in
                [(found.x, x), (found.y, y), (found.width, width), (found.height, height)]
            {
                prop_assert!((found - wanted).abs() < 1e-3, "{found} {wanted}");
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n]{0,80}") {
            let _ = read(&text);
        }
    }
}
