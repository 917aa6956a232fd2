//! Results in COCO's form: a JSON list of boxes (<https://cocodataset.org/#format-results>).

use super::{Found, ImportError, ImportedBox, MAX_CLASSES};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A box; other fields may be there.
#[derive(Deserialize)]
struct Entry {
    image_id: ImageId,
    category_id: u32,
    bbox: [f32; 4],
    score: f32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ImageId {
    Number(u64),
    Text(String),
}

/// What a document of annotations says of images and categories, by their ids.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CocoIndex {
    /// File names by image id.
    pub files: BTreeMap<u64, String>,
    /// Class indices by category id.
    pub classes: BTreeMap<u32, u32>,
}

/// Reads a list. With an index, images and classes are those of its document, and nothing else may
/// occur; without, an image is named by its id, as COCO's files are, and a class is its category's
/// id. Boxes are in pixels.
///
/// # Errors
/// Names line and column, or entry and field, of what is wrong first.
pub fn coco_results(json: &str, index: Option<&CocoIndex>) -> Result<Found, ImportError> {
    let entries: Vec<Entry> =
        serde_json::from_str(json).map_err(|error| ImportError::Json(error.to_string()))?;
    let mut found = Found::new();
    for (number, Entry { image_id, category_id, bbox, score }) in (1..).zip(entries) {
        let wrong = |field, value: String, allowed| ImportError::Entry {
            entry: number,
            field,
            value,
            allowed,
        };
        let name = match (image_id, index) {
            (ImageId::Number(id), Some(index)) => {
                index.files.get(&id).cloned().ok_or_else(|| {
                    wrong("image_id", id.to_string(), "an image that the annotations list")
                })?
            }
            (ImageId::Number(id), None) => format!("{id:012}.jpg"),
            (ImageId::Text(name), _) => name,
        };
        let class = match index {
            Some(index) => index.classes.get(&category_id).copied(),
            None => Some(category_id).filter(|class| *class < MAX_CLASSES),
        };
        let class_id = class.ok_or_else(|| {
            wrong("category_id", category_id.to_string(), "a category that is known")
        })?;
        let [x, y, width, height] = bbox;
        let is_box = bbox.iter().all(|side| side.abs() < 1e6) && width >= 0.0 && height >= 0.0;
        if !is_box {
            let allowed = "a box: left, top, width and height in pixels";
            return Err(wrong("bbox", format!("{bbox:?}"), allowed));
        }
        if !(0.0..=1.0).contains(&score) {
            return Err(wrong("score", score.to_string(), "from 0 to 1"));
        }
        let sides = [x, y, width, height];
        let of = found.entry(name).or_default();
        of.boxes.push(ImportedBox { class_id, confidence: score, sides });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_classes_are_named_by_their_ids_or_by_an_index() {
        let text = r#"[{"image_id": 9, "category_id": 90, "bbox": [1, 2, 3, 4], "score": 0.5},
            {"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.25, "more": 1}]"#;
        let found = coco_results(text, None).unwrap();
        assert_eq!(found["000000000009.jpg"].boxes.len(), 2);
        assert_eq!(found["000000000009.jpg"].boxes[0].class_id, 90);
        let index = CocoIndex {
            files: BTreeMap::from([(9, "nine.png".into())]),
            classes: BTreeMap::from([(1, 0), (90, 1)]),
        };
        let found = coco_results(text, Some(&index)).unwrap();
        let first = found["nine.png"].boxes[0];
        assert_eq!((first.class_id, first.confidence, first.sides), (1, 0.5, [1.0, 2.0, 3.0, 4.0]));
        let named = r#"[{"image_id": "a.jpg", "category_id": 1, "bbox": [0,0,1,1], "score": 1}]"#;
        assert!(coco_results(named, None).unwrap().contains_key("a.jpg"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let entry = r#"{"image_id": 9, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}"#;
        let index = CocoIndex {
            files: BTreeMap::from([(9, "nine.png".into())]),
            classes: BTreeMap::from([(1, 0)]),
        };
        for (from, to, words) in [
            ("\"score\": 0.5", "\"score\": 50", ["entry 2, `score`", "50 is not from 0 to 1"]),
            ("\"score\": 0.5", "\"scores\": 0.5", ["missing field `score`", "line 2"]),
            ("[1, 2, 3, 4]", "[1, 2, -3, 4]", ["entry 2, `bbox`", "left, top"]),
            ("[1, 2, 3, 4]", "[1, 2, 3]", ["invalid length 3", "line 2"]),
            ("\"image_id\": 9", "\"image_id\": 8", ["entry 2, `image_id`", "8 is not an image"]),
            ("\"category_id\": 1", "\"category_id\": 7", ["entry 2, `category_id`", "7 is not"]),
        ] {
            assert!(entry.contains(from), "{from}");
            let text = format!("[{entry},\n{}]", entry.replace(from, to));
            let error = coco_results(&text, Some(&index)).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{to}: {error}");
        }
        assert!(coco_results("{", None).unwrap_err().to_string().contains("line 1"));
    }
}
