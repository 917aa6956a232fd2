//! In which form a picture goes to its tier.
//!
//! A JPEG is what everybody reads and what costs few bytes. Encoding and decoding it takes longer
//! than everything else that is done to a frame outside of the network, and the edge is near: it
//! gets the pixels themselves, brought to the size of its network's input before, as a PNG without
//! compression. So any reader can read them, also one of an earlier release that takes over in the
//! middle of a rolling update. The size alone must fit the network: larger networks would see less
//! than they could.
//!
//! The pixels are what the network would make of the whole picture, rounded to 8 bits. Over ten
//! versions of the photos of coco128 (five sharpnesses, each also mirrored) tiny-YOLOv3's mAP@.5 at
//! 416×416 is 28.29 on the whole pictures without loss, 0.09 less on the reduced ones (standard
//! error 0.07), and 0.25 less on JPEGs of quality 90 (0.17). One version alone says little: its
//! JPEGs of the qualities 80 to 100 lie 1.3 points apart.
//!
//! Which network the edge has is in its results. The reduced form is sent while all of them tell
//! of the same input, and while they tell it; otherwise JPEG is.

use frame::{Destination, FrameResult, ImageSize, MAX_FRAME_BYTES, Resize, Status};
use settings::Settings;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After answers of two kinds, one kind alone must have come for so long: then the other one's
/// readers have gone.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// Whoever was silent for so long may have been replaced by somebody else.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// What a PNG takes besides the pixels and a byte a row: headers, checksums, and the heads of the
/// stored blocks.
const PNG_OVERHEAD: usize = 1024;

/// What the edge may get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EdgeForm {
    /// Pixels at the size of its network, when that is known, else JPEG.
    Auto,
    /// Always JPEG.
    Jpeg,
}

impl EdgeForm {
    pub(crate) fn from_settings(settings: &mut Settings) -> Self {
        settings.choice(
            "MLVI_EDGE_FORM",
            "auto",
            &[("auto", Self::Auto), ("jpeg", Self::Jpeg)],
            "what the edge gets: 'auto' is pixels at the size of its network, which takes little \
             time and up to four times the bytes, and JPEG while the size is not known; 'jpeg' is \
             always JPEG",
        )
    }
}

/// What is known of the edge's network.
#[derive(Debug)]
pub(crate) struct Forms {
    form: EdgeForm,
    edge: Mutex<Option<Edge>>,
}

/// What the answers of the edge tell.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// Its network's input, and how pictures are brought to that size; `None` when an answer does
    /// not tell, as those of earlier releases.
    input: Option<(ImageSize, Resize)>,
    /// The last answer.
    told: Instant,
    /// From then on only this kind of answer came; `None`: there has never been another one.
    alone_since: Option<Instant>,
}

impl Forms {
    pub(crate) fn new(form: EdgeForm) -> Self {
        Self { form, edge: Mutex::default() }
    }

    /// A result was read.
    pub(crate) fn result(&self, result: &FrameResult, now: Instant) {
        let by_the_edge =
            result.decision.as_ref().is_some_and(|by| by.destination == Destination::Edge);
        let ran = matches!(result.status, Status::Done | Status::Provisional);
        let Some(model) = result.model.as_ref().filter(|_| by_the_edge && ran) else { return };
        let input = model.input_size().zip(model.resize);
        let mut edge = self.lock();
        let alone_since = match *edge {
            Some(before) if before.input != input => Some(now),
            Some(before) => before.alone_since,
            None => None,
        };
        *edge = Some(Edge { input, told: now, alone_since });
    }

