//! A loaded model.

use crate::format::{self, ReadNetwork};
use crate::nms::Rule;
use crate::outputs::Outputs;
use crate::prepared::Prepared;
use crate::{
    Calibration, CalibrationError, Description, DetectError, ModelError, Precision, Resize,
    Session, checksum,
};
use engine::{Engine, EngineError, Network};
use engine_tract::{Kernels, Tract};
use frame::{ImageSize, ModelInfo};
use kernels::Team;
use std::sync::Arc;

/// Digits of the weights' sha256 that make up a model's version: enough to tell files apart, short
/// enough to read.
const VERSION_DIGITS: usize = 12;

/// How a model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// How many images run through the network at once; 0 counts as 1.
    ///
    /// Above 1 a second plan is prepared, which doubles the memory of the weights and multiplies
    /// that of the layers' outputs.
    pub max_batch: usize,
    /// How many threads share the work on one image or batch; 0 counts as 1. Sessions that run at
    /// the same time share them, too.
    pub threads: usize,
    /// How convolutions are computed.
    pub kernels: Kernels,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { max_batch: 1, threads: 1, kernels: Kernels::default() }
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
    /// For one image.
    pub(crate) single: Prepared,
    /// For several.
    pub(crate) batch: Option<Prepared>,
}

impl Detector {
    /// Verifies the weights' size and sha256, reads the network and has tract optimise it. Takes a
    /// fraction of a second; call it once.
    ///
    /// # Errors
    /// When a file is missing, malformed or not the one expected; see [`ModelError`].
    pub fn load(description: &Description, options: LoadOptions) -> Result<Self, ModelError> {
        let team = Team::of(options.threads).map_err(|error| {
            let reason = format!("no {} threads for it: {error}", options.threads);
            ModelError::network(description, EngineError::Run(reason))
        })?;
        let engine = Tract::new(engine_tract::Options {
            kernels: options.kernels,
            team,
            ..engine_tract::Options::default()
        });
        Self::load_with(&engine, description, options)
    }

    /// As [`Detector::load`], run by another engine.
    ///
    /// # Errors
    /// As [`Detector::load`]; also when the engine does not run networks of this format.
    pub fn load_with(
        engine: &dyn Engine,
        description: &Description,
        options: LoadOptions,
    ) -> Result<Self, ModelError> {
        let own = checksum::verify(description)?;
        let ReadNetwork { network, any_batch, input, resize, outputs, remarks } =
            description.format().read(description)?;
        check_names(description, &outputs)?;
        let refused = |error: EngineError| ModelError::network(description, error);
        let network = match description.precision() {
            Precision::Float32 => engine.open(network),
            Precision::Bfloat16 => engine.open_bfloat16(network),
            Precision::Int8 => engine.open(in_int8(description, network, &own)?),
        };
        let network = network.map_err(refused)?;
        let data = format::described(description, network.data_files())?;
        let remarks = [&remarks[..], network.remarks().map_err(refused)?].concat();
        let (version, unverified) = checksum::with_data(description, own, &data)?;
        let prepare = |batch: usize| Prepared::new(&*network, batch, &outputs);
        let single = prepare(1).map_err(|error| ModelError::network(description, error))?;
        let batch = match options.max_batch {
            0 | 1 => None,
            batch if any_batch => {
                Some(prepare(batch).map_err(|error| ModelError::network(description, error))?)
            }
            batch => prepare(batch)
                .inspect_err(|error| {
                    tracing::warn!(
                        model = description.name(),
                        batch,
                        %error,
                        "network takes no batches, images run one by one"
                    );
                })
                .ok(),
        };
        let remarks = with_resize(remarks, description, resize);
        let remarks = [remarks, unverified].concat();
        for remark in &remarks {
            tracing::info!(model = description.name(), remark, "how the model is read");
        }
        let info = ModelInfo {
            name: description.name().into(),
            version: version_of(&version, description.precision()),
            input: format!("{}x{}", input.width, input.height),
            resize: Some(description.resize().unwrap_or(resize)),
        };
        let model = Model {
            info,
            input,
            resize: description.resize().unwrap_or(resize),
            remarks,
            names: description.names().to_vec(),
            confidence: description.confidence(),
            weak: description.weak(),
            nms: description.nms(),
            nms_iou: description.nms_iou(),
            single,
            batch,
        };
        Ok(Self { model: Arc::new(model) })
    }

    /// What runs each step of the network for one image, in the order of running: a kernel's name
    /// and its instruction set, or an operator of the engine.
    #[must_use]
    pub fn operators(&self) -> Vec<String> {
        self.model.single.operators()
    }

    /// Name, version (the first 12 digits of the weights' sha256, of all their files, and the
    /// precision unless it is float32) and input size.
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

    /// A session for one thread. It allocates only the input and the engine's state; the weights
    /// are shared.
    ///
    /// # Errors
    /// When the engine refuses to set up its state.
    pub fn session(&self) -> Result<Session, DetectError> {
        Session::new(&self.model)
    }
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("info", &self.model.info).finish_non_exhaustive()
    }
}

/// Tells behind the first remark how a picture is brought to the network's size: as the description
/// says, or else as the format does.
fn with_resize(mut remarks: Vec<String>, description: &Description, format: Resize) -> Vec<String> {
    let how = match description.resize().unwrap_or(format) {
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

/// A version tells apart what can give other detections.
fn version_of(sha256: &str, precision: Precision) -> String {
    let digits: String = sha256.chars().take(VERSION_DIGITS).collect();
    match precision {
        Precision::Float32 => digits,
        Precision::Bfloat16 | Precision::Int8 => format!("{digits}-{}", precision.word()),
    }
}

/// The same network, to be run in int8.
fn in_int8(
    description: &Description,
    network: Network,
    weights: &str,
) -> Result<Network, ModelError> {
    let Network::Graph(mut graph) = network else {
        return Err(ModelError::network(description, "int8 is only for Darknet models"));
    };
    let path = description.calibration();
    let calibration = Calibration::read(path)?;
    let ranges = calibration.ranges(weights, &mut graph).map_err(|problem| {
        CalibrationError::Foreign { path: path.into(), problem, model: description.name().into() }
    })?;
    Ok(Network::Int8(graph, ranges))
}

/// Every class that a head can answer with needs a name.
fn check_names(description: &Description, outputs: &Outputs) -> Result<(), ModelError> {
    let heads = match outputs {
        Outputs::Heads(heads) => &heads[..],
        // is checked against the number of names when its shape is
        Outputs::Yolov8 { .. } => &[],
    };
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
