//! Results in COCO's form (<https://cocodataset.org/#format-results>), and the images that they are
//! of.

use accuracy::coco_category;
use anyhow::Context;
use frame::{FrameResult, ImageSize};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fs::Permissions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::NamedTempFile;

/// The ids of classes that are not COCO's begin here, behind all of COCO's.
const OTHER_CLASSES: u32 = 1001;

/// The results of all photos and cameras. Both files get their names at the end.
pub(crate) struct Coco(Mutex<Writer>);

struct Writer {
    results: List,
    images: List,
    categories: BTreeMap<u32, String>,
    /// The images' ids so far.
    used: HashSet<u64>,
    next_image: u64,
}

#[derive(Serialize)]
struct Found {
    image_id: u64,
    category_id: u32,
    bbox: [f64; 4],
    score: f64,
}

#[derive(Serialize)]
struct Image<'a> {
    id: u64,
    file_name: &'a str,
    #[serde(flatten)]
    size: Option<ImageSize>,
    camera: &'a str,
    frame_id: String,
    status: &'static str,
}

#[derive(Serialize)]
struct Category<'a> {
    id: u32,
    name: &'a str,
}

impl Coco {
    /// Writes to this file, and beside it to the list of images.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let results = List::new(path, "[")?;
        let images = List::new(&images_path(path), "{\"images\":[")?;
        Ok(Self(Mutex::new(Writer {
            results,
            images,
            categories: BTreeMap::new(),
            used: HashSet::new(),
            next_image: 1,
        })))
    }

    /// Adds a frame's result. An image gets the number that its name is, as COCO's own have it
    /// (`000000000139.jpg`), or else, also if that one is taken, the next one from 1 on.
    pub(crate) fn photo(&self, name: &str, result: &FrameResult) -> anyhow::Result<()> {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
        self.add(is_number.then(|| stem.parse().ok()).flatten(), name, result)
    }

    /// Adds the result of a camera's frame.
    pub(super) fn frame(&self, name: &str, result: &FrameResult) -> anyhow::Result<()> {
        self.add(None, name, result)
    }

    fn add(&self, id: Option<u64>, name: &str, result: &FrameResult) -> anyhow::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(id, name, result)
    }

    /// Completes both files.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

impl Writer {
    fn add(&mut self, id: Option<u64>, name: &str, result: &FrameResult) -> anyhow::Result<()> {
        let id = id.filter(|id| !self.used.contains(id)).unwrap_or(self.next_image);
        self.used.insert(id);
        self.next_image = self.next_image.max(id.saturating_add(1));
        self.images.add(&Image {
            id,
            file_name: name,
            size: result.image,
            camera: result.camera.as_str(),
            frame_id: result.frame_id.to_string(),
            status: result.status.as_str(),
        })?;
        for detection in &result.detections {
            let category_id = coco_category(detection.class_id, &detection.class)
                .unwrap_or(OTHER_CLASSES.saturating_add(detection.class_id));
            self.categories.entry(category_id).or_insert_with(|| detection.class.clone());
            let place = match result.image {
                Some(size) => annotate::clip(&detection.bounding_box, size),
                None => detection.bounding_box,
            };
            let sides = [place.x, place.y, place.width, place.height];
            self.results.add(&Found {
                image_id: id,
                category_id,
                bbox: sides.map(|side| rounded(side, 1e2)),
                score: rounded(detection.confidence, 1e5),
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let categories: Vec<Category<'_>> =
            self.categories.iter().map(|(id, name)| Category { id: *id, name }).collect();
        let end = format!("],\"categories\":{}}}\n", serde_json::to_string(&categories)?);
        self.images.finish(&end)?;
        self.results.finish("]\n")
    }
}

/// A JSON list that is written as it grows.
struct List {
    path: PathBuf,
    /// `None` once it is complete.
    file: Option<BufWriter<NamedTempFile>>,
    is_empty: bool,
}

impl List {
    fn new(path: &Path, start: &str) -> anyhow::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".mlvi-")
            // as any file that is made here
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .with_context(|| path.display().to_string())?;
        let mut file = BufWriter::new(file);
        file.write_all(start.as_bytes())?;
        Ok(Self { path: path.into(), file: Some(file), is_empty: true })
    }

    fn add(&mut self, element: &impl Serialize) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let separator = if self.is_empty { "\n" } else { ",\n" };
        self.is_empty = false;
        file.write_all(separator.as_bytes())
            .and_then(|()| serde_json::to_writer(file, element).map_err(Into::into))
            .with_context(|| self.path.display().to_string())
    }

    fn finish(&mut self, end: &str) -> anyhow::Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let shown = || self.path.display().to_string();
        file.write_all(b"\n").and_then(|()| file.write_all(end.as_bytes())).with_context(shown)?;
        let file = file.into_inner().map_err(|error| error.into_error()).with_context(shown)?;
        file.persist(&self.path).with_context(shown)?;
        Ok(())
    }
}

/// `results.images.json` beside `results.json`.
fn images_path(path: &Path) -> PathBuf {
    path.with_extension("images.json")
}

fn rounded(value: f32, parts: f64) -> f64 {
    (f64::from(value) * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::testing::result;
    use frame::{BoundingBox, Detection};
    use serde_json::{Value, json};

    fn detection(class_id: u32, class: &str, x: f32) -> Detection {
        let bounding_box = BoundingBox { x, y: 2.126, width: 30.0, height: 20.0 };
        Detection {
            class: class.into(),
            class_id,
            confidence: 0.123_456_7,
            bounding_box,
            zones: None,
        }
    }

    #[test]
    fn results_are_as_coco_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        let coco = Coco::new(&path).unwrap();
        let both = vec![detection(62, "tvmonitor", -10.0), detection(3, "helmet", 1.0)];
        coco.photo("000000000139.jpg", &result(0, both)).unwrap();
        coco.photo("b.jpg", &result(0, Vec::new())).unwrap();
        coco.frame("gate-000000.jpg", &result(0, vec![detection(0, "person", 1.0)])).unwrap();
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "nothing has its name yet");
        assert!(!path.exists());
        coco.finish().unwrap();
        let read = |path: &Path| -> Value {
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let found = |image: u64, category: u32, x: f64, width: f64| {
            json!({"image_id": image, "category_id": category, "bbox": [x, 2.13, width, 20.0],
                "score": 0.12346})
        };
        let all =
            [found(139, 72, 0.0, 20.0), found(139, 1004, 1.0, 30.0), found(141, 1, 1.0, 30.0)];
        assert_eq!(read(&path), json!(all));
        let images = read(&dir.path().join("results.images.json"));
        let ids: Vec<_> = images["images"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
        assert_eq!(ids, [139, 140, 141]);
        assert_eq!(images["images"][0]["width"], 64);
        assert_eq!(
            images["categories"],
            json!([{"id": 1, "name": "person"}, {"id": 72, "name": "tvmonitor"},
                {"id": 1004, "name": "helmet"}])
        );
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_completed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Coco::new(&dir.path().join("results.json")).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Coco::new(&dir.path().join("no/results.json")).is_err());
    }
}
