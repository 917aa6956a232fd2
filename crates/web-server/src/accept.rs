//! Puts a frame on the bus. Only a frame that the broker has acknowledged is accepted.

use crate::app::App;
use crate::frame_trace::FrameTrace;
use crate::intake;
use crate::problem::RequestError;
use crate::query::About;
use crate::upload::Upload;
use bytes::Bytes;
use frame::{CameraId, Envelope, FrameId, Origin, Timestamp, UploadTimings};
use frame_bus::Outgoing;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use unit::panic_text;

/// A frame that the broker has.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) frame_id: FrameId,
    pub(crate) camera: CameraId,
    pub(crate) sequence: u64,
}

/// Checks a frame and sends it. When the client goes away meanwhile, the sending is finished all
/// the same, so that every frame that the broker has is also known here.
pub(crate) async fn accept(
    app: &Arc<App>,
    about: &About,
    upload: Upload,
    trace: FrameTrace,
) -> Result<Accepted, RequestError> {
    let Upload { bytes, mut place, received_at, started } = upload;
    let format = intake::check(&bytes, app.limits.max_pixels).await?;
    place.wait()?;
    let camera = about.camera.clone().unwrap_or_else(CameraId::unnamed);
    let envelope = Envelope {
        frame_id: FrameId::fresh(),
        sequence: app.sequences.number(&camera, about.sequence),
        camera,
        captured_at: about.captured_at,
        received_at,
        deadline: about.deadline.map(|deadline| deadline.moment(received_at)),
        format,
        traceparent: trace.context,
        sent_at: Timestamp::now(),
        upload: UploadTimings { upload_ms: started.elapsed().as_secs_f64() * 1000.0 },
        prepared: None,
    };
    app.pictures.uploaded(&envelope, &bytes);
    let Envelope { frame_id, ref camera, sequence, .. } = envelope;
    let accepted = Accepted { frame_id, camera: camera.clone(), sequence };
    let out = Outgoing {
        topic: app.topics.frames.clone(),
        key: envelope.key(),
        headers: envelope.to_headers(),
        payload: bytes,
    };
    app.traces.expect(&envelope);
    let since = envelope.sent_at;
    app.store.expect(envelope, place);
    let mut sending = send(app.clone(), accepted.clone(), out, trace, since).boxed();
    // begun here, so that frames that are accepted one after the other stay in order
    match (&mut sending).now_or_never() {
        Some(sent) => sent?,
        None => app.tasks.spawn(sending).await.map_err(|error| {
            RequestError::Internal(format!("sending the frame failed: {error}"))
        })??,
    }
    Ok(accepted)
}

async fn send(
    app: Arc<App>,
    accepted: Accepted,
    out: Outgoing<Bytes>,
    trace: FrameTrace,
    since: Timestamp,
) -> Result<(), RequestError> {
    let (frame_id, bytes) = (accepted.frame_id, out.payload.len());
    // a panic must not keep the frame's place for ever
    let sending = AssertUnwindSafe(app.bus.send(out)).catch_unwind().await;
    let sent = match sending {
        Ok(sent) => sent,
        Err(panic) => {
            app.store.withdraw(frame_id);
            return Err(RequestError::Internal(format!(
                "sending the frame panicked: {}",
                panic_text(panic.as_ref())
            )));
        }
    };
    match sent {
        Ok(sent) => {
            app.store.accepted(frame_id, Origin { partition: sent.partition, offset: sent.offset });
            app.metrics.accepted(bytes);
            trace.sent(&app.traces, &app.topics.frames, &accepted, sent, since);
            Ok(())
        }
        Err(error) => {
            app.store.withdraw(frame_id);
            tracing::warn!(%frame_id, %error, "frame not sent");
            Err(error.into())
        }
    }
}
