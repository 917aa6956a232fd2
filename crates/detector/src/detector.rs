//! A loaded model.

use crate::darknet::Darknet;
use crate::description::{Kind, OnnxOutput};
use crate::guard::guarded;
use crate::nms::Rule;
use crate::onnx::Onnx;
use crate::outputs::Outputs;
use crate::plan::Plan;
use crate::yolo::YoloHead;
use crate::{Description, DetectError, ModelError, Resize, Session, checksum};
use frame::{ImageSize, ModelInfo};
use std::sync::Arc;
use tract_onnx::prelude::{TractResult, TypedModel};

/// Digits of the weights' sha256 that make up a model's version: enough to tell files apart, short
/// enough to read.
const VERSION_DIGITS: usize = 12;

/// How a model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// How many images run through the network at once; 0 counts as 1, which is best on a CPU.
    ///
    /// Above 1 a second plan is prepared, which doubles the memory of the weights and multiplies
    /// that of the layers' outputs. With tract 0.23 it does not pay: measured per frame,
    /// YOLOv3-tiny takes 1.4 to 1.6 times as long in groups of 2 to 8 as one by one.
    pub max_batch: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { max_batch: 1 }
    }
}

/// A model that is loaded and optimised: once per process; clones share it.
#[derive(Clone)]
pub struct Detector {
    model: Arc<Model>,
}

/// What all sessions share.
pub(crate) struct Model {
    pub(crate) info: ModelInfo,
    pub(crate) input: ImageSize,
    pub(crate) resize: Resize,
    /// What was assumed, and what was passed over.
    pub(crate) remarks: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) confidence: f32,
    pub(crate) weak: Option<f32>,
    pub(crate) nms: Rule,
    pub(crate) nms_iou: f32,
    pub(crate) outputs: Outputs,
    /// For one image.
    pub(crate) single: Arc<Plan>,
    /// For several.
    pub(crate) batch: Option<Arc<Plan>>,
}

/// A network on the way to a plan.
enum Source {
    Darknet(Darknet),
    Onnx(Box<Onnx>, ImageSize),
}

impl Detector {
    /// Verifies the weights' size and sha256, reads and optimises the network. Takes a fraction of
    /// a second; call it once.
    ///
    /// # Errors
    /// When a file is missing, malformed or not the one expected; see [`ModelError`].
    pub fn load(description: &Description, options: LoadOptions) -> Result<Self, ModelError> {
        let own = checksum::verify(description)?;
        let weights = &description.weights().path;
        let (source, outputs) = match description.kind() {
            Kind::Darknet { config, fork } => {
                let darknet = Darknet::read(config, weights, description.input(), *fork)?;
                let heads = darknet.heads();
                (Source::Darknet(darknet), Outputs::Heads(heads))
            }
            Kind::Onnx { input, output, input_scale } => {
                let onnx = Box::new(Onnx::read(description, *input_scale)?);
                (Source::Onnx(onnx, *input), outputs_of(output, description.names().len()))
            }
        };
        check_names(description, &outputs)?;
        let (version, unverified) = source.version(description, own)?;
        let (input, resize) = (source.input(), description.resize().unwrap_or(source.resize()));
        let plan = |batch: usize| -> Result<Arc<Plan>, String> {
            let made = guarded(|| -> TractResult<Plan> {
                Plan::new(source.model(batch)?, batch, input, &outputs)
            })?;
            made.map(Arc::new).map_err(|error| format!("{error:#}"))
        };
        let single = plan(1).map_err(|reason| ModelError::network(description, reason))?;
        let batch = match (options.max_batch, &source) {
            (0 | 1, _) => None,
            (batch, Source::Darknet(_)) => {
                Some(plan(batch).map_err(|reason| ModelError::network(description, reason))?)
            }
            // exported networks often have a batch of one written into them, and still do their
            // work one by one
            (batch, Source::Onnx(..)) => plan(batch)
                .inspect_err(|reason| {
                    tracing::warn!(
                        model = description.name(),
                        batch,
                        reason,
                        "network takes no batches, images run one by one"
                    );
                })
                .ok(),
        };
        let remarks = [source.remarks(description, resize), unverified].concat();
        for remark in &remarks {
            tracing::info!(model = description.name(), remark, "how the model is read");
        }
        let info = ModelInfo {
            name: description.name().into(),
            version: version.chars().take(VERSION_DIGITS).collect(),
            input: format!("{}x{}", input.width, input.height),
        };
        let model = Model {
            info,
            input,
            resize,
            remarks,
            names: description.names().to_vec(),
            confidence: description.confidence(),
            weak: description.weak(),
            nms: description.nms(),
            nms_iou: description.nms_iou(),
            outputs,
            single,
            batch,
        };
        Ok(Self { model: Arc::new(model) })
    }

