//! The settings of the unit.

use frame::Topics;
use frame_bus::{BusConfig, DEFAULT_BROKERS};
use regions::RegionsSource;
use results_db::{DatabaseUrl, database_from_settings};
use settings::Settings;
use std::time::Duration;
use unit::{Memory, PixelRoom, ShellConfig};

const UNIT: &str = "results-store";
const DAY: Duration = Duration::from_secs(86_400);
/// Below this a file of SQLite's has no room for its tables and a few batches.
const LEAST_MIB: u64 = 16;

/// Everything that the unit needs to know.
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
    /// Where results are kept; `None`: nowhere.
    pub database: Option<DatabaseUrl>,
    /// How many results are stored in one transaction at most.
    pub batch: usize,
    /// How long a result may wait for others to be stored with.
    pub batch_wait: Duration,
    /// For how long results are kept.
    pub retention: Duration,
    /// How many bytes of results a file of SQLite's holds at most; `None`: as many as its disk.
    pub database_bytes: Option<u64>,
    /// How pictures of events are made; `None`: none are.
    pub thumbnails: Option<ThumbnailsConfig>,
}

/// How pictures of events are made.
#[derive(Debug)]
pub struct ThumbnailsConfig {
    /// How many bytes they may take in the database.
    pub budget: u64,
    /// Which parts of them are masked.
    pub regions: RegionsSource,
    /// Room for their pixels, which all units of the process share.
    pub pixels: PixelRoom,
    /// One whose pixels would take more bytes is not made.
    pub most_memory: u64,
}

impl Config {
    /// Reads the unit's settings.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let memory = Memory::from_settings(settings);
        let bytes = |of: u64| usize::try_from(of).unwrap_or(usize::MAX);
        let bus = BusConfig {
            queue_bytes: bytes(memory.share(8, BusConfig::MIN_QUEUE_BYTES as u64, 64 << 20)),
            in_hand_bytes: bytes(memory.share(8, 8 << 20, 256 << 20)),
            ..BusConfig::new(DEFAULT_BROKERS, UNIT)
        };
        Self {
            shell: ShellConfig::from_settings(settings, UNIT),
            bus: BusConfig::from_settings_or(settings, bus),
            topics: frame_bus::topics_from_settings(settings),
            partitions: frame_bus::partitions_from_settings(settings),
            group: settings.text(
                "MLVI_GROUP",
                "mlvi-results-store",
                "the consumer group that all replicas of this unit share",
            ),
            database: database_from_settings(settings),
            batch: settings.number(
                "MLVI_DATABASE_BATCH",
                500,
                1..=10_000,
                "how many results are stored in one transaction at most",
            ),
            batch_wait: settings.duration(
                "MLVI_DATABASE_BATCH_WAIT",
                Duration::from_millis(200),
                Duration::ZERO..=Duration::from_secs(10),
                "how long a result may wait for others to be stored with",
            ),
            retention: settings.duration(
                "MLVI_DATABASE_RETENTION",
                30 * DAY,
                DAY..=3650 * DAY,
                "for how long results are kept; PostgreSQL drops whole days",
            ),
            thumbnails: ThumbnailsConfig::from_settings(settings, memory),
            database_bytes: database_bytes(settings),
        }
    }
}

impl ThumbnailsConfig {
    fn from_settings(settings: &mut Settings, memory: Memory) -> Option<Self> {
        let mib: u64 = settings.number(
            "MLVI_THUMBNAILS_MIB",
            0,
            0..=1_048_576,
            "how many MiB of events' pictures are kept beside their results, without what is \
             masked; beyond, the oldest go; 0: none are made",
        );
        let regions = RegionsSource::from_settings(settings);
        let pixels = PixelRoom::from_settings(settings, memory);
        let most_memory = memory.for_pixels();
        (mib > 0).then_some(Self { budget: mib << 20, regions, pixels, most_memory })
    }
}

fn database_bytes(settings: &mut Settings) -> Option<u64> {
    const NAME: &str = "MLVI_DATABASE_MIB";
    let mib = settings.number(
        NAME,
        0,
        0..=u64::from(u32::MAX),
        "how large a file of SQLite's gets, in MiB: beyond it the oldest results go; 0: no bound",
    );
    if (1..LEAST_MIB).contains(&mib) {
        settings.refuse(NAME, mib.to_string(), format!("0, or at least {LEAST_MIB}"));
    }
    (mib > 0).then_some(mib << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_bound_or_one_that_it_can_keep() {
        let read = |mib: &str| {
            let mut settings = Settings::from_pairs([("MLVI_DATABASE_MIB", mib)]);
            let bytes = Config::from_settings(&mut settings).database_bytes;
            settings.finish().map(|()| bytes).map_err(|error| error.to_string())
        };
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("16"), Ok(Some(16 << 20)));
        let refused = read("15").unwrap_err();
        assert!(
            refused.contains("MLVI_DATABASE_MIB") && refused.contains("at least 16"),
            "{refused}"
        );
    }
}
