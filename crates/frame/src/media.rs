//! The image formats that travel as frames.

use std::fmt;

/// An encoded image's format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ImageFormat {
    /// JPEG (`image/jpeg`).
    Jpeg,
    /// PNG (`image/png`).
    Png,
    /// WebP (`image/webp`).
    WebP,
}

/// Bytes that start like none of the formats that we read.
#[derive(Debug, thiserror::Error)]
#[error("not an image that we read: send JPEG, PNG or WebP")]
pub struct UnknownImageFormat;

impl ImageFormat {
    /// Every format that is read.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::WebP];

    /// Tells the format by the first bytes ("magic"), never by what a client claims.
    ///
    /// # Errors
    /// When the bytes start like no format that is read.
    pub fn sniff(bytes: &[u8]) -> Result<Self, UnknownImageFormat> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            _ => Err(UnknownImageFormat),
        }
    }

    /// The media type, as in a `Content-Type` header.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// The format of a media type.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.content_type() == content_type)
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_type())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(ImageFormat::sniff(b"\xFF\xD8\xFF\xE0rest").unwrap(), ImageFormat::Jpeg);
        assert_eq!(ImageFormat::sniff(b"\x89PNG\r\n\x1A\nrest").unwrap(), ImageFormat::Png);
        assert_eq!(ImageFormat::sniff(b"RIFF\x10\0\0\0WEBPVP8 ").unwrap(), ImageFormat::WebP);
        for other in [&b""[..], b"\xFF\xD8", b"GIF89a", b"hello", b"RIFF\x10\0\0\0WAVE", b"<svg"] {
            assert!(ImageFormat::sniff(other).is_err(), "{other:?}");
        }
    }
}
