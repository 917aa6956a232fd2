//! The settings of an inference unit.

use crate::models;
use frame::{DEFAULT_MAX_PIXELS, Destination, Topics};
use frame_bus::{BusConfig, DEFAULT_BROKERS};
use settings::Settings;
use std::path::PathBuf;
use std::time::Duration;
use unit::{Memory, PixelRoom, ShellConfig};

const MIB: u64 = 1 << 20;

/// Everything that an inference unit needs to know.
#[derive(Debug)]
pub struct Config {
    /// The process shell.
    pub shell: ShellConfig,
    /// How to reach the broker.
    pub bus: BusConfig,
    /// The names of the topics.
    pub topics: Topics,
    /// With how many partitions missing topics are made.
    pub partitions: i32,
    /// Which tier's frames are taken.
    pub tier: Destination,
    /// The consumer group; all replicas of a tier share it.
    pub group: String,
    /// Which model runs on them.
    pub model: ModelConfig,
    /// How many model threads there are.
    pub threads: usize,
    /// The most frames that run through the network at once.
    pub max_batch: usize,
    /// How long the first frame of a batch waits for others.
    pub batch_wait: Duration,
    /// How many frames may be in the process at a time.
    pub max_in_flight: usize,
    /// A frame that was taken up so often without an end is given up.
    pub max_takes: u32,
    /// Images with more pixels are refused.
    pub max_pixels: u64,
    /// Where decoded pictures have room.
    pub room: PixelRoom,
    /// The unit stops when the model has failed on so many frames in a row: a broken release must
    /// not turn a whole topic into dead letters.
    pub max_model_failures: u32,
}

/// Which model, and where its files are.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The folder of descriptions.
    pub dir: PathBuf,
    /// The description's name.
    pub name: String,
    /// In which numbers the network runs.
    pub precision: ModelPrecision,
    /// How many threads share the work on one frame.
    pub frame_threads: usize,
    /// How the network's convolutions are computed.
    pub kernels: KernelChoice,
    /// Where trials of kernels are remembered.
    pub trials_file: Option<PathBuf>,
}

/// In which numbers a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelPrecision {
    /// As the model's description says.
    #[default]
    AsDescribed,
    /// In float32, whatever the description says.
    Float32,
    /// In int8, whatever the description says.
    Int8,
}

/// How a network's convolutions are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelChoice {
    /// By the quickest method, with trials where that depends on the machine.
    Auto,
    /// The same without trials.
    Table,
    /// With the least memory.
    Small,
    /// By tract's own operators.
    Tract,
}

impl Config {
    /// Reads the settings of the unit that serves `tier`.
    pub fn from_settings(settings: &mut Settings, tier: Destination) -> Self {
        let unit = format!("{tier}-inference");
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = settings.number(
            "MLVI_MODEL_THREADS",
            cores,
            1..=256,
            "how many frames the model runs on at a time, a thread each",
        );
        let max_batch = settings.number(
            "MLVI_MAX_BATCH",
            1,
            1..=64,
            "how many frames run through the network at once; above 1 a second copy of the weights \
             is held",
        );
        let batch_wait = settings.duration(
            "MLVI_BATCH_WAIT",
            Duration::from_millis(5),
            Duration::ZERO..=Duration::from_secs(10),
            "how long the first frame of a batch waits for others, when MLVI_MAX_BATCH is above 1",
        );
        // one batch at work and one waiting per thread keep the model busy; more would only take
        // frames away from other replicas
        let max_in_flight = settings.number(
            "MLVI_MAX_IN_FLIGHT",
            2 * threads * max_batch,
            1..=100_000,
            "how many frames may be in this process at a time; the default is 2 x threads x batch",
        );
        let memory = Memory::from_settings(settings);
        let bus = BusConfig {
            queue_bytes: bytes(memory.share(8, BusConfig::MIN_QUEUE_BYTES as u64, 64 * MIB)),
            in_hand_bytes: bytes(memory.share(8, 8 * MIB, 2048 * MIB)),
            ..BusConfig::new(DEFAULT_BROKERS, &unit)
        };
        Self {
            shell: ShellConfig::from_settings(settings, &unit),
            bus: BusConfig::from_settings_or(settings, bus),
            topics: frame_bus::topics_from_settings(settings),
            partitions: frame_bus::partitions_from_settings(settings),
            tier,
            group: settings.text(
                "MLVI_GROUP",
                &format!("mlvi-{unit}"),
                "the consumer group that all replicas of this unit share",
            ),
            model: ModelConfig::from_settings(settings),
            threads,
            max_batch,
            batch_wait,
            max_in_flight,
            max_takes: frame_bus::max_takes_from_settings(settings),
            max_pixels: settings.number(
                "MLVI_MAX_PIXELS",
                DEFAULT_MAX_PIXELS,
                1..=1_000_000_000,
                "images with more pixels are refused",
            ),
            room: PixelRoom::from_settings(settings, memory),
            max_model_failures: settings.number(
                "MLVI_MAX_MODEL_FAILURES",
                100,
                1..=1_000_000,
                "the unit stops when the model has failed on so many frames in a row",
            ),
        }
    }
}

