//! Cuts a stream of images into frames.
//!
//! Two framings: JPEGs one after the other, as `ffmpeg -f mjpeg` writes them, and the parts of
//! `multipart/x-mixed-replace`, as `ffmpeg -f mpjpeg`, mjpg-streamer, go2rtc and cameras with an
//! ESP32 do. It has no clock and does no I/O.

use crate::streams::part::{self, Head};
use crate::streams::walker::{END, START, Walk, Walker};
use crate::streams::window::Window;
use bytes::{Bytes, BytesMut};
use frame::MAX_FRAME_BYTES;
use memchr::memmem;

/// How the frames of a stream are set apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// JPEGs, one after the other.
    Jpegs,
    /// Parts behind lines with this delimiter, which begins with `--`.
    Parts { delimiter: Vec<u8> },
}

/// So much of the next frame may come with the end of one: without room for that, the whole frame
/// would be moved once more.
const LAST_CHUNK: usize = 64 * 1024;

/// Cuts a stream into frames.
#[derive(Debug)]
pub(crate) struct Cutter {
    framing: Framing,
    window: Window,
    at: At,
    /// How far the image at the window's start was walked.
    walked: usize,
    /// Of the frame before, whose successor is likely about as large.
    last_frame_bytes: usize,
    /// What the head of the part tells that is coming in.
    sequence: Option<u64>,
    counts: Counts,
}

/// What stands at the window's start.
#[derive(Debug)]
enum At {
    /// Anything; a JPEG is looked for.
    Garbage,
    /// A JPEG, from its first byte on.
    Jpeg(Walker),
    /// What is left of a JPEG above the limit.
    LargeJpeg(Walker),
    /// Anything; a delimiter is looked for.
    BetweenParts,
    /// What stands behind a delimiter.
    PartHead,
    /// A part's body of that many bytes.
    Part(usize),
    /// What is left of a body above the limit.
    LargePart(usize),
    /// What comes behind the last part.
    Epilogue,
}

/// What became of the bytes that are in no frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes that belong to no frame. Delimiters and heads of parts do not count.
    pub(crate) skipped_bytes: u64,
    /// Frames above [`MAX_FRAME_BYTES`], whose bytes count as skipped, too.
    pub(crate) too_large: u64,
    /// JPEGs that got the end-of-image marker that they lacked.
    pub(crate) mended: u64,
}

/// Whether to go on with the bytes at hand.
enum Step {
    Frame(Bytes),
    Again,
    /// More bytes are needed.
    Wait,
}

impl Cutter {
    pub(crate) fn new(framing: Framing) -> Self {
        let at = between(&framing);
        let (window, counts) = (Window::default(), Counts::default());
        Self { framing, window, at, walked: 0, last_frame_bytes: 0, sequence: None, counts }
    }

