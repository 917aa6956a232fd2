//! One way to read the text files that people give us: UTF-8, with or without a byte order mark.
//!
//! Editors and spreadsheets on Windows put U+FEFF before the text, where it would become part of
//! the first word; PowerShell writes UTF-16. The mark is passed over, and any other encoding is an
//! error that says so.
//!
//! Also one way to put errors into words, [`with_causes`], [`similar`] words, fields of tables
//! ([`csv_field`]) and points in time ([`rfc3339`]).

mod causes;
mod csv;
mod rfc3339;
mod similar;

pub use causes::with_causes;
pub use csv::csv_field;
pub use rfc3339::rfc3339;
pub use similar::similar;

use std::io;
use std::path::Path;

/// What some editors put before the text.
const MARK: char = '\u{feff}';

/// Bytes that are no text in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Two bytes a character, as PowerShell's `>` and old editors write it.
    #[error("it is text in UTF-16; save it as UTF-8")]
    Utf16,
    /// Four bytes a character.
    #[error("it is text in UTF-32; save it as UTF-8")]
    Utf32,
    /// Another encoding, or no text at all.
    #[error("line {line} is not text in UTF-8")]
    NotUtf8 {
        /// The first such line, counted from 1.
        line: usize,
    },
}

/// Reads a whole file as text, without its byte order mark.
///
/// # Errors
/// The system's, or one of the kind [`io::ErrorKind::InvalidData`] about a [`TextError`].
pub fn read(path: impl AsRef<Path>) -> io::Result<String> {
    decode(std::fs::read(path)?).map_err(invalid)
}

/// As [`read`], but bytes that are no UTF-8 are taken as Latin-1: for files whose old readers ignore
/// the encoding.
///
/// # Errors
/// The system's, or one of the kind [`io::ErrorKind::InvalidData`] about UTF-16 or UTF-32.
pub fn read_or_latin1(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    match decode(bytes.clone()) {
        Err(TextError::NotUtf8 { .. }) => Ok(bytes.into_iter().map(char::from).collect()),
        other => other.map_err(invalid),
    }
}

/// Bytes as text, without a byte order mark.
///
/// # Errors
/// When they are not UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, TextError> {
    // the order counts: the mark of UTF-32 begins as that of UTF-16
    match bytes[..] {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(TextError::Utf32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(TextError::Utf16),
        // a letter of ASCII and a zero: UTF-16 without its mark, which would pass for UTF-8
        [1..0x80, 0, 1..0x80, 0, ..] | [0, 1..0x80, 0, 1..0x80, ..] => {
            return Err(TextError::Utf16);
        }
        _ => {}
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        TextError::NotUtf8 { line }
    })?;
    match text.strip_prefix(MARK) {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// Text that came as such, e.g. a line of a file that is read line by line, without a byte order
/// mark.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn invalid(error: TextError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mark_is_passed_over_once() {
        assert_eq!(decode(b"\xef\xbb\xbfcar\r\n".to_vec()).unwrap(), "car\r\n");
        assert_eq!(
            decode(b"\xef\xbb\xbf\xef\xbb\xbfcar".to_vec()).unwrap(),
            "\u{feff}car",
            "a second one is a character"
        );
        assert_eq!(decode(b"car \xef\xbb\xbf".to_vec()).unwrap(), "car \u{feff}");
        assert_eq!(
            (decode(b"\xef\xbb\xbf".to_vec()).unwrap(), decode(vec![]).unwrap()),
            (String::new(), String::new())
        );
        assert_eq!((without_mark("\u{feff}a"), without_mark("a")), ("a", "a"));
    }

    #[test]
    fn other_encodings_are_named() {
        let wide = |to: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
            let mark = mark.then_some(0xfeff);
            mark.into_iter().chain("car\n".encode_utf16()).flat_map(to).collect()
        };
        for bytes in [
            wide(u16::to_le_bytes, true),
            wide(u16::to_be_bytes, true),
            wide(u16::to_le_bytes, false),
            wide(u16::to_be_bytes, false),
        ] {
            assert_eq!(decode(bytes), Err(TextError::Utf16));
        }
        assert_eq!(decode(b"\xff\xfe\0\0c\0\0\0".to_vec()), Err(TextError::Utf32));
        assert_eq!(decode(b"a\nb\ntama\xf1o\n".to_vec()), Err(TextError::NotUtf8 { line: 3 }));
    }

    #[test]
    fn files_are_read_as_their_readers_allow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, b"\xef\xbb\xbfa\n").unwrap();
        assert_eq!(
            (read(&path).unwrap(), read_or_latin1(&path).unwrap()),
            ("a\n".into(), "a\n".into())
        );
        std::fs::write(&path, b"tama\xf1o").unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("line 1"),
            "{error}"
        );
        assert_eq!(read_or_latin1(&path).unwrap(), "tamaño");
        std::fs::write(&path, b"\xff\xfea\0").unwrap();
        assert!(read_or_latin1(&path).unwrap_err().to_string().contains("UTF-16"));
        assert_eq!(read(dir.path().join("b.txt")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn text_stays_as_it_is_whether_or_not_it_has_a_mark(text in "[^\0\u{feff}]{0,40}") {
            let marked = format!("{MARK}{text}");
            prop_assert_eq!(&decode(text.clone().into_bytes()).unwrap(), &text);
            prop_assert_eq!(&decode(marked.into_bytes()).unwrap(), &text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(bytes);
        }
    }
}
