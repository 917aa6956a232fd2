//! What the web-server counts.

use crate::pending::Room;
use crate::pictures::Purpose;
use frame::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Metric;
use std::sync::atomic::AtomicU64;
use unit::http::HttpCounts;
use unit::traces::{TraceLabel, TracedHistogram};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ending {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reload {
    file: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Made {
    purpose: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Origin {
    from: &'static str,
}

/// What the names of this unit's metrics begin with.
const UNIT_PREFIX: &str = "web_server_";

/// Shows each metric under its name, and for one more release also under the name that it had
/// before, without the unit's prefix.
struct BothNames<'a>(&'a unit::Metrics);

impl BothNames<'_> {
    fn register(&self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.0.register(name, help, metric.clone());
        if let Some(old) = name.strip_prefix(UNIT_PREFIX) {
            self.0.register(old, help, metric.clone());
        }
    }
}

/// The metrics; each is registered under its name in [`Metrics::register`].
/// Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<Request, Counter>,
    frames_accepted: Counter,
    frames_refused: Family<Reason, Counter>,
    upload_bytes: Counter,
    pending_frames: Gauge,
    pending_bytes: Gauge,
    pub(crate) expected_wait: Gauge<f64, AtomicU64>,
    result_latency: Family<Ending, TracedHistogram>,
    pub(crate) age_of_information: Histogram,
    pub(crate) duplicates: Counter,
    pub(crate) provisional: Counter,
    pub(crate) promoted: Counter,
    pub(crate) unreadable_results: Counter,
    reloads: Family<Reload, Counter>,
    pub(crate) jobs_held: Gauge,
    pub(crate) streams: Gauge,
    pub(crate) settings_topic: Gauge,
    pub(crate) lagged: Counter,
    pictures: Family<Made, Counter>,
    pub(crate) picture_seconds: Histogram,
    picture_sources: Family<Origin, Counter>,
    picture_views: Gauge,
    picture_viewers: Gauge,
    pub(crate) connections: HttpCounts,
    pub(crate) camera_streams: Gauge,
    stream_frames: Family<Outcome, Counter>,
    stream_skipped_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new(room: &Room) -> Self {
        let (pending_frames, pending_bytes) = room.gauges();
        Self {
            requests: Family::default(),
            frames_accepted: Counter::default(),
            frames_refused: Family::default(),
            upload_bytes: Counter::default(),
            pending_frames,
            pending_bytes,
            expected_wait: Gauge::default(),
            // 10 ms to 41 s: from an idle edge box to a backlog that is about to expire
            result_latency: Family::new_with_constructor(|| {
                TracedHistogram::new(exponential_buckets(0.01, 2.0, 13))
            }),
            // 10 ms to 41 s
            age_of_information: Histogram::new(exponential_buckets(0.01, 2.0, 13)),
            duplicates: Counter::default(),
            provisional: Counter::default(),
            promoted: Counter::default(),
            unreadable_results: Counter::default(),
            reloads: Family::default(),
            jobs_held: Gauge::default(),
            streams: Gauge::default(),
            settings_topic: Gauge::default(),
            lagged: Counter::default(),
            pictures: Family::default(),
            // 0.5 ms to 4 s: from a thumbnail to the largest photo that is taken
            picture_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 14)),
            picture_sources: Family::default(),
            picture_views: Gauge::default(),
            picture_viewers: Gauge::default(),
            connections: HttpCounts::default(),
            camera_streams: Gauge::default(),
            stream_frames: Family::default(),
            stream_skipped_bytes: Counter::default(),
        }
    }

    /// Shows them on the admin port.
    pub(crate) fn register(&self, to: &unit::Metrics) {
        let to = BothNames(to);
        let help = "Requests by method, route and status";
        to.register("web_server_http_requests", help, &self.requests);
        let help = "Frames that the broker has acknowledged";
        to.register("web_server_frames_accepted", help, &self.frames_accepted);
        let help = "Frames that were not accepted, by reason";
        to.register("web_server_frames_refused", help, &self.frames_refused);
        let help = "Bytes of accepted frames";
        to.register("web_server_upload_bytes", help, &self.upload_bytes);
        let help = "Frames between upload and result";
        to.register("web_server_pending_frames", help, &self.pending_frames);
        let help = "Bytes of the frames between upload and result";
        to.register("web_server_pending_bytes", help, &self.pending_bytes);
        let help =
            "How long a frame that is taken now is expected to wait for its turn; NaN: not known";
        to.register("web_server_expected_wait_seconds", help, &self.expected_wait);
        let help = "From a frame's first byte to its result, provisional or final, by status";
        to.register("web_server_result_latency_seconds", help, &self.result_latency);
        let help =
            "How old what was known of a camera had become when its next answer came, overall";
        let age = self.age_of_information.clone();
        to.0.register("web_server_age_of_information_seconds", help, age);
        let help = "Results of frames that had one before";
        to.register("web_server_results_duplicate", help, &self.duplicates);
        let help = "Frames with a result of the edge that await one of the cloud";
        to.register("web_server_results_provisional", help, &self.provisional);
        let help = "Provisional results that became final because no better one came";
        to.register("web_server_results_promoted", help, &self.promoted);
        let help = "Messages on the results topic that are no results";
        to.register("web_server_results_unreadable", help, &self.unreadable_results);
        let help = "Final results that can be asked for";
        to.register("web_server_jobs_held", help, &self.jobs_held);
        to.register("web_server_result_streams", "Open result streams", &self.streams);
        let help = "1 when the settings topic is there, so that settings can be shown and changed";
        to.0.register("web_server_settings_topic", help, self.settings_topic.clone());
        let help = "Results that slow streams have missed";
        to.register("web_server_results_lagged", help, &self.lagged);
        let help = "Changes of the tokens file and of the certificate, used or refused";
        to.register("web_server_file_reloads", help, &self.reloads);
        let help = "Pictures for people, of a job or of a watched camera, made or failed";
        to.register("web_server_pictures", help, &self.pictures);
        let help = "Decoding, drawing and encoding a picture";
        to.register("web_server_picture_seconds", help, &self.picture_seconds);
        let help = "Frames that were fetched, from memory or from the bus";
        to.register("web_server_frames_fetched", help, &self.picture_sources);
        let help = "Cameras and variants whose pictures are made while somebody looks";
        to.register("web_server_picture_views", help, &self.picture_views);
        let help = "Clients that look at cameras' pictures";
        to.register("web_server_picture_viewers", help, &self.picture_viewers);
        let help = "Open streams of frames";
        to.register("web_server_camera_streams", help, &self.camera_streams);
        let help = "Frames of streams: accepted, or why they were dropped";
        to.register("web_server_stream_frames", help, &self.stream_frames);
        let help = "Bytes of streams that belong to no frame";
        to.register("web_server_stream_skipped_bytes", help, &self.stream_skipped_bytes);
        for prefix in [UNIT_PREFIX, ""] {
            self.connections.register(to.0, &format!("{prefix}http"));
        }
    }

    pub(crate) fn request(&self, method: &'static str, route: String, status: u16) {
        self.requests.get_or_create(&Request { method, route, status }).inc();
    }

    pub(crate) fn accepted(&self, bytes: usize) {
        self.frames_accepted.inc();
        self.upload_bytes.inc_by(bytes as u64);
    }

    /// A file has changed: `tokens` or `certificate`.
    pub(crate) fn reloaded(&self, file: &'static str, used: bool) {
        let outcome = if used { "used" } else { "refused" };
        self.reloads.get_or_create(&Reload { file, outcome }).inc();
    }

    /// A picture was made, or could not be.
    pub(crate) fn picture(&self, purpose: Purpose, made: bool) {
        let purpose = match purpose {
            Purpose::Job => "job",
            Purpose::Camera => "camera",
        };
        let outcome = if made { "made" } else { "failed" };
        self.pictures.get_or_create(&Made { purpose, outcome }).inc();
    }

    /// A frame's bytes were fetched.
    pub(crate) fn fetched(&self, from_memory: bool) {
        let from = if from_memory { "memory" } else { "bus" };
        self.picture_sources.get_or_create(&Origin { from }).inc();
    }

    pub(crate) fn watched(&self, views: usize, viewers: usize) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.picture_views.set(whole(views));
        self.picture_viewers.set(whole(viewers));
    }

    pub(crate) fn refused(&self, reason: String) {
        self.frames_refused.get_or_create(&Reason { reason }).inc();
    }

    /// A frame of a stream: accepted, or why it was dropped.
    pub(crate) fn stream_frame(&self, outcome: &str) {
        self.stream_frames.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }

    pub(crate) fn stream_skipped(&self, bytes: u64) {
        self.stream_skipped_bytes.inc_by(bytes);
    }

    /// `trace` is that of the frame, if it is exported.
    pub(crate) fn latency(&self, status: Status, seconds: f64, trace: Option<TraceLabel>) {
        let ending = Ending { status: status.as_str() };
        self.result_latency.get_or_create(&ending).observe(seconds, trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Every value but those of the old names, which are the new ones without the unit's prefix.
    #[test]
    fn each_metric_has_its_old_name_for_one_more_release() {
        let (room, shown) = (Room::new(1, 1, Duration::from_secs(1)), unit::Metrics::default());
        let metrics = Metrics::new(&room);
        metrics.register(&shown);
        metrics.accepted(7);
        metrics.refused("busy".into());
        let text = shown.encode();
        let samples = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        let (new, mut old): (Vec<String>, Vec<String>) =
            samples(&text).into_iter().partition(|line| line.starts_with("mlvi_web_server_"));
        assert!(new.iter().any(|line| line == "mlvi_web_server_frames_accepted_total 1"), "{text}");
        // what is newer than the prefix has no old name
        let renamed = new.iter().filter(|line| {
            !line.contains("_settings_topic ") && !line.contains("_age_of_information_")
        });
        let renamed = renamed.map(|line| line.replacen("mlvi_web_server_", "mlvi_", 1));
        let mut renamed: Vec<String> = renamed.collect();
        renamed.sort_unstable();
        old.sort_unstable();
        assert_eq!(renamed, old);
    }
}
