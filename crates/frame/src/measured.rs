//! How hard a frame was for the edge, as its result tells it.

use serde::{Deserialize, Serialize};

/// What the edge measured of a frame that it may send on to the cloud.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// How hard it was by the measure that came with the frame: the higher, the harder. Absent when
    /// nothing was seen that the measure measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What was seen as numbers, weak detections included, whatever the measure is; which ones the
    /// crate `offload` says. A reader passes over a list of another length than it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_stays_missing() {
        let nothing = Measured::default();
        assert_eq!(serde_json::to_string(&nothing).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Measured>("{\"later\":1}").unwrap(), nothing);
        let some = Measured { score: Some(1.25), features: vec![0.5, 2.0] };
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(text, r#"{"score":1.25,"features":[0.5,2.0]}"#);
        assert_eq!(serde_json::from_str::<Measured>(&text).unwrap(), some);
    }
}
