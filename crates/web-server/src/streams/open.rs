//! A stream of frames that is open.

use crate::app::App;
use crate::problem::RequestError;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;

/// Counts a stream, and keeps its place, while it is open.
pub(crate) struct Open {
    gauge: Gauge,
    lapse: BoxFuture<'static, ()>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    /// Opens a stream, when there are not too many. `lapse`: when its client may not send any more.
    pub(crate) fn enter(app: &App, lapse: BoxFuture<'static, ()>) -> Result<Self, RequestError> {
        let permit = app.camera_streams.clone().try_acquire_owned();
        let most = app.limits.max_camera_streams;
        let permit = permit.map_err(|_| RequestError::TooManyCameraStreams(most))?;
        let gauge = app.metrics.camera_streams.clone();
        gauge.inc();
        Ok(Self { gauge, lapse, _permit: permit })
    }

    /// Ready when its client may not send any more, and not to be asked again then. Cancel-safe.
    pub(crate) async fn lapsed(&mut self) {
        (&mut self.lapse).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
