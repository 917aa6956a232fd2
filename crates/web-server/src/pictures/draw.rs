//! What is done on the threads: decode, draw, encode.

use super::source::Source;
use crate::jobs::{Finished, Job, Store};
use crate::problem::RequestError;
use frame::{Detection, FrameResult, ImageFormat, ImageSize, Status};
use regions::Regions;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use unit::PixelRoom;
use vision::Limits;

/// People do not see what more would show.
const QUALITY: u8 = 85;

/// All that a picture is made of.
pub(super) struct Drawing {
    pub(super) source: Source,
    /// Of its camera, if there are any.
    pub(super) regions: Option<Arc<Regions>>,
    /// What is drawn; nothing without.
    pub(super) result: Option<Arc<Finished>>,
    /// At most so wide, in pixels.
    pub(super) width: Option<u32>,
    pub(super) max_pixels: u64,
    /// How much memory its pixels may take in all their forms.
    pub(super) max_bytes: u64,
    pub(super) store: Arc<Store>,
    pub(super) room: PixelRoom,
    pub(super) runtime: Handle,
}

impl Drawing {
    /// The JPEG, and how long it took to make it once there was room for its pixels.
    pub(super) fn draw(self) -> Result<(Vec<u8>, Duration), RequestError> {
        let Self { source: Source { upload, held }, result, width, .. } = self;
        let bytes_per_pixel = bytes_per_pixel(upload.format);
        let limits = Limits { max_pixels: self.max_pixels.min(self.max_bytes / bytes_per_pixel) };
        let ImageSize { width: stored, height } = vision::probe(&upload.bytes, &limits)?.size;
        let bytes = u64::from(stored) * u64::from(height) * bytes_per_pixel;
        let _room = self.runtime.block_on(self.room.take(bytes));
        let started = Instant::now();
        let masks = self.regions.filter(|regions| !regions.masks.is_empty());
        let mut picture = match (masks, width) {
            // before it is made smaller, which mixes what lies side by side
            (Some(masks), width) => {
                let mut picture = vision::decode(&upload.bytes, &limits)?;
                vision::blacken(&mut picture, masks.polygons());
                match width {
                    Some(width) => vision::narrowed(picture, width),
                    None => picture,
                }
            }
            (None, Some(width)) => vision::preview(&upload.bytes, &limits, width)?,
            (None, None) => vision::decode(&upload.bytes, &limits)?,
        };
        drop((upload, held));
        if let Some(result) = result {
            let (detections, of) = found(&self.store, &result)?;
            let size = picture.size();
            let marks = annotate::marks(&detections, of.unwrap_or(size), size);
            picture = annotate::draw(picture, &marks);
        }
        Ok((vision::encode_jpeg(&picture, QUALITY)?, started.elapsed()))
    }
}

/// What a pixel takes at most, while a picture is made.
fn bytes_per_pixel(format: ImageFormat) -> u64 {
    match format {
        // the coefficients of a progressive one (6), and the picture (3)
        ImageFormat::Jpeg => 9,
        ImageFormat::Png | ImageFormat::WebP => PixelRoom::BYTES_PER_PIXEL,
    }
}

/// What is on the frame, and in pixels of which size. A frame that was skipped shows what the frame
/// that it equals does, if that is still known.
fn found(
    store: &Store,
    finished: &Finished,
) -> Result<(Vec<Detection>, Option<ImageSize>), RequestError> {
    let FrameResult { status, detections, same_as, image, .. } = parse(finished)?;
    match (status, same_as.map(|id| store.job(id))) {
        (Status::Skipped, Some(Job::Finished(same))) => {
            let FrameResult { detections, image: of, .. } = parse(&same)?;
            Ok((detections, of.or(image)))
        }
        _ => Ok((detections, image)),
    }
}

fn parse(finished: &Finished) -> Result<FrameResult, RequestError> {
    serde_json::from_str(&finished.json)
        .map_err(|error| RequestError::Internal(format!("the result cannot be drawn: {error}")))
}
