//! Labels in COCO form: one JSON document with images, annotations and categories
//! (<https://cocodataset.org/#format-data>).

use crate::{LabelError, Object, Truth};
use frame::BoundingBox;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Where Darknet's `coco.names` has another word than COCO (they also differ in spaces, which do
/// not count).
const DARKNETS_NAMES: [(&str, &str); 4] = [
    ("motorcycle", "motorbike"),
    ("airplane", "aeroplane"),
    ("couch", "sofa"),
    ("tv", "tvmonitor"),
];

/// The truth of each annotated image, by its file name.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoAnnotations {
    by_file: HashMap<String, Truth>,
}

#[derive(Deserialize)]
struct Document {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

impl CocoAnnotations {
    /// Reads the document. Categories are joined with the model's classes by name, whatever their
    /// ids are: COCO's own have gaps.
    ///
    /// # Errors
    /// When it is no such document, an annotation is of an unknown image or category, or one of a
    /// category that the model has no class for.
    pub fn parse(json: &str, classes: &[String]) -> Result<Self, LabelError> {
        let document: Document =
            serde_json::from_str(json).map_err(|error| LabelError::Coco(error.to_string()))?;
        let class_ids: HashMap<String, u32> =
            (0..).zip(classes).map(|(id, name)| (plain(name), id)).collect();
        let categories: HashMap<u64, &str> =
            document.categories.iter().map(|entry| (entry.id, entry.name.as_str())).collect();
        let files: HashMap<u64, &str> =
            document.images.iter().map(|image| (image.id, image.file_name.as_str())).collect();
        let mut names = HashSet::new();
        if let Some(twice) = document.images.iter().find(|image| !names.insert(&image.file_name)) {
            return Err(LabelError::Coco(format!(
                "the image '{}' is listed a second time",
                twice.file_name
            )));
        }
        if files.len() < document.images.len() {
            return Err(LabelError::Coco("two images have the same id".into()));
        }
        // an image without annotations is one without objects
        let mut by_file: HashMap<String, Truth> =
            files.values().map(|file| ((*file).to_owned(), Truth::default())).collect();
        for (index, annotation) in document.annotations.into_iter().enumerate() {
            if !is_box(annotation.bbox) {
                return Err(LabelError::Coco(format!(
                    "/annotations/{index}/bbox: {:?} is no box; \
                     expected is [left, top, width, height] in pixels",
                    annotation.bbox
                )));
            }
            let Some(truth) =
                files.get(&annotation.image_id).and_then(|file| by_file.get_mut(*file))
            else {
                return Err(LabelError::Coco(format!(
                    "an annotation is of the image {}, which is not listed",
                    annotation.image_id
                )));
            };
            let Some(category) = categories.get(&annotation.category_id) else {
                return Err(LabelError::Coco(format!(
                    "an annotation is of the category {}, which is not listed",
                    annotation.category_id
                )));
            };
            let class_id = *class_ids
                .get(&plain(category))
                .ok_or_else(|| LabelError::Category((*category).to_owned()))?;
            let [x, y, width, height] = annotation.bbox.map(|side| side as f32);
            let bounding_box = BoundingBox { x, y, width, height };
            truth.objects.push(Object { class_id, bounding_box, crowd: annotation.iscrowd != 0 });
        }
        Ok(Self { by_file })
    }

    /// What is in an image, by its file name.
    ///
    /// # Errors
    /// When it is not annotated.
    pub fn of(&self, file: &str) -> Result<&Truth, LabelError> {
        self.by_file.get(file).ok_or_else(|| LabelError::NotAnnotated(file.to_owned()))
    }
}

/// In pixels; what is beyond this is no place in an image, or no number.
const MAX_SIDE: f64 = 1e6;

fn is_box(sides: [f64; 4]) -> bool {
    let [_, _, width, height] = sides;
    sides.iter().all(|side| side.abs() <= MAX_SIDE) && width >= 0.0 && height >= 0.0
}

/// Lowercase, without spaces, under Darknet's name.
pub(crate) fn plain(name: &str) -> String {
    let name: String =
        name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    DARKNETS_NAMES
        .iter()
        .find(|(coco, _)| *coco == name)
        .map_or(name, |(_, darknet)| (*darknet).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "info": {},
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 63, "bbox": [1, 2.5, 3, 4], "area": 12,
             "iscrowd": 1},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 3, 4]}
        ],
        "categories": [
            {"id": 1, "name": "person"},
            {"id": 63, "name": "couch"},
            {"id": 90, "name": "unknown and unused"}
        ]
    }"#;

    fn classes() -> Vec<String> {
        ["sofa", "bench", "person"].map(str::to_owned).to_vec()
    }

    #[test]
    fn categories_are_joined_by_name_whatever_their_ids() {
        let annotations = CocoAnnotations::parse(DOCUMENT, &classes()).unwrap();
        let [sofa, person] = annotations.of("a.jpg").unwrap().objects[..] else {
            panic!("two objects are there")
        };
        assert_eq!((sofa.class_id, sofa.crowd, person.class_id, person.crowd), (0, true, 2, false));
        assert_eq!(sofa.bounding_box, BoundingBox { x: 1.0, y: 2.5, width: 3.0, height: 4.0 });
        assert_eq!(annotations.of("b.jpg").unwrap(), &Truth::default(), "no annotation: no object");
        assert!(matches!(
            annotations.of("c.jpg"),
            Err(LabelError::NotAnnotated(file)) if file == "c.jpg"
        ));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let refused = |from: &str, to: &str| {
            assert!(DOCUMENT.contains(from));
            CocoAnnotations::parse(&DOCUMENT.replace(from, to), &classes()).unwrap_err().to_string()
        };
        assert!(refused("\"couch\"", "\"zeppelin\"").contains("zeppelin"));
        assert!(refused("\"category_id\": 63", "\"category_id\": 64").contains("64"));
        assert!(refused("\"image_id\": 7", "\"image_id\": 8").contains('8'));
        assert!(refused("[1, 2.5, 3, 4]", "[1, 2.5, 3]").contains("COCO"));
        assert!(refused("\"b.jpg\"", "\"a.jpg\"").contains("a second time"));
        assert!(refused("\"id\": 9", "\"id\": 7").contains("same id"));
        for wrong in ["[1, 2.5, -3, 4]", "[1, 2.5, 3, 1e300]", "[-1e39, 2.5, 3, 4]"] {
            assert!(refused("[1, 2.5, 3, 4]", wrong).contains("/annotations/0/bbox"), "{wrong}");
        }
        assert!(refused("[1, 2.5, 3, 4]", "[1, 2.5, 3, 1e999]").contains("out of range"));
    }
}
