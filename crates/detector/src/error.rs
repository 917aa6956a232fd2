//! What can go wrong while a model is loaded, and while it runs.

use crate::{CalibrationError, Description};
use engine::EngineError;
use std::path::PathBuf;

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no description of that name.
    #[error("there is no model '{name}' in {dir}; available: {}", listed(available))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The folder of descriptions that was searched.
        dir: PathBuf,
        /// The names that it does hold, sorted.
        available: Vec<String>,
    },
    /// A file that is needed cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The weights are not there yet.
    #[error("the weights {path} are missing; {}", how_to_get(.model, *.has_source))]
    WeightsMissing {
        /// Where they should be.
        path: PathBuf,
        /// The model that needs them.
        model: String,
        /// Whether its description says from where they can be had.
        has_source: bool,
    },
    /// The weights file has another size than its description, or the network, asks for.
    #[error("the weights {path} have {actual} bytes where {expected} are expected ({reason})")]
    WrongSize {
        /// Which file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
        /// Who expects so.
        reason: &'static str,
    },
    /// The weights file has the right size and another content.
    #[error(
        "the weights {path} have the sha256 {actual} where {expected} is expected; \
         delete the file and get it again"
    )]
    WrongChecksum {
        /// Which file.
        path: PathBuf,
        /// The description's sha256, in lowercase hexadecimal.
        expected: String,
        /// The file's.
        actual: String,
    },
    /// The description file (`models/*.toml`) says something that is not allowed.
    #[error("{path}: {problem}")]
    Description {
        /// Which file.
        path: PathBuf,
        /// The field, what is wrong with it, and what is allowed.
        problem: String,
    },
    /// A line of a Darknet `.cfg` cannot be followed.
    #[error("{path}:{line}: {problem}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Int8 was asked for, and the calibration is not there or not for this model.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The network itself cannot be built or run.
    #[error("the model {model} cannot be loaded: {path}: {reason}")]
    Network {
        /// Its name.
        model: String,
        /// The file that holds it.
        path: PathBuf,
        /// The cause, outermost first.
        reason: String,
    },
}

impl ModelError {
    /// About the network in the weights file.
    pub(crate) fn network(description: &Description, reason: impl ToString) -> Self {
        Self::Network {
            model: description.name().into(),
            path: description.weights().path.clone(),
            reason: reason.to_string(),
        }
    }
}

fn how_to_get(model: &str, has_source: bool) -> String {
    if has_source {
        format!("get them with `mlvi models fetch {model}`")
    } else {
        format!(
            "its description names no source: get the file yourself, then run \
             `mlvi models fetch {model} --from FILE`"
        )
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Why a model failed on an image.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The network could not be run.
    #[error("the network failed: {0}")]
    Network(String),
    /// A tensor given as input has the wrong length.
    #[error("the input tensor has {values} values where {wanted} are wanted")]
    Input {
        /// Values given.
        values: usize,
        /// Values wanted.
        wanted: usize,
    },
    /// The network answered with a tensor of another shape or type than it was loaded with.
    #[error("the network's output {index} is not what was expected: {problem}")]
    Output {
        /// Which output, from 0.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<EngineError> for DetectError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Output { index, found, wanted } => {
                Self::Output { index, problem: format!("it is {found} where {wanted} is expected") }
            }
            EngineError::Unsupported { .. } | EngineError::Network(_) | EngineError::Run(_) => {
                Self::Network(error.to_string())
            }
        }
    }
}
