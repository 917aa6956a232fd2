//! Reads points in time and spans as clients write them.

use frame::Timestamp;
use std::time::{Duration, SystemTime};

/// A span such as `500ms` or `5s`; a bare number counts seconds, as in `Prefer: wait=5`.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    humantime::parse_duration(text).ok()
}

/// Microseconds since the epoch, or an RFC 3339 time with any offset.
pub(crate) fn parse_moment(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        return text.parse().ok().map(Timestamp::from_micros);
    }
    parse_rfc3339(text)
}

/// An RFC 3339 time with any offset; a `+` that a form decoder has turned into a space is read as the `+` that it was.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (local, offset) = split_offset(text)?;
    let time: SystemTime = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    // local time = UTC + offset
    let utc = if offset >= 0 {
        time.checked_sub(Duration::from_secs(offset.unsigned_abs()))
    } else {
        time.checked_add(Duration::from_secs(offset.unsigned_abs()))
    };
    utc.filter(|utc| *utc >= SystemTime::UNIX_EPOCH).map(Timestamp::from)
}

/// The time without its offset, and the offset in seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let [sign, h1, h2, b':', m1, m2] = *offset.as_bytes() else { return None };
    let two = |a: u8, b: u8| (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'));
    let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
    let sign = match sign {
        b'+' | b' ' => 1,
        b'-' => -1,
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some((local, sign * (hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans() {
        assert_eq!(parse_span("5"), Some(Duration::from_secs(5)));
        assert_eq!(parse_span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_span("1m 30s"), Some(Duration::from_secs(90)));
        for bad in ["", "-1", "soon", "5 parsecs", "99999999999999999999999"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }

    #[test]
    fn moments() {
        let expected = Some(Timestamp::from_micros(1_767_225_600_500_000));
        for same in [
            "1767225600500000",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T02:00:00.5+02:00",
            "2026-01-01T02:00:00.5 02:00",
            "2025-12-31T18:30:00.5-05:30",
        ] {
            assert_eq!(parse_moment(same), expected, "{same}");
        }
        for bad in [
            "",
            "now",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00+2:00",
            "1969-12-31T23:59:59Z",
            "2026-01-01T00:00:00",
        ] {
            assert_eq!(parse_moment(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}") {
            let _ = (parse_moment(&text), parse_span(&text));
        }
    }
}
