//! Where labels come from.

use crate::{CocoAnnotations, Truth, yolo};
use frame::ImageSize;
use std::path::{Path, PathBuf};

/// The labels of a set of images.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// A folder of YOLO label files, each named as its image, `.txt`. An image without objects has
    /// none.
    Yolo {
        /// Which folder.
        dir: PathBuf,
        /// How many classes the model has.
        classes: usize,
    },
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
    #[error(
        "{}:{line}: '{text}' is no label; expected is `class center_x center_y width height`, \
         in shares of the image (0 to 1)",
        path.display()
    )]
    Line {
        /// Which file.
        path: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A label of a class that the model has not.
    #[error(
        "{}: there is an object of class {class_id} where there are {classes} classes",
        path.display()
    )]
    Class {
        /// Which file.
        path: PathBuf,
        /// The label's class, counted from 0.
        class_id: u32,
        /// How many classes there are.
        classes: usize,
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
    /// A folder of YOLO label files, for a model of so many classes.
    ///
    /// # Errors
    /// When it cannot be read or has no label file at all: then it is the wrong folder.
    pub fn yolo(dir: &Path, classes: usize) -> Result<Self, LabelError> {
        let unreadable = |source| LabelError::Unreadable { path: dir.into(), source };
        let mut entries = std::fs::read_dir(dir).map_err(unreadable)?.flatten();
        if entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "txt"))
        {
            Ok(Self::Yolo { dir: dir.into(), classes })
        } else {
            Err(LabelError::NoLabels(dir.into()))
        }
    }

    /// A file of COCO annotations; `classes` are the model's names.
    ///
    /// # Errors
    /// When it cannot be read, or as [`CocoAnnotations::parse`] says.
    pub fn coco(path: &Path, classes: &[String]) -> Result<Self, LabelError> {
        let text = text::read(path)
            .map_err(|source| LabelError::Unreadable { path: path.into(), source })?;
        Ok(Self::Coco(CocoAnnotations::parse(&text, classes)?))
    }

    /// What is in an image of this file name and size.
    ///
    /// # Errors
    /// When its label file cannot be read or is malformed, or the image is not among the annotated
    /// ones.
    pub fn of(&self, file: &str, image: ImageSize) -> Result<Truth, LabelError> {
        match self {
            Self::Coco(annotations) => annotations.of(file).cloned(),
            Self::Yolo { dir, classes } => {
                let path = dir.join(file).with_extension("txt");
                match text::read(&path) {
                    Ok(text) => {
                        let truth = yolo::parse(&text, image, &path)?;
                        match truth
                            .objects
                            .iter()
                            .find(|object| object.class_id as usize >= *classes)
                        {
                            Some(object) => Err(LabelError::Class {
                                path,
                                class_id: object.class_id,
                                classes: *classes,
                            }),
                            None => Ok(truth),
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Ok(Truth::default())
                    }
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
        assert!(matches!(Labels::yolo(dir.path(), 4), Err(LabelError::NoLabels(_))));
        assert!(matches!(
            Labels::yolo(&dir.path().join("nowhere"), 4),
            Err(LabelError::Unreadable { .. })
        ));
        std::fs::write(dir.path().join("a.txt"), "3 0.5 0.5 1 1\n").unwrap();
        std::fs::write(dir.path().join("b.txt"), "3 0.5\n").unwrap();
        let labels = Labels::yolo(dir.path(), 4).unwrap();
        assert_eq!(labels.of("a.jpg", SIZE).unwrap().objects.len(), 1);
        assert_eq!(labels.of("c.jpg", SIZE).unwrap(), Truth::default());
        assert!(matches!(labels.of("b.jpg", SIZE), Err(LabelError::Line { line: 1, .. })));
        std::fs::write(dir.path().join("b.txt"), "\u{feff}3 0.5 0.5 1 1\r\n").unwrap();
        assert_eq!(labels.of("b.jpg", SIZE).unwrap(), labels.of("a.jpg", SIZE).unwrap());
        std::fs::write(dir.path().join("b.txt"), "4 0.5 0.5 1 1\n").unwrap();
        let error = labels.of("b.jpg", SIZE).unwrap_err().to_string();
        assert!(error.contains("b.txt") && error.contains("class 4 where there are 4"), "{error}");
    }

    #[test]
    fn a_coco_file_is_read_or_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("annotations.json");
        let error = Labels::coco(&path, &[]).unwrap_err();
        assert!(error.to_string().contains("annotations.json"), "{error}");
        std::fs::write(
            &path,
            r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}"#,
        )
        .unwrap();
        assert_eq!(Labels::coco(&path, &[]).unwrap().of("a.jpg", SIZE).unwrap(), Truth::default());
    }
}
