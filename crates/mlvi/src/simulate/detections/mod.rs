//! `mlvi simulate detections`: what an edge model and a cloud model find in a folder of images,
//! written down for simulations.

use super::labels::LabelArgs;
use crate::models;
use accuracy::{
    Answer, DetectionsFile, Header, ImageRecord, Judged, Map, ModelEntry, agreement, judge,
};
use anyhow::Context;
use clap::Args;
use detector::{Description, Detector, LoadOptions, NmsRule, Session};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tempfile::NamedTempFile;
use vision::Limits;

/// What `mlvi simulate detections` can be told.
#[derive(Debug, Args)]
pub struct DetectionsArgs {
    /// The edge's model
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny-320")]
    pub edge_model: String,
    /// The cloud's model
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny-608")]
    pub cloud_model: String,
    /// A folder of JPEG, PNG or WebP images
    #[arg(long, value_name = "DIR")]
    pub images: PathBuf,
    /// What is really in them
    #[command(flatten)]
    pub labels: LabelArgs,
    /// Where to write the detections
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write down what is found above this confidence; precision is measured over all of it
    #[arg(long, value_name = "0..1", default_value_t = 0.005)]
    pub confidence: f32,
    /// Which boxes compete, instead of the models' own rule: published figures of precision are by
    /// class
    #[arg(long, value_name = "RULE", value_parser = ["objectness", "class"])]
    pub nms: Option<String>,
    /// How many images are worked on at a time; with more than one the times per image are those
    /// of a busy machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
}

/// Runs both models over the folder, writes the file and prints how good they are.
///
/// # Errors
/// When a model, an image or a label cannot be read, or the file cannot be written.
pub fn run(args: &DetectionsArgs, models_dir: &Path) -> anyhow::Result<()> {
    let writing = || format!("cannot write {}", args.out.display());
    let folder =
        args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // opened before the work, put in place after it
    let out = NamedTempFile::new_in(folder).with_context(writing)?;
    let file = find(args, models_dir)?;
    file.write(BufWriter::new(out.as_file())).with_context(writing)?;
    // temporary files are private
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    out.as_file().set_permissions(readable).with_context(writing)?;
    out.persist(&args.out).with_context(writing)?;
    println!("{} images are in {}\n", file.images.len(), args.out.display());
    print(&file, Quality::of(&file, &args.labels)?.as_ref());
    Ok(())
}

/// Reads a detections file.
///
/// # Errors
/// Names the file that cannot be read.
pub fn read(path: &Path) -> anyhow::Result<DetectionsFile> {
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file =
        DetectionsFile::read(BufReader::new(file)).with_context(|| path.display().to_string())?;
    anyhow::ensure!(!file.images.is_empty(), "{}: no images are in it", path.display());
    Ok(file)
}

/// What the edge's unit saw in an image.
#[must_use]
pub fn seen_at_edge<'a>(header: &Header, image: &'a ImageRecord) -> offload::EdgeDetections<'a> {
    let accuracy::Thresholded { confident, weak } = image.edge.thresholded(&header.edge);
    offload::EdgeDetections { confident, weak, image: image.size }
}

/// Whether the edge's model tells all that a measure of hardness measures; `path` names the file.
///
/// # Errors
/// When the measure is of weak detections and the model tells none.
pub fn check_measure(
    measure: &offload::Measure,
    header: &Header,
    path: &Path,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        header.edge.weak.is_some() || !measure.needs_weak(),
        "{}: line 1: `edge.weak` is missing: the measure is of weak detections, and {} tells none",
        path.display(),
        header.edge.info.name
    );
    Ok(())
}

/// Runs both models over the folder.
///
/// # Errors
/// When a model cannot be had, the models have other classes, or an image cannot be read.
pub fn find(args: &DetectionsArgs, models_dir: &Path) -> anyhow::Result<DetectionsFile> {
    let paths = images_in(&args.images)?;
    let (edge, cloud) = (
        Tier::load(&args.edge_model, args, models_dir)?,
        Tier::load(&args.cloud_model, args, models_dir)?,
    );
    anyhow::ensure!(
        edge.names == cloud.names,
        "{} and {} have other classes",
        args.edge_model,
        args.cloud_model
    );
    let bar = ProgressBar::new(paths.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} images, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, ImageRecord)>> = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || -> anyhow::Result<()> {
        let (mut edge, mut cloud) = (edge.detector.session()?, cloud.detector.session()?);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else { return Ok(()) };
            let record =
                detect(path, &mut edge, &mut cloud).with_context(|| path.display().to_string());
            if record.is_err() {
                // the others need not go on
                next.store(paths.len(), Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, record?));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let ends = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a thread has panicked"))?);
        ends.collect::<anyhow::Result<Vec<()>>>()
    })?;
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let header = Header {
        classes: edge.names,
        from_confidence: args.confidence,
        edge: edge.entry,
        cloud: cloud.entry,
    };
    Ok(DetectionsFile { header, images: done.into_iter().map(|(_, record)| record).collect() })
}

/// A model at the low threshold, and what it is in its unit.
struct Tier {
    detector: Detector,
    names: Vec<String>,
    entry: ModelEntry,
}

