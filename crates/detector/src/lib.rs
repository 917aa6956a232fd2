//! A description and an image in, detections out, whatever the format of the model and the engine
//! that runs it.
//!
//! A [`Description`] (`models/NAME.toml`) says which files a model is made of. [`Detector::load`]
//! verifies them, reads them (`format`) and has an engine prepare the network (`prepared`), once
//! per process; each model thread then takes a [`Session`] and gives it images. On the way an image
//! is fitted into the network's input (`letterbox`), the engine runs, boxes are read off its
//! outputs (`outputs`, `yolo`, `yolov8`) and thinned out (`nms`), all as Darknet at commit f6afaab
//! does it.
//!
//! A Darknet network also runs in int8, with the ranges of values that a [`Calibrator`] has seen on
//! photos.

mod calibration;
mod checksum;
mod description;
mod detector;
mod error;
mod format;
mod letterbox;
mod nms;
mod outputs;
mod prepared;
mod session;
mod yolo;
mod yolov8;

pub use calibration::{Calibration, CalibrationError, Calibrator, RangeRule};
pub use description::{DataFile, Description, Fork, Precision, PypiSource, Resize, WeightsFile};
pub use detector::{Detector, LoadOptions};
pub use engine::OperatorTime;
pub use engine_tract::{Kernels, remember_trials};
pub use error::{DetectError, ModelError};
pub use nms::Rule as NmsRule;
pub use session::{ImageDetections, RawOutput, Session};
