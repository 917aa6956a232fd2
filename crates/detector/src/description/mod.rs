//! The description file of a model, `models/NAME.toml`.

mod origin;
mod weights;

use crate::ModelError;
use crate::nms::Rule;
use frame::ImageSize;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use weights::Weights;

pub use origin::{Fork, Resize};
pub use weights::{DataFile, PypiSource, WeightsFile};

/// The largest input side in pixels: YOLO networks run at up to about 1280, and a typing error must
/// not ask for gigabytes.
pub(crate) const MAX_INPUT_SIDE: u32 = 4096;
/// What white may be in a network's input: 1 and 255 are usual, 16 bits are the most that a picture
/// has.
const MIN_SCALE: f32 = 0.001;
const MAX_SCALE: f32 = 65_535.0;
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
    kind: Kind,
}

/// The network's file format, with what only that format needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Darknet: the network is this `.cfg`, the weights file holds numbers only.
    Darknet {
        config: PathBuf,
        /// Whose Darknet it is for, if the description says so.
        fork: Option<Fork>,
    },
    /// ONNX: the weights file is the network.
    Onnx {
        input: ImageSize,
        output: OnnxOutput,
        /// What white is in the network's input, if the description says so.
        input_scale: Option<f32>,
    },
}

/// How the outputs of an ONNX network are read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OnnxOutput {
    /// Raw convolution outputs `[n, anchors·(5+classes), h, w]`, one head per entry, in the order
    /// of the network's outputs.
    YoloHeads(Vec<HeadEntry>),
    /// One output `[n, 4+classes, boxes]`: centre x, y, width, height in input pixels, then a
    /// probability per class.
    Yolov8,
}

/// One head of an ONNX network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadEntry {
    /// Width and height in input pixels, per anchor.
    pub(crate) anchors: Vec<[f32; 2]>,
    /// Darknet's `scale_x_y`.
    #[serde(default = "one")]
    pub(crate) scale_x_y: f32,
}

fn one() -> f32 {
    1.0
}

/// What counts as a detection.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    /// The least confidence, 0 to 1, exclusive.
    #[serde(default = "default_confidence")]
    pub(crate) confidence: f32,
    /// From which confidence on what is no detection is told all the same, exclusive; below
    /// `confidence`.
    pub(crate) weak: Option<f32>,
    /// The largest overlap (intersection over union) of two boxes of a class, 0 to 1.
    #[serde(default = "default_nms_iou")]
    pub(crate) nms_iou: f32,
    /// Which boxes compete; what fits the output's kind when it is not said.
    pub(crate) nms: Option<Rule>,
}

/// From which confidence on YOLO shows objects by default (<https://pjreddie.com/darknet/yolo/>).
fn default_confidence() -> f32 {
    0.25
}

