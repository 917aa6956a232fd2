//! Other people's detections, read for simulations.

use accuracy::DetectionsFile;
use accuracy::import::{CocoIndex, Found, ImportedModel, coco_results, rohe, together};
use anyhow::Context;
use clap::{Args, ValueEnum};
use frame::ImageSize;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The forms that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Form {
    /// CSV, a row for each box, as the project ROHE publishes it
    Rohe,
    /// COCO's results: a JSON list of boxes
    CocoResults,
}

/// Which files are read, and what is said of their models.
#[derive(Debug, Clone, Default, Args)]
pub struct ImportArgs {
    /// The form of other people's detections, in place of --detections
    #[arg(long, value_name = "FORM", requires_all = ["edge_results", "cloud_results"])]
    pub import: Option<Form>,
    /// What the edge's model found; may be gzipped
    #[arg(long, value_name = "FILE", requires = "import")]
    pub edge_results: Option<PathBuf>,
    /// What the cloud's model found; may be gzipped
    #[arg(long, value_name = "FILE", requires = "import")]
    pub cloud_results: Option<PathBuf>,
    /// A box above this confidence is a detection [default: 0.4 with rohe, 0.25 with coco-results]
    #[arg(long, value_name = "0..1", requires = "import")]
    pub confident: Option<f32>,
    /// One above this a weak one [default: 0 with rohe, 0.05 with coco-results]; `none`: the models
    /// tell none
    #[arg(long, value_name = "0..1|none", requires = "import")]
    pub weak: Option<Weak>,
    /// Write them to a detections file as well, for other simulations
    #[arg(long, value_name = "FILE", requires = "import")]
    pub out: Option<PathBuf>,
}

/// From where on boxes are weak detections.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weak(Option<f32>);

/// A text that is no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it must be 0 to 1, or none")]
pub struct InvalidWeak;

impl std::str::FromStr for Weak {
    type Err = InvalidWeak;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = || text.parse().ok().filter(|from| (0.0..=1.0).contains(from));
        match text {
            "none" => Ok(Self(None)),
            _ => number().map(|from| Self(Some(from))).ok_or(InvalidWeak),
        }
    }
}

/// No file of detections is larger, in bytes: beyond it, it is something else.
const MAX_BYTES: u64 = 2 << 30;

impl ImportArgs {
    /// Reads both files, if they are to be read; `annotations` name images, sizes and classes.
    ///
    /// # Errors
    /// Names the file, the line and the field of what is wrong first.
    pub fn read(&self, annotations: Option<&Path>) -> anyhow::Result<Option<DetectionsFile>> {
        let (Some(form), Some(edge), Some(cloud)) =
            (self.import, &self.edge_results, &self.cloud_results)
        else {
            return Ok(None);
        };
        let (confidence, weak) = match form {
            Form::Rohe => (0.4, 0.0),
            Form::CocoResults => (0.25, 0.05),
        };
        let confidence = self.confident.unwrap_or(confidence);
        anyhow::ensure!(
            (0.0..=1.0).contains(&confidence),
            "--confident {confidence} must be 0 to 1"
        );
        let weak = self.weak.map_or(Some(weak), |Weak(weak)| weak);
        let listed = match (form, annotations) {
            (Form::CocoResults, Some(path)) => Some(Listed::read(path)?),
            (Form::CocoResults, None) | (Form::Rohe, _) => None,
        };
        let model = |path: &Path| -> anyhow::Result<(ImportedModel, Found)> {
            let text = text_of(path)?;
            let found = match form {
                Form::Rohe => rohe(&text),
                Form::CocoResults => coco_results(&text, listed.as_ref().map(|of| &of.index)),
            };
            let found = found.with_context(|| path.display().to_string())?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.split('.').next().unwrap_or_default().to_owned();
            Ok((ImportedModel { name, confidence, weak }, found))
        };
        let both = [model(edge)?, model(cloud)?];
        let classes = listed.as_ref().map_or_else(|| numbered(&both), |of| of.classes.clone());
        let sizes = listed.as_ref().map(|of| &of.sizes);
        let file = together(both, classes, sizes, form == Form::Rohe);
        anyhow::ensure!(!file.images.is_empty(), "{}: there is not a single box", edge.display());
        if let Some(path) = &self.out {
            let writing = || format!("cannot write {}", path.display());
            let out = std::fs::File::create(path).with_context(writing)?;
            file.write(std::io::BufWriter::new(out)).with_context(writing)?;
        }
        Ok(Some(file))
    }
}

/// Classes without names.
fn numbered(both: &[(ImportedModel, Found); 2]) -> Vec<String> {
    let boxes = both.iter().flat_map(|(_, found)| found.values()).flat_map(|of| &of.boxes);
    let count = boxes.map(|found| found.class_id + 1).max().unwrap_or(0);
    (0..count).map(|class| format!("class {class}")).collect()
}