    /// The size to which a picture is reduced for the edge, which may be its own; `None` when the
    /// edge gets a JPEG.
    pub(crate) fn reduced(&self, picture: ImageSize, now: Instant) -> Option<ImageSize> {
        let edge = self.lock().filter(|_| self.form == EdgeForm::Auto)?;
        let settled = edge.alone_since.is_none_or(|since| now - since >= SETTLED_AFTER);
        let (input, resize) = edge.input.filter(|_| settled && now - edge.told < KNOWN_FOR)?;
        let fitted = resize.fitted(picture, input);
        let smaller = fitted.width < picture.width || fitted.height < picture.height;
        let size = if smaller { fitted } else { picture };
        let pixels = u64::from(size.width) * u64::from(size.height);
        let bytes = pixels * 3 + pixels / 1024 + u64::from(size.height) + PNG_OVERHEAD as u64;
        (bytes <= MAX_FRAME_BYTES as u64).then_some(size)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Edge>> {
        self.edge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{CameraId, Decision, Envelope, ImageFormat, ModelInfo, Prepared, ServedBy};

    const PHOTO: ImageSize = ImageSize { width: 640, height: 480 };
    const REDUCED: Option<ImageSize> = Some(ImageSize { width: 416, height: 312 });

    fn result(by: Destination, input: &str, resize: Option<Resize>) -> FrameResult {
        let prepared = Prepared::now(PHOTO, Decision::new(by, "because", "test"));
        let envelope = Envelope {
            prepared: Some(prepared),
            ..Envelope::received_now(CameraId::unnamed(), 0, ImageFormat::Jpeg)
        };
        let (name, version) = ("m".into(), "1".into());
        let model = ModelInfo { name, version, input: input.into(), resize };
        envelope.done(vec![], model, ServedBy::default(), envelope.timings())
    }

    fn edge(input: &str) -> FrameResult {
        result(Destination::Edge, input, Some(Resize::Letterbox))
    }

    #[test]
    fn answers_of_one_network_give_its_size_and_nothing_else_does() {
        let now = Instant::now();
        let after = |results: &[FrameResult]| {
            let forms = Forms::new(EdgeForm::Auto);
            results.iter().for_each(|result| forms.result(result, now));
            forms.reduced(PHOTO, now)
        };
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[edge("416x416"), edge("416x416")]), REDUCED);
        let failed = FrameResult { status: Status::Failed, ..edge("416x416") };
        for other in [
            result(Destination::Cloud, "416x416", Some(Resize::Letterbox)),
            result(Destination::Edge, "416x416", None),
            result(Destination::Edge, "0x416", Some(Resize::Letterbox)),
            result(Destination::Edge, "wide", Some(Resize::Letterbox)),
            failed,
        ] {
            assert_eq!(after(std::slice::from_ref(&other)), None, "{other:?}");
        }
        // the cloud's network does not matter, nor does who answers without a model
        let cloud = result(Destination::Cloud, "608x608", Some(Resize::Letterbox));
        let expired = FrameResult { model: None, status: Status::Expired, ..edge("1x1") };
        assert_eq!(after(&[edge("416x416"), cloud, expired]), REDUCED);
        let stretched = result(Destination::Edge, "416x320", Some(Resize::Stretch));
        assert_eq!(after(&[stretched]), Some(ImageSize { width: 416, height: 320 }));
        let forms = Forms::new(EdgeForm::Jpeg);
        forms.result(&edge("416x416"), now);
        assert_eq!(forms.reduced(PHOTO, now), None);
    }

    #[test]
    fn readers_of_different_networks_get_jpegs_until_one_kind_is_left() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let other_networks =
            [edge("608x608"), result(Destination::Edge, "416x416", None), edge("416x320")];
        for other in other_networks {
            let forms = Forms::new(EdgeForm::Auto);
            forms.result(&edge("416x416"), at(0));
            // both answer: it never settles
            for second in 2..100 {
                let answer = if second % 2 == 0 { other.clone() } else { edge("416x416") };
                forms.result(&answer, at(second));
                assert_eq!(forms.reduced(PHOTO, at(second)), None, "{second}");
            }
            // at 99 s the first kind had the last word
            assert_eq!(forms.reduced(PHOTO, at(98 + 30)), None);
            forms.result(&edge("608x608"), at(130));
            forms.result(&edge("608x608"), at(159));
            assert_eq!(forms.reduced(PHOTO, at(159)), None);
            let expected = Some(ImageSize { width: 608, height: 456 });
            assert_eq!(forms.reduced(PHOTO, at(160)), expected);
        }
    }

    #[test]
    fn what_was_known_is_forgotten() {
        let (forms, began) = (Forms::new(EdgeForm::Auto), Instant::now());
        forms.result(&edge("416x416"), began);
        assert_eq!(forms.reduced(PHOTO, began + KNOWN_FOR - Duration::from_secs(1)), REDUCED);
        assert_eq!(forms.reduced(PHOTO, began + KNOWN_FOR), None);
    }

    #[test]
    fn small_pictures_keep_their_size_and_none_exceeds_the_limit() {
        let (forms, now) = (Forms::new(EdgeForm::Auto), Instant::now());
        forms.result(&edge("1920x1920"), now);
        assert_eq!(forms.reduced(PHOTO, now), Some(PHOTO));
        let square = |side| ImageSize { width: side, height: side };
        assert_eq!(forms.reduced(square(1600), now), Some(square(1600)));
        // 1920 x 1920 pixels do not fit into a message
        assert_eq!(forms.reduced(square(1900), now), None);
        assert_eq!(forms.reduced(square(5000), now), None);
    }

    #[test]
    fn what_is_reckoned_is_never_less_than_what_is_sent() {
        for (width, height) in [(1, 1), (416, 312), (7, 5000), (1280, 1280)] {
            let size = ImageSize { width, height };
            let pixels = width as usize * height as usize;
            let image = frame::RgbImage::new(size, vec![7; pixels * 3]).unwrap();
            let reckoned = pixels * 3 + pixels / 1024 + height as usize + PNG_OVERHEAD;
            assert!(vision::encode_png(&image).unwrap().len() <= reckoned, "{size:?}");
        }
    }
}
