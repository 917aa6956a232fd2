//! What the unit counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use results_db::Stored;
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
        };
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
}
