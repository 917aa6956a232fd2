//! The only crate that names tract: Darknet or ONNX in, detections out.
//!
//! A [`Description`] (`models/NAME.toml`) says which files a model is made of. [`Detector::load`]
//! verifies, reads and optimises it once per process; each model thread then takes a [`Session`]
//! and gives it images. On the way an image is fitted into the network's input (`letterbox`), run
//! (`plan`), its boxes are read off the outputs (`yolo`, `yolov8`) and thinned out (`nms`), all as
//! Darknet at commit f6afaab does it.

mod checksum;
mod darknet;
mod description;
mod detector;
mod error;
mod guard;
mod letterbox;
mod nms;
mod onnx;
mod outputs;
mod plan;
mod pool;
mod session;
mod yolo;
mod yolov8;

pub use description::{DataFile, Description, Fork, PypiSource, Resize, WeightsFile};
pub use detector::{Detector, LoadOptions};
pub use error::{DetectError, ModelError};
pub use nms::Rule as NmsRule;
pub use plan::OperatorTime;
pub use session::{Found, RawOutput, Session};