fn bytes(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

impl ModelConfig {
    /// Reads `MLVI_MODELS_DIR` and `MLVI_MODEL`, and refuses a name that the folder does not
    /// describe.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let dir = PathBuf::from(settings.text(
            "MLVI_MODELS_DIR",
            "models",
            "the folder of model descriptions (*.toml)",
        ));
        let name = settings.text(
            "MLVI_MODEL",
            "yolov3-tiny",
            "the model, by the name of its description in MLVI_MODELS_DIR",
        );
        if let Some(available) = models::others_than(&dir, &name) {
            let allowed = if available.is_empty() {
                format!("a model of MLVI_MODELS_DIR='{}', which holds none", dir.display())
            } else {
                format!("one of: {}", available.join(", "))
            };
            settings.refuse("MLVI_MODEL", name.clone(), allowed);
        }
        let precision = settings.choice(
            "MLVI_MODEL_PRECISION",
            "as-described",
            &[
                ("as-described", ModelPrecision::AsDescribed),
                ("float32", ModelPrecision::Float32),
                ("int8", ModelPrecision::Int8),
            ],
            "in which numbers the network runs, if not as the model's description says; int8 \
             needs a calibration, which `mlvi models calibrate` makes",
        );
        let frame_threads = settings.number(
            "MLVI_FRAME_THREADS",
            1,
            1..=256,
            "how many threads share the work on one frame; above 1 a frame takes less time, but \
             all frames together take more",
        );
        let kernels = settings.choice(
            "MLVI_MODEL_KERNELS",
            "auto",
            &[
                ("auto", KernelChoice::Auto),
                ("table", KernelChoice::Table),
                ("small", KernelChoice::Small),
                ("tract", KernelChoice::Tract),
            ],
            "how convolutions are computed: auto takes the quickest method, after trials of a \
             quarter of a second at most, and has about twice the weights in memory, table does \
             the same without trials, small has the weights once, tract leaves everything to the \
             library of this name",
        );
        let trials_file = settings.text(
            "MLVI_KERNELS_FILE",
            "auto",
            "where 'auto' of MLVI_MODEL_KERNELS remembers what its trials have shown on this \
             machine: a file, 'none', or 'auto' for mlvi/kernels in the user's cache folder; \
             processes with the same file try one after the other",
        );
        let trials_file = match &*trials_file {
            "none" => None,
            "auto" => cache_folder().map(|folder| folder.join("mlvi/kernels")),
            file => Some(PathBuf::from(file)),
        };
        Self { dir, name, precision, frame_threads, kernels, trials_file }
    }
}

/// Where a user's programs keep what they can do without.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .filter(|folder| folder.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_model_is_refused_with_the_known_ones() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
        let read = |name: &str| {
            let mut settings =
                Settings::from_pairs([("MLVI_MODELS_DIR", models), ("MLVI_MODEL", name)]);
            Config::from_settings(&mut settings, Destination::Edge);
            settings.finish()
        };
        read("yolov3-tiny").unwrap();
        let text = read("yolov9000").unwrap_err().to_string();
        assert!(text.contains("MLVI_MODEL='yolov9000'") && text.contains("yolov3-tiny"), "{text}");
    }

    #[test]
    fn the_precision_is_as_described_unless_it_is_set() {
        let read = |value: &[(&str, &str)]| {
            let mut settings = Settings::from_pairs(value.iter().copied());
            ModelConfig::from_settings(&mut settings).precision
        };
        assert_eq!(read(&[]), ModelPrecision::AsDescribed);
        assert_eq!(read(&[("MLVI_MODEL_PRECISION", "int8")]), ModelPrecision::Int8);
        assert_eq!(read(&[("MLVI_MODEL_PRECISION", "float32")]), ModelPrecision::Float32);
    }

    #[test]
    fn trials_are_remembered_where_it_is_said() {
        let read = |value| {
            let mut settings = Settings::from_pairs([("MLVI_KERNELS_FILE", value)]);
            ModelConfig::from_settings(&mut settings).trials_file
        };
        assert_eq!(read("none"), None);
        assert_eq!(read("/var/cache/kernels"), Some(PathBuf::from("/var/cache/kernels")));
    }

    #[test]
    fn each_tier_has_its_own_group() {
        let group = |tier| Config::from_settings(&mut Settings::from_pairs([("", "")]), tier).group;
        assert_eq!(group(Destination::Edge), "mlvi-edge-inference");
        assert_eq!(group(Destination::Cloud), "mlvi-cloud-inference");
    }
}
