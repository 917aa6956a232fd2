//! What the unit counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use results_db::{Pictured, Stored};
use std::time::Duration;

/// The unit's metrics; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    results: Family<OutcomeLabel, Counter>,
    batches: Histogram,
    pub(crate) failures: Counter,
    pub(crate) database_up: Gauge,
    pub(crate) backlog: Gauge,
    pub(crate) lost: Counter,
    pub(crate) forgotten: Counter,
    pictures: Family<OutcomeLabel, Counter>,
    removed_pictures: Counter,
    picture_bytes: Gauge,
}

/// What became of a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    /// Its frame was not there before.
    New,
    /// It took the place of a provisional one.
    Replaced,
    /// Its frame was there already.
    Repeated,
    /// It is none of ours, or cannot be read.
    Foreign,
    /// The database refused it; it is a dead letter.
    Refused,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::New, Self::Replaced, Self::Repeated, Self::Foreign, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replaced => "replaced",
            Self::Repeated => "repeated",
            Self::Foreign => "foreign",
            Self::Refused => "refused",
        }
    }
}

/// What became of a picture that was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum PictureEnd {
    /// It is stored.
    Kept,
    /// The frame is no longer on its topic, or nobody knows where it was.
    Gone,
    /// Too many waited to be made.
    TooMany,
    /// Its frame could not be read or decoded, or the database refused it.
    Failed,
}

impl PictureEnd {
    const ALL: [Self; 4] = [Self::Kept, Self::Gone, Self::TooMany, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Gone => "gone",
            Self::TooMany => "too-many",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Metrics {
    pub(crate) fn register(to: &unit::Metrics) -> Self {
        let metrics = Self {
            results: Family::default(),
            batches: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            failures: Counter::default(),
            database_up: Gauge::default(),
            backlog: Gauge::default(),
            lost: Counter::default(),
            forgotten: Counter::default(),
            pictures: Family::default(),
            removed_pictures: Counter::default(),
            picture_bytes: Gauge::default(),
        };
        for end in PictureEnd::ALL {
            drop(metrics.pictures.get_or_create(&OutcomeLabel { outcome: end.as_str() }));
        }
        for outcome in Outcome::ALL {
            drop(metrics.results.get_or_create(&OutcomeLabel { outcome: outcome.as_str() }));
        }
        to.register(
            "results_store_results",
            "Results by what became of them",
            metrics.results.clone(),
        );
        to.register(
            "results_store_batch_seconds",
            "How long storing a batch took, in seconds",
            metrics.batches.clone(),
        );
        to.register(
            "results_store_failures",
            "Batches that the database did not take at once",
            metrics.failures.clone(),
        );
        to.register(
            "results_store_database_up",
            "1 while the database takes results",
            metrics.database_up.clone(),
        );
        to.register(
            "results_store_backlog_results",
            "Results on the topic that are not stored yet, of the partitions of all replicas",
            metrics.backlog.clone(),
        );
        to.register(
            "results_store_lost_results",
            "Results that the topic's retention removed before they were stored",
            metrics.lost.clone(),
        );
        to.register(
            "results_store_forgotten_frames",
            "Frames removed because of MLVI_DATABASE_RETENTION or MLVI_DATABASE_MIB",
            metrics.forgotten.clone(),
        );
        to.register(
            "results_store_thumbnails",
            "Pictures of events by what became of them",
            metrics.pictures.clone(),
        );
        to.register(
            "results_store_removed_thumbnails",
            "Pictures of events removed because all together took more than MLVI_THUMBNAILS_MIB",
            metrics.removed_pictures.clone(),
        );
        to.register(
            "results_store_thumbnail_bytes",
            "What pictures of events take in the database, in bytes",
            metrics.picture_bytes.clone(),
        );
        metrics
    }

    pub(crate) fn count(&self, outcome: Outcome, results: u64) {
        self.results.get_or_create(&OutcomeLabel { outcome: outcome.as_str() }).inc_by(results);
    }

    pub(crate) fn stored(&self, stored: Stored, took: Duration) {
        let Stored { new, replaced, repeated, foreign } = stored;
        self.count(Outcome::New, new);
        self.count(Outcome::Replaced, replaced);
        self.count(Outcome::Repeated, repeated);
        self.count(Outcome::Foreign, foreign);
        self.batches.observe(took.as_secs_f64());
    }

    pub(crate) fn picture(&self, end: PictureEnd) {
        self.pictures.get_or_create(&OutcomeLabel { outcome: end.as_str() }).inc();
    }

    pub(crate) fn pictured(&self, Pictured { removed, bytes, .. }: Pictured) {
        self.removed_pictures.inc_by(removed);
        self.picture_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
