//! What the web-server is told at its start.

use crate::UNIT;
use crate::access::AccessConfig;
use crate::backlog::Groups;
use frame::Topics;
use frame_bus::{BusConfig, DEFAULT_BROKERS};
use regions::RegionsSource;
use results_db::{DatabaseUrl, database_from_settings};
use settings::Settings;
use std::net::SocketAddr;
use std::time::Duration;
use unit::http::{HttpBounds, Networks};
use unit::{Listen, Memory, PixelRoom, ShellConfig};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How a web-server is set up.
#[derive(Debug)]
pub struct Config {
    /// Identity, admin port and drain time.
    pub shell: ShellConfig,
    /// The broker.
    pub bus: BusConfig,
    /// The names of the topics.
    pub topics: Topics,
    /// How many partitions a topic gets that has to be created.
    pub partitions: i32,
    /// Whose committed offsets tell what waits at the broker.
    pub groups: Groups,
    /// The port that clients speak to.
    pub http: Listen,
    /// Who may do what.
    pub access: AccessConfig,
    /// Where results of the past are read; `None`: nowhere.
    pub database: Option<DatabaseUrl>,
    /// Which parts of pictures are masked.
    pub regions: RegionsSource,
    /// What is accepted and kept.
    pub limits: Limits,
}

/// What is accepted and kept; everything that could grow has a bound here.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest that a request may wait for its result.
    pub max_wait: Duration,
    /// The largest image, in pixels.
    pub max_pixels: u64,
    /// How many frames may be between upload and result.
    pub max_pending_frames: usize,
    /// How long a frame may be expected to wait for its turn.
    pub max_expected_wait: Duration,
    /// How many bytes these frames may have together.
    pub max_pending_bytes: usize,
    /// How long a result can be asked for.
    pub job_ttl: Duration,
    /// After this time without a result a frame counts as expired.
    pub job_timeout: Duration,
    /// How many results are kept, provisional ones included.
    pub max_jobs: usize,
    /// How many bytes of results are kept, provisional ones included.
    pub max_job_bytes: usize,
    /// How many result streams may be open.
    pub max_streams: usize,
    /// How many clients may look at cameras' pictures.
    pub max_viewers: usize,
    /// How many bytes of uploads are kept to be drawn on, of cameras that are watched.
    pub max_kept_bytes: usize,
    /// Room for the pixels of pictures, which all units of the process share.
    pub pixels: PixelRoom,
    /// A picture whose pixels would take more bytes is not made.
    pub max_picture_bytes: u64,
    /// How many streams of frames may come in at once.
    pub max_camera_streams: usize,
    /// How many connections may be open. For a further one the connection that has idled longest
    /// is closed; when none idles, it waits.
    pub max_connections: usize,
    /// How many of them may come from one address; an IPv6 network of 64 bits counts as one.
    pub max_connections_per_peer: usize,
    /// Addresses that stand for many clients, whose connections are bounded only all together.
    pub proxies: Networks,
    /// How long a client may leave an answer untaken.
    pub write_timeout: Duration,
    /// How long an upload may take, and a stream's next frame.
    pub upload_timeout: Duration,
}

impl Config {
    /// Reads every setting; values with a problem get their default and are reported by
    /// [`Settings::finish`].
    pub fn from_settings(settings: &mut Settings) -> Self {
        let http: SocketAddr = settings.parsed(
            "MLVI_HTTP_LISTEN",
            "0.0.0.0:5000",
            "ADDRESS:PORT",
            "where frames are taken and results given",
        );
        let memory = Memory::from_settings(settings);
        let queue_bytes = memory.share(8, BusConfig::MIN_QUEUE_BYTES as u64, 64 << 20);
        let bus =
            BusConfig { queue_bytes: bytes(queue_bytes), ..BusConfig::new(DEFAULT_BROKERS, UNIT) };
        Self {
            shell: ShellConfig::from_settings(settings, UNIT),
            bus: BusConfig::from_settings_or(settings, bus),
            topics: frame_bus::topics_from_settings(settings),
            partitions: frame_bus::partitions_from_settings(settings),
            groups: groups_from_settings(settings),
            http: Listen::Address(http),
            access: AccessConfig::from_settings(settings),
            database: database_from_settings(settings),
            regions: RegionsSource::from_settings(settings),
            limits: Limits::from_settings(settings, memory),
        }
    }
}

fn groups_from_settings(settings: &mut Settings) -> Groups {
    let mut group = |name, default: &str, of: &'static str| settings.text(name, default, of);
    Groups {
        preprocessor: group(
            "MLVI_PREPROCESSOR_GROUP",
            "mlvi-preprocessor",
            "the consumer group of preprocessor, to see how many frames wait",
        ),
        edge: group(
            "MLVI_EDGE_GROUP",
            "mlvi-edge-inference",
            "the consumer group of edge-inference, to see how many frames wait",
        ),
        cloud: group(
            "MLVI_CLOUD_GROUP",
            "mlvi-cloud-inference",
            "the consumer group of cloud-inference, to see how many frames wait",
        ),
    }
}

