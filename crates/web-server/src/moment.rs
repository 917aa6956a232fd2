//! Reads points in time and spans as clients write them.
//!
//! A number in another unit than the one that is wanted is still a number, and a time in 1970 or a
//! span of years decides wrongly without a word. So what cannot be meant is refused, with what it
//! looks like.

use frame::Timestamp;
use std::time::{Duration, SystemTime};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a refused text looks like, as a sentence for its sender; empty when it looks like nothing
/// known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint(pub(crate) Option<String>);

impl Hint {
    fn says(text: impl Into<String>) -> Self {
        Self(Some(text.into()))
    }
}

/// Which moments are believed, seen from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) past: Duration,
    pub(crate) ahead: Duration,
}

/// The longest spans that are believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Longest {
    /// Of a span that names its unit.
    pub(crate) named: Duration,
    /// Of a bare number, which counts seconds: a larger one rather counts something else.
    pub(crate) bare: Duration,
}

/// A span such as `500ms` or `5s`; a bare number counts seconds, as in `Prefer: wait=5`.
pub(crate) fn parse_span(text: &str, longest: Longest) -> Result<Duration, Hint> {
    if is_digits(text) {
        let span = text.parse().ok().map(Duration::from_secs);
        return span.filter(|span| *span <= longest.bare).ok_or_else(|| other_span(text));
    }
    let span = humantime::parse_duration(text).map_err(|_| other_span(text))?;
    if span <= longest.named { Ok(span) } else { Err(Hint::says("it is longer than that")) }
}

/// Microseconds since the epoch, or an RFC 3339 time with any offset, not too far from `now`.
pub(crate) fn parse_moment(text: &str, now: Timestamp, window: Window) -> Result<Timestamp, Hint> {
    if !is_digits(text) {
        let moment = parse_rfc3339(text).ok_or_else(|| other_moment(text))?;
        return near(moment, now, window).ok_or_else(|| distance(moment, now));
    }
    let moment = text.parse().ok().map(Timestamp::from_micros);
    moment.and_then(|moment| near(moment, now, window)).ok_or_else(|| {
        match (since_epoch(text), moment) {
            (Some((MICROSECONDS, _)) | None, Some(moment)) => distance(moment, now),
            _ => other_moment(text),
        }
    })
}

/// The moment, if it is within the window around `now`.
pub(crate) fn near(moment: Timestamp, now: Timestamp, window: Window) -> Option<Timestamp> {
    (moment <= now + window.ahead && now <= moment + window.past).then_some(moment)
}

/// How far a moment is from `now`, in words.
pub(crate) fn distance(moment: Timestamp, now: Timestamp) -> Hint {
    let (micros, now) = (moment.as_micros(), now.as_micros());
    let whole = Duration::from_secs(micros.abs_diff(now) / 1_000_000);
    let span = humantime::format_duration(whole);
    let side = if micros < now { "ago" } else { "ahead" };
    // the last moment that RFC 3339 can write is at the end of the year 9999
    let written = (micros < 253_402_300_800_000_000).then(|| written(micros / 1_000_000));
    Hint::says(written.map_or_else(
        || format!("it is {span} {side}"),
        |written| format!("it is {written}, {span} {side}"),
    ))
}

pub(crate) fn written(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .to_string()
}

const MICROSECONDS: &str = "microseconds";

/// What the units of a number since the epoch may be, and how many of each are a second.
const UNITS: [(&str, f64); 4] =
    [("seconds", 1.0), ("milliseconds", 1e3), (MICROSECONDS, 1e6), ("nanoseconds", 1e9)];
/// The moments that a number may mean, in seconds: from the year 2000 to 2100. In no two units can
/// one number be among them.
const MEANT_S: std::ops::Range<f64> = 946_684_800.0..4_102_444_800.0;

/// In which unit a number is a moment of our time, and that moment in seconds since the epoch.
fn since_epoch(text: &str) -> Option<(&'static str, u64)> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let (unit, per_second) =
        UNITS.into_iter().find(|(_, per_second)| MEANT_S.contains(&(number / per_second)))?;
    Some((unit, (number / per_second) as u64))
}

fn is_negative(text: &str) -> bool {
    text.starts_with('-') && text.parse::<f64>().is_ok()
}

fn other_moment(text: &str) -> Hint {
    match since_epoch(text) {
        _ if is_negative(text) => Hint::says("it is negative"),
        Some((MICROSECONDS, _)) => Hint::says("it is not a whole number"),
        Some((unit, seconds)) => {
            Hint::says(format!("it looks like {unit} since the epoch ({})", written(seconds)))
        }
        None => Hint::default(),
    }
}

