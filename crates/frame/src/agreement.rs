//! How far edge and cloud agree, as a preprocessor tells it.

use crate::CameraId;
use serde::{Deserialize, Serialize};

/// How far the edge's answers agree with the cloud's, from 0 (nothing in common) to 1 (the same),
/// as a preprocessor whose policy compares them announces it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AnnouncedAgreement {
    /// Over all cameras.
    pub all: Agreement,
    /// By camera; of many cameras those that may be worst.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<CameraAgreement>,
    /// What was learned of which frames are worth sending; absent where nothing is learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<AnnouncedLearning>,
}

/// What a learned measure rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnnouncedLearning {
    /// Answers of the cloud that this process has learned from since it was started.
    pub lessons: u64,
    /// Cameras that it has learned of, found again ones included.
    pub cameras: u64,
    /// Those of which it has gone on from a record of the settings topic.
    pub found_again: u64,
}

/// How far the tiers agree.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Agreement {
    /// On frames that stay on the edge, by audits of them; absent while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub easy: Option<MeanWithin>,
    /// On all frames, if the edge's answers counted; absent while too little is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<MeanWithin>,
    /// The share of frames that are hard.
    pub hard_share: f64,
    /// Audits that this rests on, the older ones counting less.
    pub audits: f64,
}

/// A mean, and the interval that it is in with a confidence of 90 %.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct MeanWithin {
    /// The mean of what was seen.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How far the tiers agree on a camera's frames.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CameraAgreement {
    /// Which camera.
    pub camera: CameraId,
    /// How far.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// How often a change of scene made everything be learned anew.
    pub resets: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_flat_and_what_is_missing_stays_missing() {
        let easy = MeanWithin { mean: 0.9, low: 0.8, high: 0.95 };
        let agreement = Agreement { easy: Some(easy), all: None, hard_share: 0.2, audits: 40.0 };
        let gate = CameraAgreement { camera: "gate".parse().unwrap(), agreement, resets: 1 };
        let told = AnnouncedAgreement { all: agreement, cameras: vec![gate], learned: None };
        let json = serde_json::to_string(&told).unwrap();
        let of_gate = r#"{"camera":"gate","easy":{"mean":0.9,"low":0.8,"high":0.95},"#;
        assert!(json.contains(of_gate), "{json}");
        assert_eq!(serde_json::from_str::<AnnouncedAgreement>(&json).unwrap(), told);
    }
}
