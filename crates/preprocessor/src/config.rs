//! The settings of the preprocessor.

use crate::load::groups_from_settings;
use crate::policy_file::{self, PolicySource};
use crate::{EdgeForm, PixelConfig, TierGroups};
use cluster::ClusterConfig;
use frame::{PerTier, Topics};
use frame_bus::{BusConfig, DEFAULT_BROKERS};
use offload::{PolicyConfig, Ratio};
use regions::RegionsSource;
use settings::Settings;
use std::path::PathBuf;
use std::time::Duration;
use unit::{Memory, PixelRoom, ShellConfig};

const MIB: u64 = 1 << 20;

/// Everything that the preprocessor needs to know.
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
    /// The consumer group; all replicas share it.
    pub group: String,
    /// The groups of the tiers, whose backlog is watched.
    pub tiers: TierGroups,
    /// How many frames' pixels are worked on at a time, a thread each.
    pub workers: usize,
    /// How many frames may be in the process at a time.
    pub max_in_flight: usize,
    /// A frame that was taken up so often without an end is given up.
    pub max_takes: u32,
    /// What is done to the pixels.
    pub pixels: PixelConfig,
    /// Which parts of pictures are masked or have a name.
    pub regions: RegionsSource,
    /// In which form the edge gets its pictures.
    pub edge_form: EdgeForm,
    /// Where decoded pictures have room.
    pub room: PixelRoom,
    /// How it is decided where a frame goes.
    pub policy: PolicySource,
    /// Where ready pods and autoscalers are seen.
    pub cluster: ClusterConfig,
    /// How frames are watched over that are in the cloud.
    pub redispatch: RedispatchConfig,
}

/// How frames are watched over that are in the cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedispatchConfig {
    /// The consumer group in which all replicas share that work.
    pub group: String,
    /// How many frames are held at a time.
    pub max_held: usize,
}

impl RedispatchConfig {
    fn from_settings(settings: &mut Settings) -> Self {
        Self {
            group: settings.text(
                "MLVI_REDISPATCH_GROUP",
                "mlvi-redispatch",
                "the consumer group in which all replicas of this unit watch over frames that are \
                 in \
                 the cloud",
            ),
            max_held: settings.number(
                "MLVI_REDISPATCH_HELD",
                256,
                1..=100_000,
                "how many frames in the cloud are held at a time, to send them to the edge if no \
                 answer comes",
            ),
        }
    }
}

impl Config {
    /// Reads the unit's settings.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let unit = "preprocessor";
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = settings.number(
            "MLVI_WORKERS",
            cores,
            1..=256,
            "how many frames are decoded and encoded at a time",
        );
        // one at work and one being fetched or published per worker; more would only take frames
        // away from other replicas
        let max_in_flight = settings.number(
            "MLVI_MAX_IN_FLIGHT",
            2 * workers,
            1..=100_000,
            "how many frames may be in this process at a time; the default is 2 x workers",
        );
        let memory = Memory::from_settings(settings);
        let bus = BusConfig {
            queue_bytes: bytes(memory.share(8, BusConfig::MIN_QUEUE_BYTES as u64, 64 * MIB)),
            // of two consumers: frames to be prepared, and frames that are held while the cloud has
            // them
            in_hand_bytes: bytes(memory.share(8, 8 * MIB, 2048 * MIB)),
            ..BusConfig::new(DEFAULT_BROKERS, unit)
        };
        Self {
            shell: ShellConfig::from_settings(settings, unit),
            bus: BusConfig::from_settings_or(settings, bus),
            topics: frame_bus::topics_from_settings(settings),
            partitions: frame_bus::partitions_from_settings(settings),
            group: settings.text(
                "MLVI_GROUP",
                "mlvi-preprocessor",
                "the consumer group that all replicas of this unit share",
            ),
            tiers: groups_from_settings(settings),
            workers,
            max_in_flight,
            max_takes: frame_bus::max_takes_from_settings(settings),
            pixels: PixelConfig::from_settings(settings),
            regions: RegionsSource::from_settings(settings),
            edge_form: EdgeForm::from_settings(settings),
            room: PixelRoom::from_settings(settings, memory),
            policy: policy_from_settings(settings),
            cluster: ClusterConfig::from_settings(settings),
            redispatch: RedispatchConfig::from_settings(settings),
        }
    }
}