fn other_span(text: &str) -> Hint {
    match since_epoch(text) {
        _ if is_negative(text) => Hint::says("it is negative"),
        Some((unit, seconds)) => Hint::says(format!(
            "it looks like a moment in {unit} since the epoch, {}, not like a span",
            written(seconds)
        )),
        None if is_digits(text) => Hint::says(format!(
            "a number alone counts seconds; milliseconds are written '{text}ms'"
        )),
        None => Hint::default(),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// An RFC 3339 time with any offset.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    text::rfc3339(text).map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Longest = Longest { named: DAY, bare: Duration::from_secs(60) };
    const WINDOW: Window = Window { past: DAY, ahead: HOUR };
    /// 2026-01-01T00:00:00.5Z
    const NOW: u64 = 1_767_225_600_500_000;

    fn span(text: &str) -> Result<Duration, Hint> {
        parse_span(text, LONGEST)
    }

    fn moment(text: &str) -> Result<Timestamp, Hint> {
        parse_moment(text, Timestamp::from_micros(NOW), WINDOW)
    }

    #[track_caller]
    fn hints<T: std::fmt::Debug>(read: Result<T, Hint>, part: &str) {
        let hint = read.unwrap_err().0;
        assert!(
            hint.as_deref().is_some_and(|hint| hint.contains(part)),
            "{hint:?} does not say: {part}"
        );
    }

    #[test]
    fn spans() {
        for (text, ms) in [
            ("5", 5000),
            ("60", 60_000),
            ("500ms", 500),
            ("1m 30s", 90_000),
            ("24h", 86_400_000),
            ("0", 0),
        ] {
            assert_eq!(span(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "soon", "5 parsecs", "1e3", "0.5", "0x10", "inf"] {
            assert_eq!(span(bad), Err(Hint(None)), "{bad}");
        }
        hints(span("-1"), "negative");
        hints(span("-1764335000"), "negative");
        hints(span("500"), "'500ms'");
        hints(span("99999999999999999999999"), "counts seconds");
        hints(span("1764335000"), "moment in seconds");
        hints(span("1764335000000"), "moment in milliseconds");
        hints(span("1764335000.25"), "moment in seconds");
        hints(span("25h"), "longer");
    }

    #[test]
    fn moments() {
        for same in [
            "1767225600500000",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T02:00:00.5+02:00",
            "2026-01-01T02:00:00.5 02:00",
            "2025-12-31T18:30:00.5-05:30",
        ] {
            assert_eq!(moment(same), Ok(Timestamp::from_micros(NOW)), "{same}");
        }
        for bad in [
            "",
            "now",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00+2:00",
            "1969-12-31T23:59:59Z",
            "NaN",
            "inf",
        ] {
            assert_eq!(moment(bad), Err(Hint(None)), "{bad}");
        }
    }

    #[test]
    fn a_moment_in_another_unit_is_refused_with_its_unit() {
        for (text, unit) in [
            ("1767225600", "seconds since the epoch (2026-01-01T00:00:00Z)"),
            ("1767225600.5", "seconds since the epoch (2026-01-01T00:00:00Z)"),
            ("1.7672256e9", "seconds"),
            ("1767225600500", "milliseconds since the epoch (2026-01-01T00:00:00Z)"),
            ("1767225600500000000", "nanoseconds since the epoch (2026-01-01T00:00:00Z)"),
            ("1767225600500000.5", "not a whole number"),
            ("-5", "negative"),
            ("-1767225600500000", "negative"),
        ] {
            hints(moment(text), unit);
        }
    }

    #[test]
    fn a_moment_too_far_away_is_refused_with_its_distance() {
        for (text, distance) in [
            ("1767139200499999", "2025-12-31T00:00:00Z, 1day ago"),
            ("2025-12-30T00:00:00Z", "2025-12-30T00:00:00Z, 2days ago"),
            ("1767229200500001", "1h ahead"),
            ("2027-01-01T00:00:00.5Z", "ahead"),
            ("9999-12-31T23:59:59Z", "9999"),
            ("0", "1970-01-01T00:00:00Z"),
            ("18446744073709551615", "ahead"),
            ("5", "1970-01-01T00:00:00Z"),
        ] {
            hints(moment(text), distance);
        }
        for edge in [NOW - 86_400_000_000, NOW + 3_600_000_000] {
            assert_eq!(moment(&edge.to_string()), Ok(Timestamp::from_micros(edge)));
        }
        assert!(moment("18446744073709551616").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}", number in any::<u64>(), float in any::<f64>()) {
            for text in [text, number.to_string(), float.to_string()] {
                let _ = (moment(&text), span(&text));
            }
        }

        #[test]
        fn a_moment_that_is_taken_is_near(number in any::<u64>()) {
            if let Ok(moment) = moment(&number.to_string()) {
                prop_assert!(moment.as_micros().abs_diff(NOW) <= 86_400_000_000);
            }
        }
    }
}