impl Limits {
    fn from_settings(settings: &mut Settings, memory: Memory) -> Self {
        const MIB: usize = 1024 * 1024;
        let limits = Self {
            max_wait: settings.duration(
                "MLVI_MAX_WAIT",
                60 * SECOND,
                SECOND..=HOUR,
                "the longest that a request may wait for its result",
            ),
            max_pixels: settings.number(
                "MLVI_MAX_PIXELS",
                frame::DEFAULT_MAX_PIXELS,
                1..=1_000_000_000,
                "the largest image that is taken, width times height",
            ),
            max_pending_frames: settings.number(
                "MLVI_MAX_PENDING_FRAMES",
                1000,
                1..=1_000_000,
                "how many frames may be on their way at once; further ones get 429",
            ),
            max_expected_wait: settings.duration(
                "MLVI_MAX_EXPECTED_WAIT",
                2 * SECOND,
                Duration::from_millis(100)..=HOUR,
                "how long a frame may be expected to wait for its turn, by how many wait and how \
                 fast results come; further ones get 429",
            ),
            max_pending_bytes: MIB
                * settings.number(
                    "MLVI_MAX_PENDING_MIB",
                    // uploads are held in memory while they come in
                    bytes(memory.share(3, 32 << 20, 512 << 20)) / MIB,
                    8..=1_048_576,
                    "how many MiB the frames on their way may have together; further ones get 429; \
                     the default follows MLVI_MEMORY_MIB",
                ),
            job_ttl: settings.duration(
                "MLVI_JOB_TTL",
                900 * SECOND,
                SECOND..=24 * HOUR,
                "how long a result can be asked for",
            ),
            job_timeout: settings.duration(
                "MLVI_JOB_TIMEOUT",
                600 * SECOND,
                Duration::from_millis(100)..=24 * HOUR,
                "a frame without a result after this time expires; not longer than MLVI_JOB_TTL",
            ),
            max_jobs: settings.number(
                "MLVI_MAX_JOBS",
                20_000,
                10..=10_000_000,
                "how many results are kept in memory, provisional ones included",
            ),
            max_job_bytes: MIB
                * settings.number(
                    "MLVI_MAX_JOBS_MIB",
                    bytes(memory.share(10, 8 << 20, 128 << 20)) / MIB,
                    1..=1_048_576,
                    "how many MiB of results are kept in memory; the default follows \
                     MLVI_MEMORY_MIB",
                ),
            max_streams: settings.number(
                "MLVI_MAX_STREAMS",
                256,
                1..=100_000,
                "how many result \
                streams may be open at once",
            ),
            max_viewers: settings.number(
                "MLVI_MAX_VIEWERS",
                64,
                1..=10_000,
                "how many clients may look at cameras' pictures at once",
            ),
            max_kept_bytes: MIB
                * settings.number(
                    "MLVI_VIEWED_MIB",
                    bytes(memory.share(12, 4 << 20, 32 << 20)) / MIB,
                    0..=1_048_576,
                    "how many MiB of uploads are kept to be drawn on while their cameras are \
                     watched; what is not kept is read back from the broker; the default follows \
                     MLVI_MEMORY_MIB",
                ),
            pixels: PixelRoom::from_settings(settings, memory),
            max_picture_bytes: memory.for_pixels(),
            max_camera_streams: settings.number(
                "MLVI_MAX_CAMERA_STREAMS",
                256,
                1..=100_000,
                "how many streams of frames may come in at once; further ones get 503",
            ),
            max_connections: settings.number(
                "MLVI_MAX_CONNECTIONS",
                4096,
                8..=1_000_000,
                "how many connections may be open at once; fewer if the process may not open as \
                 many files",
            ),
            max_connections_per_peer: settings.number(
                "MLVI_MAX_CONNECTIONS_PER_PEER",
                1024,
                1..=1_000_000,
                "how many of them one address may have (IPv6: one network of 64 bits); further \
                 ones get 429",
            ),
            proxies: settings.parsed(
                "MLVI_PROXIES",
                HttpBounds::LOOPBACK,
                "networks such as 10.0.0.0/8 separated by commas, or none",
                "whose connections come from many clients and have no bound by address: load \
                 balancers, ingresses",
            ),
            write_timeout: settings.duration(
                "MLVI_WRITE_TIMEOUT",
                30 * SECOND,
                Duration::from_millis(100)..=HOUR,
                "how long a client may leave an answer untaken (or take less than 1 KiB per \
                 second) until its connection is closed",
            ),
            upload_timeout: settings.duration(
                "MLVI_UPLOAD_TIMEOUT",
                30 * SECOND,
                Duration::from_millis(100)..=HOUR,
                "how long the upload of one frame may take; slower ones get 408, and a stream ends \
                 when no frame comes for so long",
            ),
        };
        if limits.job_timeout > limits.job_ttl {
            let allowed = format!(
                "at most MLVI_JOB_TTL, which is {}",
                humantime::format_duration(limits.job_ttl)
            );
            settings.refuse(
                "MLVI_JOB_TIMEOUT",
                humantime::format_duration(limits.job_timeout).to_string(),
                allowed,
            );
        }
        limits
    }
}

fn bytes(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let mut settings = Settings::from_pairs([("MLVI_MEMORY_MIB", "4096")]);
        let config = Config::from_settings(&mut settings);
        settings.finish().unwrap();
        assert!(matches!(config.http, Listen::Address(address) if address.port() == 5000));
        assert_eq!(config.limits.max_pending_bytes, 512 * 1024 * 1024);
    }

    #[test]
    fn a_job_may_not_outlive_the_memory_of_it() {
        let mut settings = Settings::from_pairs([("MLVI_JOB_TIMEOUT", "20m")]);
        Config::from_settings(&mut settings);
        let error = settings.finish().unwrap_err().to_string();
        assert!(error.contains("MLVI_JOB_TIMEOUT='20m'") && error.contains("15m"), "{error}");
    }
}
