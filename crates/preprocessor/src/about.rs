//! What others need to know of this unit.

use crate::Config;
use settings::Settings;
use unit::{About, BacklogGauge, ConsumedTopic, Estimate};

/// This unit, for the table of all units.
pub const ABOUT: About = About {
    name: "preprocessor",
    read_settings: |settings| drop(config(settings)),
    input: Some(ConsumedTopic { topic: "frames", group: "MLVI_GROUP" }),
    family: "preprocessor",
    finished: "mlvi_preprocessor_frames",
    backlog: BacklogGauge::SeenBy {
        unit: "preprocessor",
        gauge: "mlvi_preprocessor_backlog_frames",
        tier: None,
    },
    estimate: Estimate {
        service_ms: 11.0,
        service_from: "a frame of 600x400 on one core of ours; --measured takes it from your \
            preprocessor",
        cores_per_frame: 1.0,
        start_s: 2.0,
        workers_variable: Some("MLVI_WORKERS"),
        stages: Some(("mlvi_preprocessor_stage_seconds", &["decode", "sharpen", "encode"])),
    },
    is_add_on: false,
};

/// Reads the unit's settings.
pub fn config(settings: &mut Settings) -> Config {
    Config::from_settings(settings)
}
