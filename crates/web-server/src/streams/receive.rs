//! Reads a stream out of a request's body, to its end.

use crate::access::Right;
use crate::app::App;
use crate::pending::{Full, Hold};
use crate::problem::RequestError;
use crate::streams::cutter::{Cutter, Framing};
use crate::streams::open::Open;
use crate::streams::options::Options;
use crate::streams::session::{Cut, Session};
use crate::streams::tally::{Ending, Length, Reason, Summary};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use frame::{CameraId, MAX_FRAME_BYTES, Timestamp, TraceParent};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Instant;

/// After so many bytes without a frame it is no stream of images.
const MAX_GARBAGE_BYTES: u64 = 2 * MAX_FRAME_BYTES as u64;

/// A stream while it comes in.
struct Receiver {
    app: Arc<App>,
    session: Session,
    cutter: Cutter,
    /// What cutter and session hold, beside the frames that have a place.
    hold: Hold,
    began: Instant,
    bytes: u64,
    /// How many bytes had been read when the last frame was complete.
    bytes_at_frame: u64,
    /// The next frame's number.
    number: u64,
    /// When the first byte of the frame that is coming in came in.
    frame_began: Option<(Timestamp, Instant)>,
    too_large: u64,
}

/// Takes every frame of `body`. Frames that were accepted stay so, however the stream ends.
///
/// # Errors
/// When there is no frame in it.
pub(crate) async fn receive(
    app: &Arc<App>,
    framing: Framing,
    options: Options,
    trace: TraceParent,
    body: Body,
    open: &mut Open,
) -> Result<Summary, RequestError> {
    let (wait, camera) = (options.wait, options.about.camera.clone());
    let camera = camera.unwrap_or_else(CameraId::unnamed);
    let mut receiver = Receiver {
        app: app.clone(),
        session: Session::new(app.clone(), options, trace),
        cutter: Cutter::new(framing),
        hold: app.room.hold(),
        began: Instant::now(),
        bytes: 0,
        bytes_at_frame: 0,
        number: 0,
        frame_began: None,
        too_large: 0,
    };
    let ended_by = receiver.read(body.into_data_stream(), open).await?;
    receiver.cutter.finish();
    let length = Length {
        duration: receiver.began.elapsed(),
        bytes: receiver.bytes,
        skipped_bytes: receiver.cutter.counts().skipped_bytes,
    };
    app.metrics.stream_skipped(length.skipped_bytes);
    if receiver.session.tally().received() == 0 && receiver.session.is_idle() {
        return Err(match (ended_by, receiver.bytes) {
            (Ending::Shutdown, _) => RequestError::ShuttingDown,
            (Ending::RightOver, _) => RequestError::RightOver(Right::Send),
            (Ending::Silence, _) => RequestError::UploadStalled(app.limits.upload_timeout),
            (Ending::Complete, 0) => RequestError::EmptyBody,
            (Ending::Complete | Ending::Garbage, bytes) => RequestError::NoFrames(bytes),
        });
    }
    let last = async {
        while !receiver.session.is_idle() {
            receiver.hold_what_is_there();
            receiver.session.next().await;
        }
    };
    tokio::select! {
        () = last => {}
        () = tokio::time::sleep(wait) => {}
        () = app.shutdown.cancelled() => {}
    }
    receiver.session.give_up();
    Ok(receiver.session.tally().summary(camera, ended_by, length))
}

impl Receiver {
    async fn read(
        &mut self,
        mut chunks: BodyDataStream,
        open: &mut Open,
    ) -> Result<Ending, RequestError> {
        let app = self.app.clone();
        // what is left of the time that the client may take for a frame
        let mut patience = app.limits.upload_timeout;
        let mut number = self.number;
        loop {
            self.take_frames();
            if self.bytes - self.bytes_at_frame > MAX_GARBAGE_BYTES {
                return Ok(Ending::Garbage);
            }
            self.hold_what_is_there();
            // one that is dropped has come, too
            if self.number != number {
                (number, patience) = (self.number, app.limits.upload_timeout);
            }
            let reads = self.session.takes_more();
            let began = Instant::now();
            tokio::select! {
                () = app.shutdown.cancelled() => return Ok(Ending::Shutdown),
                () = open.lapsed() => return Ok(Ending::RightOver),
                _ = self.session.next() => {}
                chunk = tokio::time::timeout(patience, chunks.next()), if reads => match chunk {
                    Err(_) => return Ok(Ending::Silence),
                    Ok(None) => return Ok(Ending::Complete),
                    Ok(Some(Err(error))) => {
                        return Err(RequestError::Interrupted(error.to_string()));
                    }
                    Ok(Some(Ok(chunk))) => self.push(chunk),
                },
            }
            if reads {
                patience = patience.saturating_sub(began.elapsed());
            }
        }
    }

    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len() as u64;
        if !self.cutter.is_in_frame() {
            self.frame_began = None;
        }
        self.frame_began.get_or_insert_with(|| (Timestamp::now(), Instant::now()));
        self.cutter.push(chunk);
    }

    /// Hands the frames that are complete to the session.
    fn take_frames(&mut self) {
        while self.session.takes_more() {
            let Some(bytes) = self.cutter.next_frame() else { break };
            let now = || (Timestamp::now(), Instant::now());
            // what stands behind this frame came in with its end
            let (received_at, started) = self.frame_began.replace(now()).unwrap_or_else(now);
            let (number, sequence) = (self.number, self.cutter.sequence());
            let cut = Cut { number, sequence, bytes, received_at, started };
            self.number += 1;
            self.bytes_at_frame = self.bytes;
            self.session.offer(cut);
        }
        let too_large = self.cutter.counts().too_large;
        for _ in self.too_large..too_large {
            self.drop_frame(Reason::TooLarge);
        }
        self.too_large = too_large;
    }

    /// Accounts for what is held; a frame that there is no room for is dropped.
    fn hold_what_is_there(&mut self) {
        let waiting = self.session.waiting_bytes();
        if let Err(full) = self.hold.set(waiting + self.cutter.held_bytes()) {
            self.give_up(full);
            // less than before
            let _ = self.hold.set(waiting + self.cutter.held_bytes());
        }
    }

    fn give_up(&mut self, full: Full) {
        if self.cutter.is_in_frame() {
            self.cutter.abandon();
            self.drop_frame(Reason::of(&RequestError::NoRoom(full)));
        }
    }

    fn drop_frame(&mut self, reason: Reason) {
        self.session.drop_frame(self.number, reason);
        self.number += 1;
        self.bytes_at_frame = self.bytes;
    }
}
