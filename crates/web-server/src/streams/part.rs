//! The head of a part of `multipart/x-mixed-replace`.

use crate::problem::RequestError;
use crate::streams::cutter::Framing;
use frame::headers::SEQUENCE;
use memchr::memchr;
use std::str::FromStr;

/// The largest head; those of cameras have a tenth of it.
pub(super) const MAX_HEAD_BYTES: usize = 4096;
/// The longest delimiter (RFC 2046, section 5.1.1, has 70 characters and two hyphens); some cameras
/// write more.
const MAX_BOUNDARY_BYTES: usize = 200;

/// What stands behind a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// More bytes are needed.
    Incomplete,
    /// It was no delimiter, or there are no headers behind it.
    Malformed,
    /// No part follows.
    Last,
    /// A body of `body` bytes follows the `head` bytes here, which may tell the frame's number at
    /// its camera.
    Sized { head: usize, body: usize, sequence: Option<u64> },
    /// A body that does not tell its length follows the `head` bytes here.
    Unsized { head: usize },
}

/// Reads what stands behind a delimiter: the rest of its line, headers, and an empty line.
pub(super) fn read(bytes: &[u8]) -> Head {
    if bytes.starts_with(b"--") {
        return Head::Last;
    }
    let (mut position, mut body, mut sequence, mut is_first) = (0, None, None, true);
    while let Some(end) = memchr(b'\n', &bytes[position..]) {
        let line = bytes[position..position + end].trim_ascii();
        position += end + 1;
        if position > MAX_HEAD_BYTES {
            return Head::Malformed;
        }
        match (is_first, line.is_empty()) {
            // only white space may follow the delimiter
            (true, false) => return Head::Malformed,
            (true, true) => is_first = false,
            (false, true) => {
                return match body {
                    Some(body) => Head::Sized { head: position, body, sequence },
                    None => Head::Unsized { head: position },
                };
            }
            (false, false) => {
                body = body.or_else(|| number(line, "content-length"));
                sequence = sequence.or_else(|| number(line, SEQUENCE));
            }
        }
    }
    if bytes.len() > MAX_HEAD_BYTES { Head::Malformed } else { Head::Incomplete }
}

/// The number that a header tells, if it is that one.
fn number<T: FromStr>(line: &[u8], header: &str) -> Option<T> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    if !name.trim_end().eq_ignore_ascii_case(header) {
        return None;
    }
    value.trim().parse().ok()
}

impl Framing {
    /// How the frames of a body with this content type are set apart. Everything but multipart
    /// bodies is taken for JPEGs: the bytes decide.
    pub(crate) fn of(content_type: &[u8]) -> Result<Self, RequestError> {
        let text = String::from_utf8_lossy(content_type);
        let mut fields = text.split(';').map(str::trim);
        let kind = fields.next().unwrap_or_default().to_ascii_lowercase();
        if !kind.starts_with("multipart/") {
            return Ok(Self::Jpegs);
        }
        let malformed = |what: &str| Err(RequestError::MalformedMultipart(what.into()));
        if kind != "multipart/x-mixed-replace" {
            return malformed(
                "a stream is multipart/x-mixed-replace, or JPEGs one after the other",
            );
        }
        let boundary = fields.find_map(|field| {
            let (name, value) = field.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
        });
        match boundary.unwrap_or_default() {
            "" => malformed("the content type has no boundary"),
            long if long.len() > MAX_BOUNDARY_BYTES => malformed("the boundary is too long"),
            // many cameras name the delimiter where only what follows its hyphens belongs
            delimiter if delimiter.starts_with("--") => {
                Ok(Self::Parts { delimiter: delimiter.into() })
            }
            boundary => Ok(Self::Parts { delimiter: format!("--{boundary}").into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_kinds() {
        for (text, head) in [
            (
                "\r\nContent-Type: image/jpeg\r\nContent-Length: 12\r\n\r\nxx",
                (50, Some((12, None))),
            ),
            ("\ncontent-length :7\n\n", (20, Some((7, None)))),
            ("\r\nMLVI-Sequence: 9\r\nContent-Length: 7\r\n\r\n", (41, Some((7, Some(9))))),
            ("\nContent-Length: 7\nmlvi-sequence: -1\n\n", (38, Some((7, None)))),
            (" \r\nX-Timestamp: 1.5\r\n\r\n", (23, None)),
            ("\r\nContent-Length: many\r\n\r\n", (26, None)),
            ("\r\n\r\nbody", (4, None)),
        ] {
            let (head, body) = head;
            let expected = match body {
                Some((body, sequence)) => Head::Sized { head, body, sequence },
                None => Head::Unsized { head },
            };
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
            for end in 0..head {
                assert_eq!(read(&text.as_bytes()[..end]), Head::Incomplete, "{text:?} {end}");
            }
        }
        assert_eq!(read(b"--\r\n"), Head::Last);
        assert_eq!(read(b"er\r\n\r\n"), Head::Malformed);
        assert_eq!(read(&vec![b' '; MAX_HEAD_BYTES + 1]), Head::Malformed);
    }

    #[test]
    fn the_content_type_tells_the_framing() {
        let parts = |delimiter: &str| Framing::Parts { delimiter: delimiter.into() };
        for (content_type, framing) in [
            ("", Framing::Jpegs),
            ("video/x-motion-jpeg", Framing::Jpegs),
            ("application/octet-stream", Framing::Jpegs),
            ("multipart/x-mixed-replace;boundary=ffmpeg", parts("--ffmpeg")),
            ("Multipart/X-Mixed-Replace; a=b; Boundary=\"x y\"", parts("--x y")),
            ("multipart/x-mixed-replace; boundary=--myboundary", parts("--myboundary")),
        ] {
            assert_eq!(Framing::of(content_type.as_bytes()).unwrap(), framing, "{content_type}");
        }
        for content_type in [
            "multipart/form-data; boundary=x",
            "multipart/x-mixed-replace",
            "multipart/x-mixed-replace; boundary=\"\"",
        ] {
            let refusal = Framing::of(content_type.as_bytes()).unwrap_err();
            assert_eq!(refusal.problem().status, 400, "{content_type}");
        }
    }
}