    /// Takes in the next bytes of the stream.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        let expected = match self.at {
            At::Part(bytes) => bytes + LAST_CHUNK,
            At::Jpeg(_) => self.last_frame_bytes + self.last_frame_bytes / 8 + LAST_CHUNK,
            _ => 0,
        };
        self.window.push(chunk, expected);
    }

    /// The next frame, if it is there as a whole.
    pub(crate) fn next_frame(&mut self) -> Option<Bytes> {
        loop {
            match self.step() {
                Step::Frame(frame) => {
                    self.last_frame_bytes = frame.len();
                    return Some(frame);
                }
                Step::Again => {}
                Step::Wait => return None,
            }
        }
    }

    /// The number at its camera that came with the frame that was given last.
    pub(crate) fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Throws away what is there of a frame.
    pub(crate) fn abandon(&mut self) {
        let at = std::mem::replace(&mut self.at, At::Garbage);
        self.at = match at {
            At::Jpeg(walker) => {
                self.skip(self.walked);
                At::LargeJpeg(walker)
            }
            At::Part(bytes) => At::LargePart(bytes),
            other => other,
        };
    }

    /// The stream is over: what is left is no frame.
    pub(crate) fn finish(&mut self) {
        match self.at {
            At::BetweenParts | At::PartHead | At::Epilogue => self.pass(self.window.len()),
            _ => self.skip(self.window.len()),
        }
    }

    /// How many bytes are held for a frame that is not there as a whole.
    pub(crate) fn held_bytes(&self) -> usize {
        self.window.len()
    }

    /// Whether a frame has begun.
    pub(crate) fn is_in_frame(&self) -> bool {
        matches!(self.at, At::Jpeg(_) | At::Part(_))
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    fn step(&mut self) -> Step {
        match self.at {
            At::Garbage => self.seek_jpeg(),
            At::Jpeg(_) => self.walk(),
            At::LargeJpeg(_) => self.walk_over(),
            At::BetweenParts => self.seek_delimiter(),
            At::PartHead => self.read_head(),
            At::Part(bytes) => self.cut_part(bytes),
            At::LargePart(bytes) => {
                let here = bytes.min(self.window.len());
                self.skip(here);
                self.at = At::LargePart(bytes - here);
                if here < bytes { Step::Wait } else { self.go_between() }
            }
            At::Epilogue => {
                self.pass(self.window.len());
                Step::Wait
            }
        }
    }

    fn go_between(&mut self) -> Step {
        self.at = between(&self.framing);
        Step::Again
    }

    fn begin_jpeg(&mut self) -> Step {
        // behind the marker that was seen
        self.walked = 2;
        self.at = At::Jpeg(Walker::new());
        Step::Again
    }

    fn seek_jpeg(&mut self) -> Step {
        let bytes = self.window.bytes();
        let Some(start) = memmem::find(bytes, &START) else {
            // the start's first two bytes may be there
            let kept = (1..START.len()).rev().find(|count| bytes.ends_with(&START[..*count]));
            self.skip(bytes.len() - kept.unwrap_or(0));
            return Step::Wait;
        };
        self.skip(start);
        self.begin_jpeg()
    }

    fn walk(&mut self) -> Step {
        let At::Jpeg(walker) = &mut self.at else { return Step::Again };
        let outcome = walker.walk(self.window.bytes(), &mut self.walked);
        let (has_scan, is_large) = (walker.has_scan(), self.walked > MAX_FRAME_BYTES);
        match outcome {
            // one of exactly the largest size has its end already
            Walk::More if self.window.len() <= MAX_FRAME_BYTES => Step::Wait,
            Walk::More => {
                self.counts.too_large += 1;
                self.abandon();
                Step::Again
            }
            Walk::End | Walk::Restart if is_large => {
                self.counts.too_large += 1;
                self.leave_jpeg(outcome)
            }
            Walk::End if has_scan => {
                let frame = self.window.take(self.walked);
                self.go_between();
                Step::Frame(frame)
            }
            Walk::Restart if has_scan => {
                let image = self.without_delimiter(self.walked);
                let mut frame = BytesMut::with_capacity(image + END.len());
                frame.extend_from_slice(&self.window.bytes()[..image]);
                frame.extend_from_slice(&END);
                self.pass(self.walked);
                self.counts.mended += 1;
                self.begin_jpeg();
                Step::Frame(frame.freeze())
            }
            Walk::End | Walk::Restart => self.leave_jpeg(outcome),
        }
    }

    fn walk_over(&mut self) -> Step {
        let At::LargeJpeg(walker) = &mut self.at else { return Step::Again };
        let outcome = walker.walk(self.window.bytes(), &mut self.walked);
        match outcome {
            Walk::More => {
                self.skip(self.walked);
                Step::Wait
            }
            Walk::End | Walk::Restart => self.leave_jpeg(outcome),
        }
    }

    /// Skips an image that is no frame, up to where it was walked.
    fn leave_jpeg(&mut self, outcome: Walk) -> Step {
        self.skip(self.walked);
        match outcome {
            Walk::Restart => self.begin_jpeg(),
            Walk::More | Walk::End => self.go_between(),
        }
    }

    /// Where an image without an end is over, of whose bytes the next image begins at `end`: what
    /// stands between two parts is none of it.
    fn without_delimiter(&self, end: usize) -> usize {
        let Framing::Parts { delimiter } = &self.framing else { return end };
        let from = end.saturating_sub(part::MAX_HEAD_BYTES);
        memmem::rfind(&self.window.bytes()[from..end], delimiter).map_or(end, |found| from + found)
    }

    fn seek_delimiter(&mut self) -> Step {
        let Framing::Parts { delimiter } = &self.framing else { return self.go_between() };
        let (bytes, length) = (self.window.bytes(), delimiter.len());
        match memmem::find(bytes, delimiter) {
            None => {
                self.skip_between(bytes.len().saturating_sub(length - 1));
                Step::Wait
            }
            Some(start) => {
                self.skip_between(start);
                self.pass(length);
                self.at = At::PartHead;
                Step::Again
            }
        }
    }

    fn read_head(&mut self) -> Step {
        match part::read(self.window.bytes()) {
            Head::Incomplete => Step::Wait,
            Head::Malformed => self.go_between(),
            Head::Last => {
                self.at = At::Epilogue;
                Step::Again
            }
            Head::Sized { head, body, sequence } => {
                self.pass(head);
                self.sequence = sequence;
                if body > MAX_FRAME_BYTES {
                    self.counts.too_large += 1;
                    self.at = At::LargePart(body);
                } else {
                    self.at = At::Part(body);
                }
                Step::Again
            }
            Head::Unsized { head } => {
                let body = &self.window.bytes()[head..];
                if START.starts_with(&body[..body.len().min(START.len())]) {
                    if body.len() < START.len() {
                        return Step::Wait;
                    }
                    self.pass(head);
                    self.sequence = None;
                    return self.begin_jpeg();
                }
                // only a JPEG shows where it ends
                self.pass(head);
                self.go_between()
            }
        }
    }

    fn cut_part(&mut self, bytes: usize) -> Step {
        if bytes == 0 {
            return self.go_between();
        }
        if self.window.len() < bytes {
            return Step::Wait;
        }
        let frame = self.window.take(bytes);
        self.go_between();
        Step::Frame(frame)
    }

    /// Drops bytes between two parts; the line ends that belong there do not count.
    fn skip_between(&mut self, count: usize) {
        let foreign = self.window.bytes()[..count].iter().filter(|byte| !b"\r\n".contains(byte));
        self.counts.skipped_bytes += foreign.count() as u64;
        self.pass(count);
    }

    /// Drops bytes that are in no frame.
    fn skip(&mut self, count: usize) {
        self.counts.skipped_bytes += count as u64;
        self.pass(count);
    }

    /// Drops bytes that have done their duty.
    fn pass(&mut self, count: usize) {
        self.window.skip(count);
        self.walked = 0;
    }
}

/// What is looked for between two frames.
fn between(framing: &Framing) -> At {
    match framing {
        Framing::Jpegs => At::Garbage,
        Framing::Parts { .. } => At::BetweenParts,
    }
}