fn bytes(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn policy_from_settings(settings: &mut Settings) -> PolicySource {
    let is_chosen =
        ["MLVI_POLICY", "MLVI_RULE", "MLVI_CLOUD_SHARE"].iter().any(|name| settings.is_set(name));
    let cloud_share = settings.number(
        "MLVI_CLOUD_SHARE",
        0.5,
        0.0..=1.0,
        "the share of frames that the policy 'ratio' sends to the cloud",
    );
    let rule = settings.optional_text("MLVI_RULE", "the rule of the policy 'expression', in CEL");
    let name = settings.choice(
        "MLVI_POLICY",
        "alternate",
        &PolicyConfig::NAMES.map(|name| (name, name)),
        "how it is decided whether a frame goes to the edge or to the cloud",
    );
    let file = settings.optional_text(
        "MLVI_POLICY_FILE",
        "a policy with everything that tunes it, in TOML; wins over MLVI_POLICY and is read again \
         when it changes",
    );
    let reload = settings.duration(
        "MLVI_POLICY_RELOAD",
        Duration::from_secs(2),
        Duration::from_millis(10)..=Duration::from_secs(3600),
        "how often the policy file is read",
    );
    let mut workers = |name, help| {
        Some(settings.number(name, 0, 0..=10_000, help)).filter(|workers| *workers > 0)
    };
    let workers = PerTier {
        edge: workers(
            "MLVI_EDGE_WORKERS",
            "how many frames a replica of edge-inference works on at a time; 0: not known",
        ),
        cloud: workers(
            "MLVI_CLOUD_WORKERS",
            "how many frames a replica of cloud-inference works on at a time; 0: not known",
        ),
    };
    let mut config = PolicyConfig::named(name).expect("the choices are the names that there are");
    config.ratio = Ratio { cloud_share };
    config.expression.rule = rule.clone().unwrap_or_default();
    let file = file.map(PathBuf::from);
    let mut text = None;
    if let Some(path) = &file {
        match policy_file::read(path) {
            Ok((read, parsed)) => (text, config) = (Some(read), parsed),
            Err(problem) => {
                settings.refuse(
                    "MLVI_POLICY_FILE",
                    path.display().to_string(),
                    format!("a policy file that can be used: {problem}"),
                );
            }
        }
    } else if let Err(error) = config.check() {
        settings.refuse(
            "MLVI_RULE",
            rule.unwrap_or_default(),
            format!("a rule that compiles: {error}"),
        );
    }
    PolicySource { config, is_chosen, file, text, reload, workers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Config, Settings) {
        let mut settings = Settings::from_pairs(pairs.iter().copied());
        (Config::from_settings(&mut settings), settings)
    }

    #[test]
    fn the_defaults_are_those_of_the_mlvideoinference_scenario() {
        let (config, settings) = read(&[]);
        settings.finish().unwrap();
        assert_eq!(
            (config.policy.config.policy.as_str(), config.pixels.sharpness),
            ("alternate", 1.2)
        );
        assert_eq!(config.max_in_flight, 2 * config.workers);
        assert!(
            !config.policy.is_chosen && read(&[("MLVI_POLICY", "alternate")]).0.policy.is_chosen
        );
    }

    #[test]
    fn a_ratio_comes_with_its_share() {
        let (config, settings) = read(&[("MLVI_POLICY", "ratio"), ("MLVI_CLOUD_SHARE", "0.3")]);
        settings.finish().unwrap();
        assert_eq!(
            (config.policy.config.policy.as_str(), config.policy.config.ratio.cloud_share),
            ("ratio", 0.3)
        );
    }

    #[test]
    fn a_rule_comes_with_its_policy_and_must_compile() {
        let (config, settings) =
            read(&[("MLVI_POLICY", "expression"), ("MLVI_RULE", "edge.backlog > 3")]);
        settings.finish().unwrap();
        assert_eq!(config.policy.config.expression.rule, "edge.backlog > 3");
        for rule in ["edge.backlog >", ""] {
            let text = read(&[("MLVI_POLICY", "expression"), ("MLVI_RULE", rule)])
                .1
                .finish()
                .unwrap_err()
                .to_string();
            assert!(text.contains("MLVI_RULE") && text.contains("column"), "{text}");
        }
    }

    #[test]
    fn priors_come_from_the_file_or_from_variables() {
        let (config, settings) = read(&[("MLVI_EDGE_WORKERS", "2")]);
        settings.finish().unwrap();
        let mut of_file = PolicyConfig::named("deadline").unwrap();
        of_file.prior.edge.workers = Some(7);
        let source = config.policy;
        assert_eq!(source.filled_in(of_file).prior.edge.workers, Some(7));
        let filled = source.filled_in(PolicyConfig::named("deadline").unwrap());
        assert_eq!((filled.prior.edge.workers, filled.prior.cloud.workers), (Some(2), None));
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        let bad = [
            ("MLVI_POLICY", "coin", "edge-only, cloud-only, alternate, ratio"),
            ("MLVI_POLICY_FILE", "/nonexistent/policy.toml", "No such file"),
            ("MLVI_CLOUD_SHARE", "1.5", "0 to 1"),
            ("MLVI_SHARPNESS", "NaN", "from"),
            ("MLVI_JPEG_QUALITY", "0", "1 to 100"),
            ("MLVI_EDGE_FORM", "png", "auto, jpeg"),
            ("MLVI_WORKERS", "0", "1 to 256"),
        ];
        let (_, settings) = read(&bad.map(|(name, value, _)| (name, value)));
        let text = settings.finish().unwrap_err().to_string();
        for (name, value, allowed) in bad {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            assert!(line.contains(value) && line.contains(allowed), "{name}: {text}");
        }
    }
}
