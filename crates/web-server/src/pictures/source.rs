//! The bytes of a frame, as they were uploaded.

use super::recent::Upload;
use crate::app::{App, MAX_FETCHED_BYTES};
use crate::problem::RequestError;
use frame::{FrameId, Origin};
use tokio::sync::OwnedSemaphorePermit;

/// A frame's bytes, and the place that they take among all that are fetched.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) upload: Upload,
    pub(crate) held: OwnedSemaphorePermit,
}

/// Reads a frame back from the bus, unless its bytes are still here. It is as it was uploaded:
/// whoever shows it blackens its camera's masks, which are known by then.
pub(crate) async fn fetch(
    app: &App,
    id: FrameId,
    origin: Option<Origin>,
) -> Result<Source, RequestError> {
    app.masks_are_known().await?;
    let recent = app.pictures.recent.get(id);
    app.metrics.fetched(recent.is_some());
    let upload = match recent {
        Some(upload) => upload,
        None => read_back(app, id, origin.ok_or(RequestError::FrameUnknown(id))?).await?,
    };
    let held = u32::try_from(upload.bytes.len())
        .ok()
        .and_then(|bytes| app.fetches.clone().try_acquire_many_owned(bytes).ok());
    let held = held.ok_or(RequestError::TooManyFetches(MAX_FETCHED_BYTES))?;
    Ok(Source { upload, held })
}

async fn read_back(app: &App, id: FrameId, origin: Origin) -> Result<Upload, RequestError> {
    let Origin { partition, offset } = origin;
    let closed = |_| RequestError::ShuttingDown;
    let _permit = app.frame_reads.acquire().await.map_err(closed)?;
    let message = app
        .bus
        .read_one(&app.topics.frames, partition, offset)
        .await?
        .ok_or(RequestError::FrameGone(id))?;
    // a topic that was deleted and made anew has other frames at the same offsets
    let envelope = message
        .envelope()
        .ok()
        .filter(|envelope| envelope.frame_id == id)
        .ok_or(RequestError::FrameGone(id))?;
    Ok(Upload { camera: envelope.camera, format: envelope.format, bytes: message.payload.into() })
}
