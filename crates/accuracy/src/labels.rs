//! Where labels come from.

use crate::{CocoAnnotations, Truth, yolo};
use frame::ImageSize;
use std::path::{Path, PathBuf};

/// The labels of a set of images.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// A folder of YOLO label files, each named as its image, `.txt`. An image without objects has none.
    Yolo(PathBuf),
    /// A COCO document.
    Coco(CocoAnnotations),
}

/// Why labels cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder of labels without a single label.
    #[error("{}: no label files (*.txt) are there", .0.display())]
    NoLabels(PathBuf),
    /// A line of a YOLO label file is none.
    #[error("{}:{line}: '{text}' is no label; expected is `class center_x center_y width height`, in shares of the image", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// The document has not the form of COCO annotations.
    #[error("no COCO annotations: {0}")]
    Coco(String),
    /// A category that is annotated and that the model does not know.
    #[error("the category '{0}' is annotated and no class of the model has this name")]
    Category(String),
    /// An image that the annotations do not list.
    #[error("the image {0} is not among the annotated ones")]
    NotAnnotated(String),
}

impl Labels {
    /// A folder of YOLO label files.
    ///
    /// # Errors
    /// When it cannot be read or has no label file at all: then it is the wrong folder.
    pub fn yolo(dir: &Path) -> Result<Self, LabelError> {
        let unreadable = |source| LabelError::Unreadable { path: dir.into(), source };
        let mut entries = std::fs::read_dir(dir).map_err(unreadable)?.flatten();
        if entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "txt")) {
            Ok(Self::Yolo(dir.into()))
        } else {
            Err(LabelError::NoLabels(dir.into()))
        }
    }

    /// A file of COCO annotations; `classes` are the model's names.
    ///
    /// # Errors
    /// When it cannot be read, or as [`CocoAnnotations::parse`] says.
    pub fn coco(path: &Path, classes: &[String]) -> Result<Self, LabelError> {
        let text = std::fs::read_to_string(path).map_err(|source| LabelError::Unreadable { path: path.into(), source })?;
        Ok(Self::Coco(CocoAnnotations::parse(&text, classes)?))
    }

    /// What is in an image of this file name and size.
    ///
    /// # Errors
    /// When its label file cannot be read or is malformed, or the image is not among the annotated ones.
    pub fn of(&self, file: &str, image: ImageSize) -> Result<Truth, LabelError> {
        match self {
            Self::Coco(annotations) => annotations.of(file).cloned(),
            Self::Yolo(dir) => {
                let path = dir.join(file).with_extension("txt");
                match std::fs::read_to_string(&path) {
                    Ok(text) => yolo::parse(&text, image, &path),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Truth::default()),
                    Err(source) => Err(LabelError::Unreadable { path, source }),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: ImageSize = ImageSize { width: 100, height: 100 };

    #[test]
    fn an_image_without_a_label_file_has_no_objects() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Labels::yolo(dir.path()), Err(LabelError::NoLabels(_))));
        assert!(matches!(Labels::yolo(&dir.path().join("nowhere")), Err(LabelError::Unreadable { .. })));
        std::fs::write(dir.path().join("a.txt"), "3 0.5 0.5 1 1\n").unwrap();
        std::fs::write(dir.path().join("b.txt"), "3 0.5\n").unwrap();
        let labels = Labels::yolo(dir.path()).unwrap();
        assert_eq!(labels.of("a.jpg", SIZE).unwrap().objects.len(), 1);
        assert_eq!(labels.of("c.jpg", SIZE).unwrap(), Truth::default());
        assert!(matches!(labels.of("b.jpg", SIZE), Err(LabelError::Line { line: 1, .. })));
    }

    #[test]
    fn a_coco_file_is_read_or_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("annotations.json");
        let error = Labels::coco(&path, &[]).unwrap_err();
        assert!(error.to_string().contains("annotations.json"), "{error}");
        std::fs::write(&path, r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}"#).unwrap();
        assert_eq!(Labels::coco(&path, &[]).unwrap().of("a.jpg", SIZE).unwrap(), Truth::default());
    }
}
