//! The contract between the worker and a model: a session per thread, images in, detections out.

use detector::{Detector, Found, Session};
use frame::{ModelInfo, RgbImage};

/// A model that is loaded once and shared by all threads.
pub trait Model: Send + Sync {
    /// Name, version and input size.
    fn info(&self) -> &ModelInfo;

    /// A session for one thread; also asked for after a panic, because the old one may be left in
    /// any state.
    ///
    /// # Errors
    /// When the model has no resources left.
    fn session(&self) -> Result<Box<dyn ModelSession>, String>;
}

/// What one model thread works with.
pub trait ModelSession: Send {
    /// Looks at images together and gives what it found in each, in their order.
    ///
    /// # Errors
    /// When the model fails; the worker then tries each image alone.
    fn look(&mut self, images: &[&RgbImage]) -> Result<Vec<Found>, String>;
}

impl Model for Detector {
    fn info(&self) -> &ModelInfo {
        Detector::info(self)
    }

    fn session(&self) -> Result<Box<dyn ModelSession>, String> {
        match Detector::session(self) {
            Ok(session) => Ok(Box::new(session)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl ModelSession for Session {
    fn look(&mut self, images: &[&RgbImage]) -> Result<Vec<Found>, String> {
        self.detect(images).map_err(|error| error.to_string())
    }
}
