//! Pictures of frames, with what was found in them drawn on.
//!
//! A picture is made of the bytes that were uploaded (`source`, which reads them back from the bus
//! unless `recent` has them) on threads of their own (`threads`, `draw`), without what is masked.
//! What people watch is a view: a camera in a variant. Its newest picture is made once, however
//! many look (`views`, which `drive` keeps going), and each viewer takes whichever is the newest
//! when it is ready for one (`live`): there is no queue per viewer.

mod draw;
mod drive;
mod hide;
mod live;
mod recent;
mod source;
#[cfg(test)]
mod tests;
mod threads;
mod variant;
mod views;

pub(crate) use drive::drive;
pub(crate) use hide::hidden;
pub(crate) use live::{CONTENT_TYPE, stream};
pub(crate) use source::{Source, fetch};
pub(crate) use variant::Variant;
pub(crate) use views::{Viewer, Views};

use crate::app::App;
use crate::config::Limits;
use crate::jobs::Finished;
use crate::problem::RequestError;
use axum::body::Bytes;
use draw::Drawing;
use frame::{Envelope, FrameId, Origin};
use recent::Recent;
use regions::Regions;
use std::io;
use std::sync::Arc;
use threads::Threads;
use tokio::sync::Semaphore;
use unit::PixelRoom;

/// How many clients may wait for a picture of a job at once; each holds a frame's bytes.
const MAX_WAITING: usize = 8;

/// What pictures are made with.
#[derive(Debug)]
pub(crate) struct Pictures {
    pub(crate) views: Arc<Views>,
    recent: Recent,
    threads: Threads,
    room: PixelRoom,
    waiting: Semaphore,
}

/// A frame whose picture is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) id: FrameId,
    pub(crate) origin: Option<Origin>,
    /// What is drawn, in a variant with boxes.
    pub(crate) result: Option<Arc<Finished>>,
}

/// A picture that is made.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) id: FrameId,
    pub(crate) jpeg: Bytes,
    /// A strong entity tag: the same frame, result and variant give the same bytes.
    pub(crate) tag: String,
}

/// What a picture is made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Purpose {
    Job,
    Camera,
}

impl Pictures {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            views: Arc::new(Views::new(limits.max_viewers)),
            recent: Recent::new(limits.max_kept_bytes),
            threads: Threads::new(MAX_WAITING + drive::AT_ONCE),
            room: limits.pixels.clone(),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Starts the threads; until then pictures are waited for.
    pub(crate) fn start(
        &self,
        start: impl Fn(&'static str, Box<dyn FnOnce() + Send>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.threads.start(start)
    }

    /// A frame was uploaded here: if somebody watches its camera, its bytes need not be read back.
    pub(crate) fn uploaded(&self, envelope: &Envelope, bytes: &[u8]) {
        if self.views.is_watched(&envelope.camera) {
            self.recent.keep(envelope, bytes);
        }
    }
}

impl Subject {
    /// The entity tag of its picture in a variant, with its camera's masks.
    pub(crate) fn tag(&self, variant: Variant, regions: Option<&Regions>) -> String {
        let state = match &self.result {
            Some(result) if variant.boxes => result.status.as_str(),
            Some(_) | None => "plain",
        };
        let masks = regions.and_then(Regions::mask_tag);
        let masks = masks.map_or_else(String::new, |masks| format!("-{masks:x}"));
        format!("\"{}-{state}-{}{masks}\"", self.id, variant.width_name())
    }
}

/// Makes a job's picture, unless too many clients wait for one.
pub(crate) async fn of_job(
    app: &Arc<App>,
    subject: Subject,
    variant: Variant,
) -> Result<Picture, RequestError> {
    let waiting = app.pictures.waiting.try_acquire();
    let _waiting = waiting.map_err(|_| RequestError::TooManyPictures(MAX_WAITING))?;
    make(app, subject, variant, Purpose::Job).await
}

async fn make(
    app: &Arc<App>,
    subject: Subject,
    variant: Variant,
    purpose: Purpose,
) -> Result<Picture, RequestError> {
    let made = try_to_make(app, subject, variant).await;
    app.metrics.picture(purpose, made.is_ok());
    made
}

async fn try_to_make(
    app: &Arc<App>,
    subject: Subject,
    variant: Variant,
) -> Result<Picture, RequestError> {
    let source = fetch(app, subject.id, subject.origin).await?;
    let regions = app.regions.of(&source.upload.camera);
    let tag = subject.tag(variant, regions.as_deref());
    let Subject { id, result, .. } = subject;
    let drawing = Drawing {
        source,
        regions,
        result: result.filter(|_| variant.boxes),
        width: variant.width,
        max_pixels: app.limits.max_pixels,
        max_bytes: app.limits.max_picture_bytes,
        store: app.store.clone(),
        room: app.pictures.room.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    let (jpeg, time) = app.pictures.threads.run(move || drawing.draw()).await??;
    app.metrics.picture_seconds.observe(time.as_secs_f64());
    Ok(Picture { id, jpeg: jpeg.into(), tag })
}
