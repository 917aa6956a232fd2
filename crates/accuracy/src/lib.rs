//! How good detections are.
//!
//! What is really in an image is a [`Truth`], read from YOLO label folders or COCO annotations
//! ([`Labels`]). Detections are held against it image by image ([`judge`]), and what comes out is
//! summed up over a set of images ([`Map::of`]): mean average precision as pycocotools computes it
//! (<https://github.com/cocodataset/cocoapi>). Since an image is judged by itself, sets can be put
//! together again and again, e.g. with another tier's answer for some of the images, without
//! judging anything twice. [`agreement`] needs no labels: it holds one model's detections against
//! another's.
//!
//! # The detections file
//!
//! [`DetectionsFile`] keeps what an edge model and a cloud model found in the same images, so that
//! policies can be compared without running a model. It is text in UTF-8, a JSON document a line.
//! The first line is the header:
//!
//! ```json
//! {"format":"mlvi-detections","version":1,"classes":["person","bicycle"],"from_confidence":0.005,
//!  "edge":{"name":"yolov3-tiny-320","version":"dccea06f59b7","input":"320x320",
//!          "confidence":0.25,"weak":0.05,"nms":"objectness"},
//!  "cloud":{"name":"yolov3-tiny-608",…}}
//! ```
//!
//! (in one line). `from_confidence` is above which confidence everything was written down; a
//! model's `confidence` and `weak` are the thresholds that it has in the units. Each further line
//! is an image:
//!
//! ```json
//! {"file":"000000000009.jpg","width":640,"height":480,"bytes":224297,"decode_ms":3.1,
//!  "edge":{"service_ms":31.5,"detections":[[45,0.83,306.2,5.5,321.0,199.1],…]},"cloud":{…}}
//! ```
//!
//! A detection is `[class_id, confidence, x, y, width, height]`, where `x`, `y` is the top left
//! corner and everything is in pixels of the upright image; the most confident comes first.
//! `service_ms` is letterbox, network and boxes.

mod agreement;
mod categories;
mod coco;
mod detections_file;
pub mod import;
mod judge;
mod labels;
mod map;
mod rows;
mod truth;
mod yolo;

pub use agreement::{Agreement, agreement};
pub use categories::coco_category;
pub use coco::CocoAnnotations;
pub use detections_file::{
    Answer, DetectionsError, DetectionsFile, Header, ImageRecord, ModelEntry, Thresholded,
};
pub use judge::{IOU_THRESHOLDS, Judged, judge};
pub use labels::{LabelError, Labels};
pub use map::{Map, evaluate};
pub use truth::{Object, Truth};
