//! The request's body: the frames of a window as parts, each with its number.

use super::window::{Picture, Window};
use std::io::{Read, Result};
use std::sync::Arc;

/// What the body is, as `Content-Type` tells it.
pub(super) const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=mlvi";

/// Reads as long as the window gives frames.
pub(super) struct Body {
    window: Arc<Window>,
    head: Vec<u8>,
    jpeg: Picture,
    /// How much of both was read.
    read: usize,
}

impl Body {
    pub(super) fn new(window: Arc<Window>) -> Self {
        Self { window, head: Vec::new(), jpeg: Picture::default(), read: 0 }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.read == self.head.len() + self.jpeg.len() {
            let Some((number, jpeg)) = self.window.to_send() else { return Ok(0) };
            let length = jpeg.len();
            let head = format!(
                "\r\n--mlvi\r\nContent-Length: {length}\r\nMLVI-Sequence: {number}\r\n\r\n"
            );
            (self.head, self.jpeg, self.read) = (head.into_bytes(), jpeg, 0);
        }
        let left = match self.head.get(self.read..) {
            Some(left) if !left.is_empty() => left,
            _ => self.jpeg.get(self.read - self.head.len()..).unwrap_or_default(),
        };
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.read += count;
        Ok(count)
    }
}
