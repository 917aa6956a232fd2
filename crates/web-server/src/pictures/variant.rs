//! How a picture is wanted.

use crate::moment::Hint;
use crate::problem::RequestError;
use crate::query::{Query, shortened};

/// The widths that there are, in pixels. Viewers share pictures, so there are few.
const WIDTHS: [u32; 8] = [160, 320, 480, 640, 960, 1280, 1920, 3840];

/// A way to show a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Variant {
    /// What was found is drawn on it.
    pub(crate) boxes: bool,
    /// It is at most so wide, in pixels; as wide as it was uploaded without.
    pub(crate) width: Option<u32>,
}

impl Variant {
    /// How wide a camera's pictures are unless something else is asked for: they come often.
    pub(crate) const CAMERA: Option<u32> = Some(1280);

    /// Reads `?boxes=` and `?width=`; a width becomes the next one that there is.
    pub(crate) fn asked_for(query: &Query, width: Option<u32>) -> Result<Self, RequestError> {
        Ok(Self { boxes: query.flag("boxes", true)?, width: read_width(query)?.or(width) })
    }

    /// For an entity tag.
    pub(super) fn width_name(self) -> String {
        self.width.map_or_else(|| "full".into(), |width| width.to_string())
    }
}

fn read_width(query: &Query) -> Result<Option<u32>, RequestError> {
    let Some(text) = query.get("width") else { return Ok(None) };
    let wanted = text.trim().parse::<u32>().ok().filter(|width| (1..=100_000).contains(width));
    let wanted = wanted.ok_or_else(|| RequestError::Parameter {
        name: "width",
        value: shortened(text),
        allowed: "a whole number of pixels from 1 to 100000".into(),
        hint: Hint::default(),
    })?;
    let widest = WIDTHS[WIDTHS.len() - 1];
    Ok(Some(WIDTHS.into_iter().find(|width| *width >= wanted).unwrap_or(widest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Variant, RequestError> {
        let uri = format!("/x?{query}").parse().unwrap();
        Variant::asked_for(&Query::of(&uri).unwrap(), Some(1280))
    }

    #[test]
    fn few_variants_serve_every_wish() {
        for (query, boxes, width) in [
            ("", true, 1280),
            ("boxes=0", false, 1280),
            ("boxes=1&width=1", true, 160),
            ("width=640", true, 640),
            ("width=641", true, 960),
            ("width=100000", true, 3840),
        ] {
            assert_eq!(asked(query).unwrap(), Variant { boxes, width: Some(width) }, "{query}");
        }
        for (query, parameter) in [
            ("width=0", "width"),
            ("width=-1", "width"),
            ("width=100001", "width"),
            ("width=wide", "width"),
            ("width=", "width"),
            ("boxes=2", "boxes"),
            ("boxes=", "boxes"),
        ] {
            match asked(query) {
                Err(RequestError::Parameter { name, .. }) => assert_eq!(name, parameter, "{query}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
