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
    /// What is in each image of a detections file, in its order; `None` when no labels are given.
    ///
    /// # Errors
    /// When they cannot be read, or are of other images.
    pub fn truths(&self, file: &DetectionsFile) -> anyhow::Result<Option<Vec<Truth>>> {
        let labels = match (&self.labels, &self.annotations) {
            (Some(dir), _) => Labels::yolo(dir, file.header.classes.len())?,
            (None, Some(path)) => Labels::coco(path, &file.header.classes)
                .with_context(|| path.display().to_string())?,
            (None, None) => return Ok(None),
        };
        let truth = |image: &ImageRecord| labels.of(&image.file, image.size);
        Ok(Some(file.images.iter().map(truth).collect::<Result<_, _>>()?))
    }
}
