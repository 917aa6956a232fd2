//! What others need to know of this unit.

use unit::{About, BacklogGauge, ConsumedTopic, Estimate};

/// This unit, for the table of all units.
pub const ABOUT: About = About {
    name: "cloud-inference",
    read_settings: |settings| drop(crate::config(settings)),
    input: Some(ConsumedTopic { topic: "frames.cloud", group: "MLVI_GROUP" }),
    // the metrics of both tiers are the same ones
    family: "inference",
    finished: "mlvi_inference_frames",
    backlog: BacklogGauge::SeenBy {
        unit: "preprocessor",
        gauge: "mlvi_preprocessor_tier_backlog_frames",
        tier: Some("cloud"),
    },
    estimate: Estimate {
        service_ms: 50.0,
        service_from: "what `mlvi simulate` takes; `mlvi bench detector` measures it, --measured takes it from a unit",
        cores_per_frame: 1.0,
        start_s: 5.0,
        workers_variable: Some("MLVI_MODEL_THREADS"),
        stages: Some(("mlvi_inference_stage_seconds", &["decode", "inference", "postprocess"])),
    },
};
