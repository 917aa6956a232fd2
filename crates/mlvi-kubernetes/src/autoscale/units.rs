//! What is known of each unit, where nothing better is told.

/// A unit of the suite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    /// How long it takes for a frame, in milliseconds.
    pub(super) service_ms: f64,
    /// Where that is from.
    pub(super) service_from: &'static str,
    /// How many cores a frame keeps busy meanwhile.
    pub(super) cores_per_frame: f64,
    /// From the containers' start until it is ready, in seconds.
    pub(super) start_s: f64,
    /// The variable that says how many frames a pod works on at a time.
    pub(super) workers_variable: Option<&'static str>,
    /// Whether it consumes a topic.
    pub(super) consumes: bool,
    /// The histograms of its /metrics that make up its service time: name and stages.
    pub(super) stages: Option<(&'static str, &'static [&'static str])>,
}

const SIMULATE: &str = "what `mlvi simulate` takes; `mlvi bench detector` measures it, --measured takes it from a unit";
const INFERENCE: (&str, &[&str]) =
    ("mlvi_inference_stage_seconds", &["decode", "inference", "postprocess"]);
const PREPARING: (&str, &[&str]) =
    ("mlvi_preprocessor_stage_seconds", &["decode", "sharpen", "encode"]);

/// All of them.
pub(super) const UNITS: [Unit; 4] = [
    Unit {
        name: "web-server",
        service_ms: 10.0,
        service_from: "an assumption; 3 ms of it are CPU time for 70 kB on a core of ours",
        cores_per_frame: 0.3,
        start_s: 2.0,
        workers_variable: None,
        consumes: false,
        stages: None,
    },
    Unit {
        name: "preprocessor",
        service_ms: 11.0,
        service_from: "a frame of 600x400 on one core of ours; --measured takes it from your preprocessor",
        cores_per_frame: 1.0,
        start_s: 2.0,
        workers_variable: Some("MLVI_WORKERS"),
        consumes: true,
        stages: Some(PREPARING),
    },
    Unit {
        name: "edge-inference",
        service_ms: 120.0,
        service_from: SIMULATE,
        cores_per_frame: 1.0,
        start_s: 5.0,
        workers_variable: Some("MLVI_MODEL_THREADS"),
        consumes: true,
        stages: Some(INFERENCE),
    },
    Unit {
        name: "cloud-inference",
        service_ms: 50.0,
        service_from: SIMULATE,
        cores_per_frame: 1.0,
        start_s: 5.0,
        workers_variable: Some("MLVI_MODEL_THREADS"),
        consumes: true,
        stages: Some(INFERENCE),
    },
];

/// The unit of this name.
pub(super) fn named(name: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|unit| unit.name == name)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    UNITS.map(|unit| unit.name).join(", ")
}
