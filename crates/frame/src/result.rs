//! What comes back for a frame.

use crate::{CameraId, Decision, Detection, FrameId, ImageSize, Measured, Problem, Resize};
use serde::{Deserialize, Serialize};

/// How a frame's journey ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A model ran on it.
    Done,
    /// It could not be processed; `error` says why.
    Failed,
    /// Its deadline went by first.
    Expired,
    /// No detection: the frame equals the camera's last one (see `same_as`).
    Skipped,
    /// The edge has answered, and the cloud will: not the end of the journey, another result
    /// follows.
    Provisional,
}

impl Status {
    /// Whether the frame's journey has ended; only a provisional answer is followed by another one.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Provisional)
    }

    /// `done`, `failed`, `expired`, `skipped` or `provisional`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
            Self::Provisional => "provisional",
        }
    }
}

/// The result of one frame, as it travels on the results topic and as clients read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FrameResult {
    /// Which frame.
    pub frame_id: FrameId,
    /// From which camera.
    pub camera: CameraId,
    /// The frame's number at its camera.
    pub sequence: u64,
    /// How it ended.
    pub status: Status,
    /// Why it failed or expired; absent when done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// The uploaded image's size, upright; absent when it could not be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSize>,
    /// What was found, most confident first.
    #[serde(default)]
    pub detections: Vec<Detection>,
    /// Where it was sent and why; absent when it never came to a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The earlier frame of this camera that this one equals; present when skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<FrameId>,
    /// How hard it was for the edge; present in the edge's results of frames that it may send on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardness: Option<Measured>,
    /// The newer frame of this camera that was served in its place; present when a frame of a
    /// camera that is served newest first has expired for that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken_by: Option<FrameId>,
    /// Which sending to a tier this result comes from: 1, or more when a tier did not answer in
    /// time or the cloud was asked as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Which model ran; absent when none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelInfo>,
    /// Who gave this result.
    pub served_by: ServedBy,
    /// How long each stage took.
    pub timings_ms: TimingsMs,
}

impl FrameResult {
    /// Of that frame, with nothing found, decided or measured.
    #[must_use]
    pub fn new(frame_id: FrameId, camera: CameraId, sequence: u64, status: Status) -> Self {
        Self {
            frame_id,
            camera,
            sequence,
            status,
            error: None,
            image: None,
            detections: Vec::new(),
            decision: None,
            same_as: None,
            hardness: None,
            overtaken_by: None,
            attempt: None,
            model: None,
            served_by: ServedBy::default(),
            timings_ms: TimingsMs::default(),
        }
    }

    /// As it travels: JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("a result has text keys and finite structure, which JSON always takes")
    }
}

/// A model by name, version and input size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ModelInfo {
    /// As in `models/*.toml`, e.g. `yolov3-tiny`.
    pub name: String,
    /// The first 12 hexadecimal digits of the weights' sha256.
    pub version: String,
    /// Input width × height in pixels, e.g. `416x416`.
    pub input: String,
    /// How pictures are brought to that size; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
}

impl ModelInfo {
    /// The input's size, when `input` tells it.
    #[must_use]
    pub fn input_size(&self) -> Option<ImageSize> {
        let (width, height) = self.input.split_once('x')?;
        let size = ImageSize { width: width.parse().ok()?, height: height.parse().ok()? };
        (size.width > 0 && size.height > 0).then_some(size)
    }
}

/// A process, and where it runs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ServedBy {
    /// The unit, e.g. `edge-inference`.
    pub unit: String,
    /// The pod (or the host's name outside Kubernetes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The node, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Milliseconds spent in each stage; a stage that the frame never reached is absent.
///
/// Queue times compare the clocks of two machines, and are 0 where these disagree.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TimingsMs {
    /// From the first byte at the intake until the frame was handed to the producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<f64>,
    /// In the frames topic, until the preprocessor took it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_frames: Option<f64>,
    /// Decode, sharpen, encode, wait for the camera's turn, decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<f64>,
    /// In the tier's topic and the worker's queue, until a model thread took it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_inference: Option<f64>,
    /// Decoding before the inference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<f64>,
    /// Letterbox and network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<f64>,
    /// Reading boxes off the heads, non-maximum suppression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postprocess: Option<f64>,
    /// From receipt at the intake until this result was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end: Option<f64>,
}
