//! A unit's metrics, in the text format that Prometheus scrapes.

use prometheus_client::registry::{Metric, Registry};
use std::sync::{Arc, Mutex, PoisonError};

/// A unit's own registry; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { registry: Arc::new(Mutex::new(Registry::with_prefix("mlvi"))) }
    }
}

impl Metrics {
    /// The media type of [`Self::encode`]'s text.
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Adds a metric as `mlvi_{name}`; name it with its unit, e.g. `decode_duration_seconds`.
    pub fn register<M: Metric>(&self, name: &str, help: &str, metric: M) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Every metric as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)
            .expect("writing to a String never fails");
        text
    }
}
