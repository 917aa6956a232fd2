//! Where a page ended, for the next one: the last frame, and which question it answered.

use frame::FrameId;
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
    }
}