impl Tier {
    fn load(name: &str, args: &DetectionsArgs, models_dir: &Path) -> anyhow::Result<Self> {
        let mut description: Description = models::ensure(models_dir, name)?;
        let (confidence, weak) = (description.confidence(), description.weak());
        let highest = weak.unwrap_or(confidence);
        let allowed = (0.0..=highest).contains(&args.confidence);
        anyhow::ensure!(
            allowed,
            "--confidence {} must be 0 to {highest}, from where on {name} tells what it found",
            args.confidence
        );
        match args.nms.as_deref() {
            Some("class") => description = description.with_nms(NmsRule::Class),
            Some(_) => description = description.with_nms(NmsRule::Objectness),
            None => {}
        }
        let nms = match description.nms() {
            NmsRule::Class => "class",
            NmsRule::Objectness => "objectness",
        };
        let names = description.names().to_vec();
        let detector =
            Detector::load(&description.with_confidence(args.confidence), LoadOptions::default())?;
        let entry = ModelEntry { info: detector.info().clone(), confidence, weak, nms: nms.into() };
        Ok(Self { detector, names, entry })
    }
}

/// The photos of a folder, sorted by name.
///
/// # Errors
/// When the folder cannot be read, or has none.
pub(crate) fn images_in(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let known = |path: &PathBuf| {
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        matches!(extension.as_str(), "jpg" | "jpeg" | "png" | "webp")
    };
    paths.retain(known);
    paths.sort();
    anyhow::ensure!(
        !paths.is_empty(),
        "{}: no images (jpg, jpeg, png, webp) are there",
        dir.display()
    );
    Ok(paths)
}

fn detect(path: &Path, edge: &mut Session, cloud: &mut Session) -> anyhow::Result<ImageRecord> {
    let bytes = std::fs::read(path)?;
    let started = Instant::now();
    let image = vision::decode(&bytes, &Limits::default())?;
    let decode_ms = started.elapsed().as_secs_f64() * 1000.0;
    let answer = |session: &mut Session| -> anyhow::Result<Answer> {
        let found = session.detect(&[&image])?.pop().context("an answer to one image")?;
        Ok(Answer {
            service_ms: found.inference_ms + found.postprocess_ms,
            detections: found.detections,
        })
    };
    let file =
        path.file_name().and_then(|name| name.to_str()).context("its name is no text")?.to_owned();
    let (edge, cloud) = (answer(edge)?, answer(cloud)?);
    Ok(ImageRecord { file, size: image.size(), bytes: bytes.len() as u64, decode_ms, edge, cloud })
}

/// Both models' precision over all images.
pub struct Quality {
    /// The edge's.
    pub edge: Map,
    /// The cloud's.
    pub cloud: Map,
}

impl Quality {
    /// `None` where no labels are given.
    ///
    /// # Errors
    /// When they cannot be read, or are of other images.
    pub fn of(file: &DetectionsFile, labels: &LabelArgs) -> anyhow::Result<Option<Self>> {
        let Some(truths) = labels.truths(file)? else { return Ok(None) };
        let map = |answer: AnswerOf| {
            let judged: Vec<Judged> = file
                .images
                .iter()
                .zip(&truths)
                .map(|(image, truth)| judge(truth, &answer(image).detections))
                .collect();
            Map::of(&judged).context("not a single object is labelled in these images")
        };
        Ok(Some(Self { edge: map(|image| &image.edge)?, cloud: map(|image| &image.cloud)? }))
    }
}

/// One tier's answer to an image.
type AnswerOf = fn(&ImageRecord) -> &Answer;

fn print(file: &DetectionsFile, quality: Option<&Quality>) {
    println!(
        "{:<6} {:<28} {:>8} {:>8} {:>12} {:>10}",
        "", "model", "input", "mAP@.5", "mAP@.5:.95", "ms/image"
    );
    let header = &file.header;
    let rows: [(&str, &ModelEntry, Option<Map>, AnswerOf); 2] = [
        ("edge", &header.edge, quality.map(|quality| quality.edge), |image| &image.edge),
        ("cloud", &header.cloud, quality.map(|quality| quality.cloud), |image| &image.cloud),
    ];
    for (tier, model, map, answer) in rows {
        let (half, all) =
            map.map_or(("-".into(), "-".into()), |map| (percent(map.map50), percent(map.map)));
        let mut times: Vec<f64> =
            file.images.iter().map(|image| answer(image).service_ms).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!(
            "{tier:<6} {:<28} {:>8} {half:>8} {all:>12} {median:>10.1}",
            model.info.name, model.info.input
        );
    }
    let agree = |image: &ImageRecord| {
        agreement(
            image.cloud.thresholded(&header.cloud).confident,
            image.edge.thresholded(&header.edge).confident,
        )
    };
    let together: accuracy::Agreement = file.images.iter().map(agree).sum();
    println!(
        "\nthe edge agrees with the cloud to {} % \
         (F1 at an overlap of 0.5, above the units' thresholds)",
        percent(together.f1())
    );
}

/// In percent with two digits, as precision is usually given.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

#[cfg(test)]
pub(super) mod tests;
