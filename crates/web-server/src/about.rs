//! What others need to know of this unit.

use crate::{Config, UNIT};
use settings::Settings;
use unit::{About, BacklogGauge, Estimate};

/// This unit, for the table of all units.
pub const ABOUT: About = About {
    name: UNIT,
    read_settings: |settings| drop(config(settings)),
    // every replica reads every result, without a group
    input: None,
    family: UNIT,
    finished: "mlvi_web_server_frames_accepted",
    backlog: BacklogGauge::Own("mlvi_web_server_pending_frames"),
    estimate: Estimate {
        service_ms: 10.0,
        service_from: "an assumption; 3 ms of it are CPU time for 70 kB on a core of ours",
        cores_per_frame: 0.3,
        start_s: 2.0,
        workers_variable: None,
        stages: None,
    },
    is_add_on: false,
};

/// Reads the unit's settings.
pub fn config(settings: &mut Settings) -> Config {
    Config::from_settings(settings)
}
