//! What others need to know of this unit.

use crate::Config;
use settings::Settings;
use unit::{About, BacklogGauge, ConsumedTopic, Estimate};

/// This unit, for the table of all units.
pub const ABOUT: About = About {
    name: "results-store",
    read_settings: |settings| drop(config(settings)),
    input: Some(ConsumedTopic { topic: "results", group: "MLVI_GROUP" }),
    family: "results-store",
    finished: "mlvi_results_store_results",
    backlog: BacklogGauge::Own("mlvi_results_store_backlog_results"),
    estimate: Estimate {
        service_ms: 0.2,
        service_from: "a result in a batch of 500 on one core of ours",
        cores_per_frame: 1.0,
        start_s: 1.0,
        workers_variable: None,
        stages: None,
    },
    is_add_on: true,
};

/// Reads the unit's settings.
pub fn config(settings: &mut Settings) -> Config {
    Config::from_settings(settings)
}