/// A file's text, gzipped or not.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let bytes = std::fs::read(path).with_context(reading)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unzipped = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        unzipped.take(MAX_BYTES).read_to_string(&mut text).with_context(reading)?;
    } else {
        text = String::from_utf8(bytes).with_context(reading)?;
    }
    Ok(text::without_mark(&text).to_owned())
}

/// What a COCO document lists.
struct Listed {
    index: CocoIndex,
    classes: Vec<String>,
    sizes: BTreeMap<String, ImageSize>,
}

#[derive(Deserialize)]
struct Document {
    images: Vec<Image>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Category {
    id: u32,
    name: String,
}

impl Listed {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = text_of(path)?;
        let document: Document =
            serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let mut categories: Vec<Category> = document.categories;
        categories.sort_by_key(|category| category.id);
        let classes = categories.iter().map(|category| category.name.clone()).collect();
        let by_id = (0..).zip(&categories).map(|(class, category)| (category.id, class)).collect();
        let images = document.images.iter();
        let files = images.clone().map(|image| (image.id, image.file_name.clone())).collect();
        let mut sizes = BTreeMap::new();
        for Image { file_name, width, height, .. } in images {
            anyhow::ensure!(
                *width > 0 && *height > 0,
                "{}: the image '{file_name}' has {width}x{height} pixels",
                path.display()
            );
            sizes.insert(file_name.clone(), ImageSize { width: *width, height: *height });
        }
        Ok(Self { index: CocoIndex { files, classes: by_id }, classes, sizes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn args(form: Form, edge: PathBuf, cloud: PathBuf) -> ImportArgs {
        let (edge_results, cloud_results) = (Some(edge), Some(cloud));
        ImportArgs { import: Some(form), edge_results, cloud_results, ..ImportArgs::default() }
    }

    #[test]
    fn tables_are_read_zipped_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let table = "image_name,modality,class_id,x_center,y_center,width,height,confidence\n\
                     1,rgb,2,0.5,0.5,0.5,0.5,0.75\n";
        let (plain, zipped) = (dir.path().join("small.csv"), dir.path().join("large.csv.gz"));
        std::fs::write(&plain, table).unwrap();
        let file = std::fs::File::create(&zipped).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(table.replace("0.75", "0.35").as_bytes()).unwrap();
        encoder.finish().unwrap();
        let args = args(Form::Rohe, plain, zipped.clone());
        let file = args.read(None).unwrap().unwrap();
        let (edge, cloud) = (&file.header.edge, &file.header.cloud);
        assert_eq!((edge.info.name.as_str(), cloud.info.name.as_str()), ("small", "large"));
        assert_eq!((edge.confidence, edge.weak, file.header.classes.len()), (0.4, Some(0.0), 3));
        assert_eq!(file.images[0].edge.thresholded(edge).confident.len(), 1);
        assert_eq!(file.images[0].cloud.thresholded(cloud).weak.len(), 1);
        let out = dir.path().join("found.jsonl");
        let weak = Some(Weak(None));
        let again = ImportArgs { out: Some(out.clone()), weak, ..args.clone() };
        again.read(None).unwrap();
        assert_eq!(super::super::detections::read(&out).unwrap().header.edge.weak, None);
        std::fs::write(&zipped, "image_name\n").unwrap();
        let error = format!("{:#}", args.read(None).unwrap_err());
        assert!(error.contains("large.csv.gz: line 1: there is no column `modality`"), "{error}");
        assert!("some".parse::<Weak>().is_err() && "1.5".parse::<Weak>().is_err());
        assert_eq!("none".parse(), Ok(Weak(None)));
    }

    #[test]
    fn results_are_joined_with_the_annotations_images_and_categories() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let results = |score: f32| {
            format!(r#"[{{"image_id":1,"category_id":18,"bbox":[1,2,3,4],"score":{score}}}]"#)
        };
        let (edge, cloud) = (write("edge.json", &results(0.1)), write("cloud.json", &results(0.9)));
        let document = r#"{"images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48},
            {"id": 2, "file_name": "b.jpg", "width": 8, "height": 8}], "annotations": [],
            "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]}"#;
        let annotations = write("annotations.json", document);
        let args = args(Form::CocoResults, edge, cloud);
        let file = args.read(Some(&annotations)).unwrap().unwrap();
        assert_eq!(file.header.classes, ["person", "dog"]);
        assert_eq!((file.images.len(), file.images[0].size.width), (2, 64));
        assert_eq!(file.images[0].edge.detections[0].class, "dog");
        let by_id = args.read(None).unwrap().unwrap();
        assert_eq!(by_id.images[0].file, "000000000001.jpg");
        write("cloud.json", &results(9.0));
        let error = format!("{:#}", args.read(None).unwrap_err());
        assert!(error.contains("cloud.json: entry 1, `score`: 9 is not from 0 to 1"), "{error}");
    }
}
