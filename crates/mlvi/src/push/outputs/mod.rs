//! What is kept of a camera's frames: pictures, a video, results in COCO's form. Everything comes in
//! the order of capture.

mod coco;
mod film;
mod pictures;

pub(super) use coco::Coco;
pub(super) use film::Film;
pub(super) use pictures::Pictures;

use super::masks::Masks;
use super::window::{Outcome, Settled};
use anyhow::Context;
use frame::{CameraId, Detection, FrameResult, ImageSize, Status};
use regions::Mask;
use std::io::Write;
use std::sync::Arc;
use vision::Limits;

/// People do not see what more would show.
const QUALITY: u8 = 85;
/// As large as a picture that a server takes by default.
const MAX_PIXELS: u64 = 64_000_000;

/// The outputs of one camera.
pub(super) struct Outputs {
    pub(super) camera: CameraId,
    /// The number of the first frame, which is 0 in names.
    pub(super) first: u64,
    /// Each result is printed.
    pub(super) prints: bool,
    pub(super) pictures: Option<Pictures>,
    pub(super) film: Option<Film>,
    pub(super) coco: Option<Arc<Coco>>,
    /// What of its pictures nobody may see; `None` before that was read, or where all is saved.
    pub(super) masks: Option<Masks>,
    /// The first thing that went wrong: that output is written no further.
    pub(super) fault: Option<anyhow::Error>,
    /// What the last picture had, for one that equals it.
    pub(super) last: Vec<Detection>,
}

impl Outputs {
    /// Those of a camera whose writer has panicked: none.
    pub(super) fn lost(camera: &CameraId) -> Self {
        Self {
            camera: camera.clone(),
            first: 0,
            prints: false,
            pictures: None,
            film: None,
            coco: None,
            masks: None,
            fault: None,
            last: Vec::new(),
        }
    }

    /// Whether pictures are wanted.
    pub(super) fn wants_pictures(&self) -> bool {
        self.pictures.is_some() || self.film.is_some()
    }

    /// A frame is done with. `rate` tells the frames a second of the source.
    pub(super) fn take(&mut self, settled: &Settled, rate: impl FnOnce() -> f64) {
        let number = settled.number.saturating_sub(self.first);
        let result = match &settled.outcome {
            Outcome::Result(result) => Some(result),
            Outcome::Dropped | Outcome::Lost => None,
        };
        if let Some(result) = result {
            if self.prints {
                let mut line = result.to_json();
                line.push(b'\n');
                let printed = std::io::stdout().write_all(&line);
                // whoever read it has gone: said once
                self.prints = printed.is_ok();
                self.note(printed.context("standard output"));
            }
            if let Some(coco) = &self.coco {
                let name = pictures::name(&self.camera, number);
                let outcome = coco.frame(&name, result);
                self.note(outcome);
            }
        }
        if !self.wants_pictures() {
            return;
        }
        let drawn = match (&settled.jpeg, result) {
            (Some(jpeg), Some(result)) => Some(self.annotated(jpeg, result)),
            (Some(jpeg), None) => Some(self.drawn(jpeg, &[], None)),
            (None, _) => None,
        };
        let jpeg = match drawn.transpose() {
            Ok(jpeg) => jpeg,
            Err(error) => return self.note(Err(error)),
        };
        if let (Some(pictures), Some(jpeg)) = (&mut self.pictures, &jpeg) {
            let outcome = pictures.save(&self.camera, number, jpeg);
            if outcome.is_err() {
                self.pictures = None;
            }
            self.note(outcome);
        }
        if let Some(film) = &mut self.film {
            let outcome = film.show(jpeg, rate);
            if outcome.is_err() {
                self.film = None;
            }
            self.note(outcome);
        }
    }

    /// Completes what is written.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let finished = self.film.map_or(Ok(()), Film::finish);
        self.fault.map_or(finished, Err)
    }

    fn note(&mut self, outcome: anyhow::Result<()>) {
        if let (Err(error), None) = (outcome, &self.fault) {
            eprintln!("{}: {}", self.camera, text::with_causes(&*error));
            self.fault = Some(error);
        }
    }

    /// The picture with what was found drawn on it.
    fn annotated(&mut self, jpeg: &[u8], result: &FrameResult) -> anyhow::Result<Vec<u8>> {
        match result.status {
            // it equals an earlier one
            Status::Skipped => {}
            _ => self.last.clone_from(&result.detections),
        }
        let detections = std::mem::take(&mut self.last);
        let drawn = self.drawn(jpeg, &detections, result.image);
        self.last = detections;
        drawn
    }

    /// The picture without what is masked, with what is drawn on it; as it is where there is
    /// neither.
    fn drawn(
        &mut self,
        jpeg: &[u8],
        detections: &[Detection],
        of: Option<ImageSize>,
    ) -> anyhow::Result<Vec<u8>> {
        let masks = self.masks.as_ref().map(Masks::now).unwrap_or_default();
        if masks.is_empty() && detections.is_empty() {
            return Ok(jpeg.to_vec());
        }
        annotate(jpeg, &masks, detections, of).context("a frame cannot be drawn on")
    }
}

fn annotate(
    jpeg: &[u8],
    masks: &[Mask],
    detections: &[Detection],
    of: Option<ImageSize>,
) -> anyhow::Result<Vec<u8>> {
    let mut picture = vision::decode(jpeg, &Limits { max_pixels: MAX_PIXELS })?;
    vision::blacken(&mut picture, masks.iter().map(|mask| &mask.points));
    let size = picture.size();
    let marks = annotate::marks(detections, of.unwrap_or(size), size);
    Ok(vision::encode_jpeg(&annotate::draw(picture, &marks), QUALITY)?)
}