    /// Name, version (the first 12 digits of the weights' sha256, of all their files) and input
    /// size.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.model.info
    }

    /// How a picture is brought to the network's size.
    #[must_use]
    pub fn resize(&self) -> Resize {
        self.model.resize
    }

    /// What was assumed about the files and what in them was passed over, a sentence each: for
    /// whoever describes a model.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.model.remarks
    }

    /// A session for one thread. It allocates only the input and tract's state; the weights are
    /// shared.
    ///
    /// # Errors
    /// When tract refuses to set up its state.
    pub fn session(&self) -> Result<Session, DetectError> {
        Session::new(&self.model)
    }
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("info", &self.model.info).finish_non_exhaustive()
    }
}

impl Source {
    fn model(&self, batch: usize) -> TractResult<TypedModel> {
        match self {
            Self::Darknet(darknet) => darknet.model(batch),
            Self::Onnx(onnx, input) => onnx.model(*input, batch),
        }
    }

    fn input(&self) -> ImageSize {
        match self {
            Self::Darknet(darknet) => darknet.input(),
            Self::Onnx(_, input) => *input,
        }
    }

    /// Unless the description says otherwise.
    fn resize(&self) -> Resize {
        match self {
            Self::Darknet(darknet) => darknet.resize(),
            Self::Onnx(..) => Resize::Letterbox,
        }
    }

    /// The checksum of all files that hold numbers, of which `own` is the weights file's, and which
    /// of them nobody vouches for.
    fn version(
        &self,
        description: &Description,
        own: String,
    ) -> Result<(String, Vec<String>), ModelError> {
        match self {
            Self::Darknet(_) => Ok((own, Vec::new())),
            Self::Onnx(onnx, _) => checksum::with_data(description, own, onnx.data()),
        }
    }

    fn remarks(&self, description: &Description, resize: Resize) -> Vec<String> {
        let mut remarks = match (self, description.kind()) {
            (Self::Darknet(darknet), Kind::Darknet { config, .. }) => darknet.remarks(config),
            (Self::Onnx(onnx, _), _) => onnx.remarks().to_vec(),
            (Self::Darknet(_), Kind::Onnx { .. }) => Vec::new(),
        };
        let how = match resize {
            Resize::Letterbox => "pictures are letterboxed: they keep their shape, with grey bars",
            Resize::Stretch => "pictures are stretched to the network's size",
        };
        let source = if description.resize().is_some() {
            ", as the description says"
        } else {
            "; `resize` in the description overrides it"
        };
        remarks.insert(1.min(remarks.len()), format!("{how}{source}"));
        remarks
    }
}

fn outputs_of(output: &OnnxOutput, classes: usize) -> Outputs {
    match output {
        OnnxOutput::YoloHeads(entries) => {
            let head = |entry: &crate::description::HeadEntry| YoloHead {
                anchors: entry.anchors.clone(),
                classes,
                scale_x_y: entry.scale_x_y,
            };
            Outputs::Heads(entries.iter().map(head).collect())
        }
        OnnxOutput::Yolov8 => Outputs::Yolov8 { classes },
    }
}

/// Every class that a head can answer with needs a name.
fn check_names(description: &Description, outputs: &Outputs) -> Result<(), ModelError> {
    let Outputs::Heads(heads) = outputs else { return Ok(()) };
    match heads.iter().find(|head| head.classes != description.names().len()) {
        Some(head) => Err(ModelError::Description {
            path: description.path().into(),
            problem: format!(
                "`names` has {} names where the network has {} classes",
                description.names().len(),
                head.classes
            ),
        }),
        None => Ok(()),
    }
}
