//! The settings of the preprocessor.

use crate::{PixelConfig, Policy, TierGroups};
use frame::Topics;
use frame_bus::BusConfig;
use settings::Settings;
use unit::ShellConfig;

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
    /// What is done to the pixels.
    pub pixels: PixelConfig,
    /// How it is decided where a frame goes.
    pub policy: Policy,
}

impl Config {
    /// Reads the unit's settings.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let unit = "preprocessor";
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = settings.number("MLVI_WORKERS", cores, 1..=256, "how many frames are decoded and encoded at a time");
        // one at work and one being fetched or published per worker; more would only take frames away from other replicas
        let max_in_flight = settings.number(
            "MLVI_MAX_IN_FLIGHT",
            2 * workers,
            1..=100_000,
            "how many frames may be in this process at a time; the default is 2 x workers",
        );
        let cloud_share =
            settings.number("MLVI_CLOUD_SHARE", 0.5, 0.0..=1.0, "the share of frames that the policy 'ratio' sends to the cloud");
        let policy = settings.choice(
            "MLVI_POLICY",
            "alternate",
            &Policy::choices(cloud_share),
            "how it is decided whether the edge or the cloud looks at a frame",
        );
        Self {
            shell: ShellConfig::from_settings(settings, unit),
            bus: BusConfig::from_settings(settings, unit),
            topics: frame_bus::topics_from_settings(settings),
            partitions: frame_bus::partitions_from_settings(settings),
            group: settings.text("MLVI_GROUP", "mlvi-preprocessor", "the consumer group that all replicas of this unit share"),
            tiers: TierGroups::from_settings(settings),
            workers,
            max_in_flight,
            pixels: PixelConfig::from_settings(settings),
            policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Config, Settings) {
        let mut settings = Settings::from_pairs(pairs.iter().copied());
        (Config::from_settings(&mut settings), settings)
    }

    #[test]
    fn the_defaults_are_allowed_and_do_what_the_original_did() {
        let (config, settings) = read(&[]);
        settings.finish().unwrap();
        assert_eq!((config.policy, config.pixels.sharpness), (Policy::Alternate, 1.2));
        assert_eq!(config.max_in_flight, 2 * config.workers);
    }

    #[test]
    fn a_ratio_comes_with_its_share() {
        let (config, settings) = read(&[("MLVI_POLICY", "ratio"), ("MLVI_CLOUD_SHARE", "0.3")]);
        settings.finish().unwrap();
        assert_eq!(config.policy, Policy::Ratio { cloud_share: 0.3 });
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        let bad = [
            ("MLVI_POLICY", "coin", "edge-only, cloud-only, alternate, ratio"),
            ("MLVI_CLOUD_SHARE", "1.5", "0 to 1"),
            ("MLVI_SHARPNESS", "NaN", "from"),
            ("MLVI_JPEG_QUALITY", "0", "1 to 100"),
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
