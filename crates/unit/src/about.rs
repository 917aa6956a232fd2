//! What others need to know of a unit: `mlvi up`, `mlvi check`, `mlvi status`, `mlvi autoscale`.

use settings::Settings;

/// A unit, as it describes itself. The table of all units is that of the crate `units`.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The name of its binary, its image, its Deployment and its folder in `deploy/`.
    pub name: &'static str,
    /// Reads its settings and drops them: for their names and defaults, and for what is wrong.
    pub read_settings: fn(&mut Settings),
    /// What it consumes as the member of a group; `None` when it works in no group.
    pub input: Option<ConsumedTopic>,
    /// What its metrics alone tell of who it is: its name, or what it has in common with others.
    pub family: &'static str,
    /// The counter of the frames that it has finished, without `_total`.
    pub finished: &'static str,
    /// Where the number of frames that wait for it can be read.
    pub backlog: BacklogGauge,
    /// What a pod of it needs and does, where nothing better is known.
    pub estimate: Estimate,
    /// Whether a suite is whole without it: it is deployed by those who want what it does.
    pub is_add_on: bool,
}

/// A topic that is consumed.
#[derive(Clone, Copy, Debug)]
pub struct ConsumedTopic {
    /// What its name ends with, behind the prefix and a dot.
    pub topic: &'static str,
    /// The variable that names the consumer group.
    pub group: &'static str,
}

/// A gauge of frames that wait.
#[derive(Clone, Copy, Debug)]
pub enum BacklogGauge {
    /// Each process of the unit has its own part: they are added up.
    Own(&'static str),
    /// Each process of another unit sees all of it.
    SeenBy {
        /// That unit.
        unit: &'static str,
        /// Its gauge.
        gauge: &'static str,
        /// The gauge's label `tier`, if it has one.
        tier: Option<&'static str>,
    },
}

/// What a pod needs and does.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// How long it takes for a frame, in milliseconds.
    pub service_ms: f64,
    /// Where that is from.
    pub service_from: &'static str,
    /// How many cores a frame keeps busy meanwhile.
    pub cores_per_frame: f64,
    /// From the containers' start until it is ready, in seconds.
    pub start_s: f64,
    /// The variable that says how many frames a pod works on at a time.
    pub workers_variable: Option<&'static str>,
    /// The histogram of its metrics that makes up its service time, and the stages in it.
    pub stages: Option<(&'static str, &'static [&'static str])>,
}

impl About {
    /// The default of one of its variables as text; `None` when it does not read it, or it has
    /// none.
    #[must_use]
    pub fn default_of(&self, variable: &str) -> Option<String> {
        let mut settings = Settings::from_pairs([("", "")]);
        (self.read_settings)(&mut settings);
        let known = settings.variables().iter().find(|known| known.name == variable)?;
        Some(known.default.clone()).filter(|default| !default.is_empty())
    }
}
