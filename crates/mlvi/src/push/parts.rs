//! Reads the frames that ffmpeg writes with `-f mpjpeg`: each behind a head that tells its length.

use frame::MAX_FRAME_BYTES;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};

/// ffmpeg's heads have a tenth of it.
const MAX_HEAD_BYTES: u64 = 4096;

/// Frames out of a pipe.
pub(super) struct Parts<R>(BufReader<R>);

impl<R: Read> Parts<R> {
    pub(super) fn new(source: R) -> Self {
        Self(BufReader::new(source))
    }

    /// The next JPEG; `None` at the end, also within a frame: whoever wrote it was ended.
    ///
    /// # Errors
    /// When the pipe cannot be read, a head is none, or a frame is larger than one may be.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(length) = self.head()? else { return Ok(None) };
        if length > MAX_FRAME_BYTES {
            let most = MAX_FRAME_BYTES >> 20;
            let text = format!("a frame has {length} bytes, more than {most} MiB");
            return Err(Error::new(ErrorKind::InvalidData, text));
        }
        let mut frame = vec![0; length];
        match self.0.read_exact(&mut frame) {
            Ok(()) => Ok(Some(frame)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The length that the next head tells.
    fn head(&mut self) -> Result<Option<usize>> {
        let mut head = self.0.by_ref().take(MAX_HEAD_BYTES);
        let (mut length, mut line) = (None, String::new());
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return match head.limit() {
                    0 => Err(Error::new(ErrorKind::InvalidData, "it writes no frames")),
                    _ => Ok(None),
                };
            }
            match (line.trim(), length) {
                ("", Some(length)) => return Ok(Some(length)),
                (header, _) => length = length.or_else(|| told_by(header)),
            }
        }
    }
}

fn told_by(header: &str) -> Option<usize> {
    let (name, value) = header.split_once(':')?;
    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(frame: &[u8]) -> Vec<u8> {
        let length = frame.len();
        let head = format!("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: {length}\r\n");
        [head.as_bytes(), b"\r\n", frame, b"\r\n"].concat()
    }

    #[test]
    fn frames_are_cut_by_their_lengths_and_a_cut_one_is_none() {
        let bytes = [part(b"a\r\n\r\nb"), part(b""), part(b"last")].concat();
        let whole: Vec<&[u8]> = vec![b"a\r\n\r\nb", b"", b"last"];
        for end in 0..=bytes.len() {
            let mut parts = Parts::new(&bytes[..end]);
            let mut frames = Vec::new();
            while let Some(frame) = parts.next().unwrap() {
                frames.push(frame);
            }
            assert_eq!(frames, whole[..frames.len()], "{end}");
            assert_eq!(frames.len() == 3, end >= bytes.len() - 2, "{end}");
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let large = format!("Content-length: {}\r\n\r\n", MAX_FRAME_BYTES + 1);
        let endless = "x".repeat(5000);
        for text in [large.as_str(), &endless] {
            let error = Parts::new(text.as_bytes()).next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }
}
