//! The contract between what runs networks and everything else.
//!
//! An [`Engine`] opens a [`Network`], which is either a [`Graph`] of plain data that any engine can
//! run, or a file that only an engine which reads its format can. What it opened becomes a
//! [`Program`] for a number of images, which all threads share, and each thread runs it through a
//! [`Runner`] of its own: numbers in, numbers out. How pictures become numbers and numbers become
//! detections is the detector's matter, and the same for every engine.
//!
//! `engine-tract` implements this with tract.

mod activation;
mod check;
mod error;
mod graph;
mod ranges;

pub use activation::Activation;
pub use check::GraphError;
pub use error::EngineError;
pub use graph::{Convolution, Graph, MaxPool, Node, Operation, Shape, Value};
pub use ranges::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What an engine is asked to run.
#[derive(Debug)]
pub enum Network {
    /// Layers and weights in memory, whatever file they come from.
    Graph(Graph),
    /// The same, to be run with 8-bit weights and activations; of each layer, the range of values
    /// that its output shall hold, beyond which they are cut off.
    Int8(Graph, Vec<Range>),
    /// An ONNX file, which the engine reads itself.
    Onnx(OnnxFile),
}

/// An ONNX file, and what is to be known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxFile {
    /// Where it is; files that it keeps its numbers in are relative to its folder.
    pub path: PathBuf,
    /// What it takes in; if it leaves its own sides open, this settles them.
    pub input: Shape,
    /// What white is in its input; `None` when that follows from the input's type.
    pub input_scale: Option<f32>,
}

/// Something that runs networks.
pub trait Engine: Send + Sync {
    /// Takes up a network; numbers that a file keeps in other files are not read yet.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] when the engine does not run networks of this kind, others when
    /// the network's file cannot be read.
    fn open(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError>;

    /// As [`Engine::open`], with convolutions that round what they multiply, weights and
    /// activations, to bfloat16 where that is quicker; sums stay in single precision.
    ///
    /// # Errors
    /// As [`Engine::open`]; [`EngineError::Unsupported`] from an engine that has no such
    /// convolutions, as here.
    fn open_bfloat16(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError> {
        drop(network);
        Err(EngineError::Unsupported { engine: "of this kind", kind: "bfloat16" })
    }
}

impl OnnxFile {
    /// Whether a path stays in the folder that it is relative to; an ONNX file may name no other.
    #[must_use]
    pub fn may_name(path: &str) -> bool {
        let mut parts = Path::new(path).components();
        let inside = parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        inside && Path::new(path).file_name().is_some() && !path.contains(['\\', '\0'])
    }
}

/// A network that an engine has taken up.
pub trait OpenNetwork {
    /// Further files that numbers are in, sorted, relative to the network's own folder.
    fn data_files(&self) -> &[String];

    /// What was found out about the network's input, a sentence each.
    ///
    /// # Errors
    /// When the network takes no pictures that the engine could give it.
    fn remarks(&self) -> Result<&[String], EngineError>;

    /// Prepares it for `batch` images at once, at least 1: everything that can be done ahead of
    /// running is done here.
    ///
    /// # Errors
    /// When the network cannot be followed, or not for that many images.
    fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError>;
}

/// A network that is prepared for a fixed number of images; all threads share it.
pub trait Program: Send + Sync {
    /// How many images run at once.
    fn batch(&self) -> usize;

    /// The shape of each output for one image, outermost side first; outputs are in the order of
    /// the network.
    fn outputs(&self) -> &[Vec<usize>];

    /// What runs each step, in the order of running, as [`OperatorTime::operator`] says it; none if
    /// the engine does not tell.
    fn operators(&self) -> Vec<String> {
        Vec::new()
    }

    /// What one thread needs to run it.
    ///
    /// # Errors
    /// When the engine has no resources left.
    fn runner(self: Arc<Self>) -> Result<Box<dyn Runner>, EngineError>;
}

/// One thread's way to run a program; owns its scratch memory.
pub trait Runner: Send {
    /// Has `write`, which is called once, fill the input, `[batch, channels, height, width]`. The
    /// input keeps its values between runs, and its place in memory.
    ///
    /// # Errors
    /// When the engine cannot give access to it; then `write` was not called.
    fn fill(&mut self, write: &mut dyn FnMut(&mut [f32])) -> Result<(), EngineError>;

    /// Runs the program on the input. Returns the values of each output, one image after the other,
    /// as many as [`Program::outputs`] says for each.
    ///
    /// # Errors
    /// When the run fails, or an output is not what the program said; the runner stays usable.
    fn run(&mut self) -> Result<Vec<&[f32]>, EngineError>;

    /// Runs the program on the input and tells how long each of its steps took, in the order of
    /// running; may be slower than [`Runner::run`]. For measuring.
    ///
    /// # Errors
    /// As [`Runner::run`].
    fn profile(&mut self) -> Result<Vec<OperatorTime>, EngineError>;
}

/// How long one step of a program took.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorTime {
    /// The step's place: the name of a [`Node`], and a suffix where it became several steps.
    pub node: String,
    /// What the engine runs there, e.g. a matrix product and its kernel.
    pub operator: String,
    /// Wall-clock milliseconds.
    pub milliseconds: f64,
}
