//! The labels that simulations are told.

use accuracy::{DetectionsFile, ImageRecord, Labels, Truth};
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;

/// Where labels are.
#[derive(Debug, Clone, Default, Args)]
pub struct LabelArgs {
    /// A folder of YOLO label files, named as the images
    #[arg(long, value_name = "DIR", conflicts_with = "annotations")]
    pub labels: Option<PathBuf>,
    /// A file of COCO annotations
    #[arg(long, value_name = "FILE")]
    pub annotations: Option<PathBuf>,
}

impl LabelArgs {
    /// The labels, of a model with these classes; `None` when none are given.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self, classes: &[String]) -> anyhow::Result<Option<Labels>> {
        match (&self.labels, &self.annotations) {
            (Some(dir), _) => Ok(Some(Labels::yolo(dir, classes.len())?)),
            (None, Some(path)) => {
                let read =
                    Labels::coco(path, classes).with_context(|| path.display().to_string())?;
                Ok(Some(read))
            }
            (None, None) => Ok(None),
        }
    }

    /// What is in each image of a detections file, in its order; `None` when no labels are given.
    ///
    /// # Errors
    /// When they cannot be read, or are of other images.
    pub fn truths(&self, file: &DetectionsFile) -> anyhow::Result<Option<Vec<Truth>>> {
        let Some(labels) = self.read(&file.header.classes)? else { return Ok(None) };
        let truth = |image: &ImageRecord| labels.of(&image.file, image.size);
        Ok(Some(file.images.iter().map(truth).collect::<Result<_, _>>()?))
    }
}