/// What Darknet's detector takes.
fn default_nms_iou() -> f32 {
    0.45
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { confidence: default_confidence(), weak: None, nms_iou: default_nms_iou(), nms: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    format: Format,
    config: Option<PathBuf>,
    darknet: Option<Fork>,
    resize: Option<Resize>,
    names: PathBuf,
    input: Option<Input>,
    #[serde(default)]
    thresholds: Thresholds,
    weights: Weights,
    onnx: Option<Onnx>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    Darknet,
    Onnx,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Onnx {
    output: OutputKind,
    input_scale: Option<f32>,
    #[serde(default)]
    heads: Vec<HeadEntry>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum OutputKind {
    YoloHeads,
    Yolov8,
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
        let problem = |problem: String| ModelError::Description { path: path.clone(), problem };
        let file: File = toml::from_str(&text)
            .map_err(|error| problem(error.to_string().trim_end().to_owned()))?;
        if file.name != name {
            return Err(problem(format!(
                "`name` is '{}'; it must be the file's own name, '{name}'",
                file.name
            )));
        }
        let kind = file.kind(models_dir).map_err(problem)?;
        let input = file.input.as_ref().map(Input::size);
        check_numbers(input, file.thresholds).map_err(problem)?;
        let weights = file.weights.checked(models_dir).map_err(problem)?;
        let names_path = models_dir.join(&file.names);
        let names = read_names(&names_path)?;
        Ok(Self {
            path,
            name: file.name,
            input,
            thresholds: file.thresholds,
            names,
            weights,
            resize: file.resize,
            kind,
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
        if let Kind::Darknet { fork, .. } = &mut self.kind {
            *fork = Some(of);
        }
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
        let fitting = match self.kind {
            Kind::Onnx { output: OnnxOutput::Yolov8, .. } => Rule::Class,
            Kind::Darknet { .. } | Kind::Onnx { output: OnnxOutput::YoloHeads(_), .. } => {
                Rule::Objectness
            }
        };
        self.thresholds.nms.unwrap_or(fitting)
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
        match self.kind {
            Kind::Darknet { .. } => Ok(Vec::new()),
            Kind::Onnx { .. } => crate::onnx::data_files(self),
        }
    }

    /// How a picture is brought to the network's size, if the description says so; else the
    /// network's Darknet decides, and ONNX networks are letterboxed.
    #[must_use]
    pub fn resize(&self) -> Option<Resize> {
        self.resize
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl Input {
    fn size(&self) -> ImageSize {
        ImageSize { width: self.width, height: self.height }
    }
}

impl File {
    fn kind(&self, dir: &Path) -> Result<Kind, String> {
        match (self.format, &self.config, &self.onnx) {
            (Format::Darknet, _, Some(_)) => Err("`onnx` is only for the format \"onnx\"".into()),
            (Format::Darknet, None, _) => {
                Err("`config` is missing: the format \"darknet\" needs the path of a .cfg".into())
            }
            (Format::Darknet, Some(_), None) if self.weights.has_data() => {
                Err("`weights.data` is only for the format \"onnx\"".into())
            }
            (Format::Darknet, Some(config), None) => {
                Ok(Kind::Darknet { config: dir.join(config), fork: self.darknet })
            }
            (Format::Onnx, Some(_), _) => Err("`config` is only for the format \"darknet\"".into()),
            (Format::Onnx, None, _) if self.darknet.is_some() => {
                Err("`darknet` is only for the format \"darknet\"".into())
            }
            (Format::Onnx, None, None) => {
                Err("`onnx.output` is missing: \"yolo-heads\" or \"yolov8\"".into())
            }
            (Format::Onnx, None, Some(onnx)) => match &self.input {
                Some(input) => Ok(Kind::Onnx {
                    input: input.size(),
                    output: onnx.checked()?,
                    input_scale: onnx.scale()?,
                }),
                None => {
                    Err("`input` is missing: the format \"onnx\" needs its width and height".into())
                }
            },
        }
    }
}

impl Onnx {
    fn scale(&self) -> Result<Option<f32>, String> {
        match self.input_scale {
            Some(scale) if !(MIN_SCALE..=MAX_SCALE).contains(&scale) => Err(format!(
                "`onnx.input_scale` is {scale}; it must be {MIN_SCALE} to {MAX_SCALE}, what white is in the input"
            )),
            scale => Ok(scale),
        }
    }

    fn checked(&self) -> Result<OnnxOutput, String> {
        let positive = |value: f32| value.is_finite() && value > 0.0;
        match self.output {
            OutputKind::Yolov8 if self.heads.is_empty() => Ok(OnnxOutput::Yolov8),
            OutputKind::Yolov8 => Err("`onnx.heads` is only for the output \"yolo-heads\"".into()),
            OutputKind::YoloHeads if self.heads.is_empty() => Err(
                "`onnx.heads` is missing: the output \"yolo-heads\" needs the anchors of each head"
                    .into(),
            ),
            OutputKind::YoloHeads => {
                for head in &self.heads {
                    if head.anchors.is_empty()
                        || !head.anchors.iter().flatten().all(|side| positive(*side))
                    {
                        return Err("`onnx.heads.anchors` must be [width, height] pairs in input pixels, above 0".into());
                    }
                    if !positive(head.scale_x_y) {
                        return Err(format!(
                            "`onnx.heads.scale_x_y` is {}; it must be a number above 0",
                            head.scale_x_y
                        ));
                    }
                }
                Ok(OnnxOutput::YoloHeads(self.heads.clone()))
            }
        }
    }
}

fn check_numbers(input: Option<ImageSize>, thresholds: Thresholds) -> Result<(), String> {
    for (field, value) in input
        .iter()
        .flat_map(|input| [("input.width", input.width), ("input.height", input.height)])
    {
        if !(1..=MAX_INPUT_SIDE).contains(&value) {
            return Err(format!("`{field}` is {value}; it must be 1 to {MAX_INPUT_SIDE} pixels"));
        }
    }
    for (field, value) in [
        ("thresholds.confidence", thresholds.confidence),
        ("thresholds.nms_iou", thresholds.nms_iou),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(format!("`{field}` is {value}; it must be 0 to 1"));
        }
    }
    let confidence = thresholds.confidence;
    if let Some(weak) = thresholds.weak.filter(|weak| !(0.0..confidence).contains(weak)) {
        return Err(format!(
            "`thresholds.weak` is {weak}; it must be 0 or more and below `thresholds.confidence`, {confidence}"
        ));
    }
    Ok(())
}

fn read_names(path: &Path) -> Result<Vec<String>, ModelError> {
    // Darknet never looked at the encoding
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
