//! Points in time as people and programs write them.

use std::time::{Duration, SystemTime};

/// An RFC 3339 time with any offset, not before 1970; a `+` that a form decoder has turned into a
/// space is read as the `+` that it was.
#[must_use]
pub fn rfc3339(text: &str) -> Option<SystemTime> {
    let (local, offset) = split_offset(text)?;
    let time: SystemTime = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    // local time = UTC + offset
    let utc = if offset >= 0 {
        time.checked_sub(Duration::from_secs(offset.unsigned_abs()))
    } else {
        time.checked_add(Duration::from_secs(offset.unsigned_abs()))
    };
    utc.filter(|utc| *utc >= SystemTime::UNIX_EPOCH)
}

/// The time without its offset, and the offset in seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let [sign, h1, h2, b':', m1, m2] = *offset.as_bytes() else { return None };
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
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

    #[test]
    fn any_offset_is_read_and_nothing_else() {
        let seconds = |text| {
            let time = rfc3339(text)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(time.as_secs())
        };
        for text in
            ["2026-01-31T22:00:00Z", "2026-01-31T23:00:00+01:00", "2026-01-31T20:30:00-01:30"]
        {
            assert_eq!(seconds(text), Some(1_769_896_800), "{text}");
        }
        for bad in
            ["", "Z", "yesterday", "2026-01-31", "2026-01-31T22:00:00", "1960-01-01T00:00:00Z"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
