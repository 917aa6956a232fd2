//! Where a page ended, for the next one: the last frame, and which question it answered.

use events::Event;
use frame::FrameId;
use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// As text it is the frame's id, a dot, and 8 hexadecimal digits for the question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    pub(super) after: FrameId,
    question: u32,
}

impl Cursor {
    /// `question` is the text of everything that narrows the frames.
    pub(super) fn new(after: FrameId, question: &str) -> Self {
        Self { after, question: digest(question) }
    }

    pub(super) fn answers(&self, question: &str) -> bool {
        self.question == digest(question)
    }
}

/// FNV-1a, 32 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>. A mistake is to be noticed, not
/// an attack.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}", self.after, self.question)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (after, question) = text.split_once('.').ok_or(())?;
        let question = u32::from_str_radix(question, 16).map_err(drop)?;
        Ok(Self { after: after.parse().map_err(drop)?, question })
    }
}

/// Where a page of events ended. Events stand in the order of their ends, the last one first, and
/// of equal ends in that of their keys.
///
/// As text it is the end in milliseconds, the key, and the question, with dots between them, the
/// latter two as 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EventCursor {
    /// The last event that was given has ended then.
    pub(crate) end_ms: u64,
    key: u32,
    question: u32,
}

impl EventCursor {
    /// Behind this event.
    pub(super) fn behind(event: &Event, question: &str) -> Self {
        Self { end_ms: event.end_ms, key: key(event), question: digest(question) }
    }

    /// Behind all events that have ended after that time.
    pub(super) fn before(end_ms: u64, question: &str) -> Self {
        Self { end_ms: end_ms + 1, key: u32::MAX, question: digest(question) }
    }

    pub(super) fn answers(&self, question: &str) -> bool {
        self.question == digest(question)
    }

    /// Whether it is on this page, or on one before.
    pub(crate) fn has(&self, event: &Event) -> bool {
        (Reverse(event.end_ms), key(event)) <= (Reverse(self.end_ms), self.key)
    }
}

/// The order of events on pages.
pub(crate) fn place(event: &Event) -> (Reverse<u64>, u32) {
    (Reverse(event.end_ms), key(event))
}

fn key(event: &Event) -> u32 {
    digest(&format!("{}\0{}", event.camera, event.class))
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}.{:08x}", self.end_ms, self.key, self.question)
    }
}

impl FromStr for EventCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (end_ms, rest) = text.split_once('.').ok_or(())?;
        let (key, question) = rest.split_once('.').ok_or(())?;
        let hexadecimal = |text| u32::from_str_radix(text, 16).map_err(drop);
        let end_ms: u64 = end_ms.parse().map_err(drop)?;
        // further than times go
        if end_ms >= 100_000_000_000_000 {
            return Err(());
        }
        Ok(Self { end_ms, key: hexadecimal(key)?, question: hexadecimal(question)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_knows_its_question() {
        let cursor = Cursor::new(FrameId::fresh(), "camera=gate");
        let read: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(read, cursor);
        assert!(read.answers("camera=gate") && !read.answers("camera=yard"));
        for bad in ["", ".", "x.0", &FrameId::fresh().to_string(), "1.2.3"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
        let cursor = EventCursor::before(1_769_896_800_000, "camera=gate");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!(cursor.answers("camera=gate") && !cursor.answers("camera=yard"));
        for bad in ["", "1.2", "1.2.x", "99999999999999999.0.0", "-1.0.0"] {
            assert!(bad.parse::<EventCursor>().is_err(), "{bad}");
        }
    }
}
