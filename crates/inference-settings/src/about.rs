//! What others need to know of the inference units.

use crate::Config;
use frame::Destination;
use settings::Settings;
use unit::{About, BacklogGauge, ConsumedTopic, Estimate};

/// The unit of the edge, for the table of all units.
pub const EDGE: About = about(
    "edge-inference",
    |settings| drop(Config::from_settings(settings, Destination::Edge)),
    ConsumedTopic { topic: "frames.edge", group: "MLVI_GROUP" },
    "edge",
    120.0,
);

/// The unit of the cloud, for the table of all units.
pub const CLOUD: About = about(
    "cloud-inference",
    |settings| drop(Config::from_settings(settings, Destination::Cloud)),
    ConsumedTopic { topic: "frames.cloud", group: "MLVI_GROUP" },
    "cloud",
    50.0,
);

const fn about(
    name: &'static str,
    read_settings: fn(&mut Settings),
    input: ConsumedTopic,
    tier: &'static str,
    service_ms: f64,
) -> About {
    About {
        name,
        read_settings,
        input: Some(input),
        // the metrics of both tiers are the same ones
        family: "inference",
        finished: "mlvi_inference_frames",
        backlog: BacklogGauge::SeenBy {
            unit: "preprocessor",
            gauge: "mlvi_preprocessor_tier_backlog_frames",
            tier: Some(tier),
        },
        estimate: estimate(service_ms),
        is_add_on: false,
    }
}

const fn estimate(service_ms: f64) -> Estimate {
    Estimate {
        service_ms,
        service_from: "what `mlvi simulate` takes; `mlvi bench detector` measures it, --measured \
            takes it from a unit",
        cores_per_frame: 1.0,
        start_s: 5.0,
        workers_variable: Some("MLVI_MODEL_THREADS"),
        stages: Some(("mlvi_inference_stage_seconds", &["decode", "inference", "postprocess"])),
    }
}
