//! How precise a model is in each precision that it has: speed is not to be had for it unseen.

use super::detector::ours::{Offer, Variant};
use super::peer::Precision;
use super::progress::Progress;
use super::section::{Grid, Section};
use super::stats::Series;
use crate::models;
use crate::simulate::detections::{images_in, percent};
use crate::simulate::labels::LabelArgs;
use accuracy::{Judged, Map, judge};
use anyhow::Context;
use clap::Args;
use detector::Detector;
use serde::Serialize;
use std::path::{Path, PathBuf};
use vision::Limits;

/// On which photos precision is measured.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct AccuracyArgs {
    /// A folder of labelled photos, for the mean average precision; it is left out without one
    #[arg(long, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
    /// What is in them.
    #[command(flatten)]
    pub(super) labels: LabelArgs,
}

/// Precision is measured over everything that is found with more confidence than this.
const CONFIDENCE: f32 = 0.005;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Accuracy {
    model: String,
    images: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    precision: &'static str,
    /// `None` where the model has none in this precision.
    measured: Option<Measured>,
    absent: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Measured {
    map50: f64,
    map: f64,
    /// Median of letterbox, network and boxes.
    ms: f64,
}

/// The model on every photo, in each precision; `None` when no photos are named.
///
/// # Errors
/// When photos or labels cannot be read, or nothing is labelled.
pub(super) fn section(
    args: &AccuracyArgs,
    model: &str,
    models_dir: &Path,
    progress: &Progress,
) -> anyhow::Result<Option<Section>> {
    let Some(images) = &args.images else { return Ok(None) };
    let images = images_in(images)?;
    let description = models::ensure(models_dir, model)?.with_confidence(CONFIDENCE);
    let labels = args.labels.read(description.names())?;
    let labels = labels.context("what is in the photos is named with --labels or --annotations")?;
    let mut rows = Vec::new();
    for precision in Precision::ALL {
        let row = match (Variant { threads: 1, precision }).load(&description)? {
            Offer::Ready(detector) => {
                progress.begin(&format!("precision of {}", precision.word()), images.len() as u64);
                let measured = measure(&detector, &images, &labels, progress)?;
                Row { precision: precision.word(), measured: Some(measured), absent: None }
            }
            Offer::Absent(why) => {
                Row { precision: precision.word(), measured: None, absent: Some(why) }
            }
        };
        rows.push(row);
    }
    render(&Accuracy { model: model.into(), images: images.len(), rows }).map(Some)
}

fn measure(
    detector: &Detector,
    images: &[PathBuf],
    labels: &accuracy::Labels,
    progress: &Progress,
) -> anyhow::Result<Measured> {
    let mut session = detector.session()?;
    let (mut judged, mut times): (Vec<Judged>, Vec<f64>) = (Vec::new(), Vec::new());
    for path in images {
        let one = |path: &Path| -> anyhow::Result<_> {
            let image = vision::decode(&std::fs::read(path)?, &Limits::default())?;
            let found = session.detect(&[&image])?.pop().context("an answer to one image")?;
            let name = path.file_name().and_then(|name| name.to_str());
            let truth = labels.of(name.context("its name is no text")?, image.size())?;
            let ms = found.inference_ms + found.postprocess_ms;
            Ok((judge(&truth, &found.detections), ms))
        };
        let mut one = one;
        let (answer, ms) = one(path).with_context(|| path.display().to_string())?;
        judged.push(answer);
        times.push(ms);
        progress.step();
    }
    let map = Map::of(&judged).context("not a single object is labelled in these photos")?;
    let ms = Series::new(times).context("at least one photo")?.median();
    Ok(Measured { map50: map.map50, map: map.map, ms })
}

fn render(accuracy: &Accuracy) -> anyhow::Result<Section> {
    let Accuracy { model, images, rows } = accuracy;
    let title = format!("Precision, {model}, {images} photos");
    let mut section = Section::new("accuracy", &title, serde_json::to_value(accuracy)?);
    let mut grid =
        Grid::new(&["precision", "mAP@.5", "mAP@.5:.95", "points from float32", "ms/photo"]);
    let plain = rows.iter().find(|row| row.precision == Precision::Float32.word());
    let plain = plain.and_then(|row| row.measured);
    for row in rows {
        let Some(Measured { map50, map, ms }) = row.measured else { continue };
        let apart =
            plain.map_or("–".into(), |plain| format!("{:+.2}", (map50 - plain.map50) * 100.0));
        grid.row(vec![
            row.precision.into(),
            percent(map50),
            percent(map),
            apart,
            format!("{ms:.1}"),
        ]);
    }
    section.grid(grid);
    let missing =
        |row: &Row| Some(format!("Missing: {}, {}.", row.precision, row.absent.as_ref()?));
    section.list(rows.iter().filter_map(missing).collect());
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_has_its_row_or_its_reason() {
        let row = |precision, map50| Row {
            precision,
            measured: Some(Measured { map50, map: 0.1, ms: 12.0 }),
            absent: None,
        };
        let none =
            Row { precision: "bfloat16", measured: None, absent: Some("tiny has none".into()) };
        let rows = vec![row("float32", 0.30), none, row("int8", 0.295)];
        let text = render(&Accuracy { model: "tiny".into(), images: 2, rows }).unwrap().text();
        assert!(
            text.contains("-0.50") && text.contains("Missing: bfloat16, tiny has none."),
            "{text}"
        );
    }
}
