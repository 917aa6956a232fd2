//! What tests need.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Something that a test needs beyond the checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// `collector`: an OpenTelemetry Collector.
    Collector,
    /// `ffmpeg`: ffmpeg, with x264.
    Ffmpeg,
    /// `kafka`: an Apache Kafka.
    Kafka,
    /// `kafka-script`: a Kafka node that the tests may start, stop and give users.
    KafkaScript,
    /// `kustomize`: a program that builds kustomizations.
    Kustomize,
    /// `onnxruntime`: a Python with ONNX Runtime and numpy.
    OnnxRuntime,
    /// `pillow`: a Python with Pillow and numpy.
    Pillow,
    /// `postgres`: a PostgreSQL server in which tests may make databases.
    Postgres,
    /// `pycocotools`: a Python with pycocotools.
    Pycocotools,
    /// `reference`: the answers of Darknet and ONNX Runtime, COCO photos, traces.
    Reference,
    /// `root`: the right to mount a file system.
    Root,
}

impl Requirement {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Collector,
        Self::Ffmpeg,
        Self::Kafka,
        Self::KafkaScript,
        Self::Kustomize,
        Self::OnnxRuntime,
        Self::Pillow,
        Self::Postgres,
        Self::Pycocotools,
        Self::Reference,
        Self::Root,
    ];

    /// How `MLVI_REQUIRE` calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Ffmpeg => "ffmpeg",
            Self::Kafka => "kafka",
            Self::KafkaScript => "kafka-script",
            Self::Kustomize => "kustomize",
            Self::OnnxRuntime => "onnxruntime",
            Self::Pillow => "pillow",
            Self::Postgres => "postgres",
            Self::Pycocotools => "pycocotools",
            Self::Reference => "reference",
            Self::Root => "root",
        }
    }

    /// What there must be.
    #[must_use]
    pub const fn needs(self) -> &'static str {
        match self {
            Self::Collector => {
                "MLVI_COLLECTOR with the path of an OpenTelemetry Collector (`.ci/collector build` \
                 prints one)"
            }
            Self::Ffmpeg => "ffmpeg in PATH (Debian: apt-get install ffmpeg)",
            Self::Kafka => "MLVI_KAFKA=HOST:PORT of an Apache Kafka (`.ci/kafka start` gets one)",
            Self::KafkaScript => {
                "MLVI_KAFKA_SCRIPT with the path of `.ci/kafka`, and a node that it has started"
            }
            Self::Kustomize => "kubectl or kustomize in PATH",
            Self::OnnxRuntime => "MLVI_PYTHON with the path of a Python with onnxruntime and numpy",
            Self::Pillow => "MLVI_PYTHON with the path of a Python with Pillow and numpy",
            Self::Postgres => {
                "MLVI_POSTGRES=postgres://USER@HOST:PORT/NAME (`.ci/postgres start` gets one)"
            }
            Self::Pycocotools => "MLVI_PYTHON with the path of a Python with pycocotools",
            Self::Reference => "MLVI_REFERENCE_DIR with the path of the reference data",
            Self::Root => "a user who may mount a file system",
        }
    }

    /// Reads a list as `MLVI_REQUIRE` has it: words separated by commas. An empty list is one.
    ///
    /// # Errors
    /// At the first word that is unknown.
    pub fn list(text: &str) -> Result<BTreeSet<Self>, UnknownRequirement> {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Requirement {
    type Err = UnknownRequirement;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|requirement| requirement.word() == word);
        found.ok_or_else(|| UnknownRequirement(word.to_owned()))
    }
}

/// A word that names no [`Requirement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRequirement(String);

impl fmt::Display for UnknownRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Requirement::ALL.map(Requirement::word).join(", ");
        write!(f, "nothing that tests need is called '{}'; known are {known}", self.0)
    }
}

impl std::error::Error for UnknownRequirement {}
