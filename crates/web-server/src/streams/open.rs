//! A stream of frames that is open.

use crate::app::App;
use crate::problem::RequestError;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;

/// Counts a stream, and keeps its place, while it is open.
#[derive(Debug)]
pub(crate) struct Open {
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    /// Opens a stream, when there are not too many.
    pub(crate) fn enter(app: &App) -> Result<Self, RequestError> {
        let permit = app.camera_streams.clone().try_acquire_owned();
        let most = app.limits.max_camera_streams;
        let permit = permit.map_err(|_| RequestError::TooManyCameraStreams(most))?;
        let gauge = app.metrics.camera_streams.clone();
        gauge.inc();
        Ok(Self { gauge, _permit: permit })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
