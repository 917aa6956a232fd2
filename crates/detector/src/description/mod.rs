//! The description file of a model, `models/NAME.toml`.

mod field_error;
mod file;
mod origin;
mod precision;
mod weights;

use crate::ModelError;
use crate::format::Format;
use crate::nms::Rule;
use engine::{Graph, Network};
use engine_tract::Tract;
use file::{File, Thresholds};
use frame::ImageSize;
use std::path::{Path, PathBuf};

pub(crate) use field_error::FieldError;
pub use frame::Resize;
pub use origin::Fork;
pub use precision::Precision;
pub use weights::{DataFile, PypiSource, WeightsFile};

/// The largest input side in pixels: YOLO networks run at up to about 1280, and a typing error must
/// not ask for gigabytes.
pub(crate) const MAX_INPUT_SIDE: u32 = 4096;
/// The most classes: Open Images has 601, and every class costs a row of every head.
const MAX_CLASSES: usize = 10_000;

/// A model: which files it is made of, how its output is read, where its weights come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    path: PathBuf,
    name: String,
    input: Option<ImageSize>,
    thresholds: Thresholds,
    names: Vec<String>,
    weights: WeightsFile,
    resize: Option<Resize>,
    precision: Precision,
    calibration: PathBuf,
    format: Format,
}

impl Description {
    /// Reads `models_dir/NAME.toml` and the names file that it points to; the weights need not be
    /// there.
    ///
    /// # Errors
    /// An unknown name (with the known ones listed), an unreadable file, or a field that is not
    /// allowed.
    pub fn load(models_dir: &Path, name: &str) -> Result<Self, ModelError> {
        let path = models_dir.join(format!("{name}.toml"));
        // a name is a file's name and never a path that leads out of the folder
        let plain = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !plain || !path.is_file() {
            let available = Self::available(models_dir);
            return Err(ModelError::UnknownModel {
                name: name.into(),
                dir: models_dir.into(),
                available,
            });
        }
        let text = text::read(&path)
            .map_err(|source| ModelError::Unreadable { path: path.clone(), source })?;
        let refused = |problem: String| ModelError::Description { path: path.clone(), problem };
        let wrong = |error: FieldError| refused(error.to_string());
        let file: File = toml::from_str(&text)
            .map_err(|error| refused(error.to_string().trim_end().to_owned()))?;
        file.check(name).map_err(wrong)?;
        let (format, input) = (file.format(models_dir).map_err(wrong)?, file.input());
        let weights = file.weights.checked(models_dir).map_err(wrong)?;
        let names_path = models_dir.join(&file.names);
        let names = read_names(&names_path)?;
        let calibration = file.calibration.unwrap_or_else(|| format!("{name}.calibration").into());
        let calibration = models_dir.join(calibration);
        Ok(Self {
            path,
            name: file.name,
            input,
            thresholds: file.thresholds,
            names,
            weights,
            resize: file.resize,
            precision: file.precision,
            calibration,
            format,
        })
    }

    /// The names of the models that a folder describes, sorted; none when it cannot be read.
    #[must_use]
    pub fn available(models_dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(models_dir).into_iter().flatten().flatten();
        let toml = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
        let mut names: Vec<String> = toml
            .filter_map(|path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// The same model with its weights in another place, e.g. on a mounted volume.
    #[must_use]
    pub fn with_weights_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.weights.path = path.into();
        self
    }

    /// The same model with another least confidence, e.g. a low one to measure its precision over
    /// all of them. What is not 0 to 1 is taken as the nearer of both. Weak detections end
    /// where they would not be below it.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f32) -> Self {
        self.thresholds.confidence = confidence.clamp(0.0, 1.0);
        self.thresholds.weak =
            self.thresholds.weak.filter(|weak| *weak < self.thresholds.confidence);
        self
    }

    /// The same model with another rule of which boxes compete.
    #[must_use]
    pub fn with_nms(mut self, rule: Rule) -> Self {
        self.thresholds.nms = Some(rule);
        self
    }

    /// The same model with another way to bring a picture to the network's size.
    #[must_use]
    pub fn with_resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// The same model, run as another Darknet would run it; an ONNX model is what it was.
    #[must_use]
    pub fn with_darknet(mut self, of: Fork) -> Self {
        self.format.set_fork(of);
        self
    }

    /// The same model in another precision.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The same model with its calibration in another place.
    #[must_use]
    pub fn with_calibration_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.calibration = path.into();
        self
    }

    /// The description file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Input size in pixels, if the description says so; else the Darknet `.cfg` does.
    #[must_use]
    pub fn input(&self) -> Option<ImageSize> {
        self.input
    }

    /// The least confidence that counts as a detection, 0 to 1, exclusive.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        self.thresholds.confidence
    }

    /// Above which confidence what is no detection is told as a weak one, if it is at all; below
    /// [`Description::confidence`].
    #[must_use]
    pub fn weak(&self) -> Option<f32> {
        self.thresholds.weak
    }

    /// The overlap above which the less confident of two boxes of one class is dropped, 0 to 1.
    #[must_use]
    pub fn nms_iou(&self) -> f32 {
        self.thresholds.nms_iou
    }

    /// Which boxes compete. Unless the description says so, heads with an objectness compete by it,
    /// as in Darknet's Python module, and outputs that know only classes compete by class.
    #[must_use]
    pub fn nms(&self) -> Rule {
        self.thresholds.nms.unwrap_or(self.format.nms())
    }

    /// The classes' names, by class index.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The weights file: place, checksum, sources.
    #[must_use]
    pub fn weights(&self) -> &WeightsFile {
        &self.weights
    }

    /// The files with which an ONNX network keeps its numbers apart, by the network itself, which
    /// must be there; none of Darknet's has any. What the description says of them is with
    /// them.
    ///
    /// # Errors
    /// When the network cannot be read, or names a file outside of its own folder.
    pub fn data_files(&self) -> Result<Vec<DataFile>, ModelError> {
        self.format.data_files(self, &Tract::default())
    }

    /// The network as plain data, for whoever measures it or runs it elsewhere; `None` where only an
    /// engine reads the format (ONNX). The checksum is not verified.
    ///
    /// # Errors
    /// When a file is missing or malformed.
    pub fn graph(&self) -> Result<Option<Graph>, ModelError> {
        match self.format.read(self)?.network {
            Network::Graph(graph) | Network::Int8(graph, _) => Ok(Some(graph)),
            Network::Onnx(_) => Ok(None),
        }
    }

    /// How a picture is brought to the network's size, if the description says so; else the
    /// network's Darknet decides, and ONNX networks are letterboxed.
    #[must_use]
    pub fn resize(&self) -> Option<Resize> {
        self.resize
    }

    /// In which numbers the network runs; float32 unless the description says otherwise.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Where the calibration is that int8 needs: NAME.calibration beside the description unless
    /// that says otherwise.
    #[must_use]
    pub fn calibration(&self) -> &Path {
        &self.calibration
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }
}

fn read_names(path: &Path) -> Result<Vec<String>, ModelError> {
    // Darknet ignores the encoding
    let text = text::read_or_latin1(path)
        .map_err(|source| ModelError::Unreadable { path: path.into(), source })?;
    let names: Vec<String> =
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    if (1..=MAX_CLASSES).contains(&names.len()) {
        return Ok(names);
    }
    let problem =
        format!("has {} class names; 1 to {MAX_CLASSES} are allowed, one a line", names.len());
    Err(ModelError::Description { path: path.into(), problem })
}
