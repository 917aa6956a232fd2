//! The contract between the worker and a model: a session per thread, images in, detections out.

use detector::{DetectError, Detector, ImageDetections, Session};
use frame::{ModelInfo, RgbImage};

/// Why a model gave no detections, or no session.
#[derive(Debug, thiserror::Error)]
pub enum ModelFailure {
    /// The detector's own error.
    #[error(transparent)]
    Detector(#[from] DetectError),
    /// The error of a model that is no [`Detector`].
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// It panicked, with this message.
    #[error("the model panicked: {0}")]
    Panicked(String),
}

/// A model that is loaded once and shared by all threads.
pub trait Model: Send + Sync {
    /// Name, version and input size.
    fn info(&self) -> &ModelInfo;

    /// What runs each step of the network, for the metrics; none if the model does not tell.
    fn operators(&self) -> Vec<String> {
        Vec::new()
    }

    /// A session for one thread; also asked for after a panic, because the old one may be left in
    /// any state.
    ///
    /// # Errors
    /// When the model has no resources left.
    fn session(&self) -> Result<Box<dyn ModelSession>, ModelFailure>;
}

/// What one model thread works with.
pub trait ModelSession: Send {
    /// Runs on images together and gives the detections in each, in their order.
    ///
    /// # Errors
    /// When the model fails; the worker then tries each image alone.
    fn detect(&mut self, images: &[&RgbImage]) -> Result<Vec<ImageDetections>, ModelFailure>;
}

impl Model for Detector {
    fn info(&self) -> &ModelInfo {
        Detector::info(self)
    }

    fn operators(&self) -> Vec<String> {
        Detector::operators(self)
    }

    fn session(&self) -> Result<Box<dyn ModelSession>, ModelFailure> {
        Ok(Box::new(Detector::session(self)?))
    }
}

impl ModelSession for Session {
    fn detect(&mut self, images: &[&RgbImage]) -> Result<Vec<ImageDetections>, ModelFailure> {
        Ok(self.detect(images)?)
    }
}
