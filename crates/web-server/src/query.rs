//! What a client says about a frame besides its bytes: in the query, or in headers.

use crate::moment::{
    DAY, HOUR, Hint, Longest, Window, distance, near, parse_moment, parse_rfc3339, parse_span,
};
use crate::problem::RequestError;
use crate::wait::Wait;
use axum::http::{HeaderMap, Uri};
use frame::{CameraId, Timestamp, headers as names};
use std::time::Duration;

/// The query's pairs, percent-decoded; of a repeated name the last counts. Which names there are
/// is a matter of the route.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// When a frame may have been taken: cameras keep some while the network is away, and their clocks
/// are not exact.
const CAPTURED: Window = Window { past: DAY, ahead: HOUR };
/// When a frame may be wanted: one that is over is a frame that comes too late.
const WANTED: Window = Window { past: DAY, ahead: DAY };

/// What a client says about a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) camera: Option<CameraId>,
    pub(crate) sequence: Option<u64>,
    pub(crate) captured_at: Option<Timestamp>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) wait: Option<Wait>,
    /// Boxes in the answer are cut to the picture.
    pub(crate) clip: bool,
}

/// Until when a result is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// So long after receipt.
    After(Duration),
    /// Until that moment.
    At(Timestamp),
}

impl Deadline {
    pub(crate) fn moment(self, received_at: Timestamp) -> Timestamp {
        match self {
            Self::After(span) => received_at + span,
            Self::At(moment) => moment,
        }
    }
}

impl Query {
    pub(crate) fn of(uri: &Uri) -> Result<Self, RequestError> {
        axum::extract::Query::try_from_uri(uri).map(|query| Self(query.0)).map_err(|_| {
            RequestError::Parameter {
                name: "query",
                value: uri.query().unwrap_or_default().to_owned(),
                allowed: "pairs name=value joined by '&', percent-encoded UTF-8".into(),
                hint: Hint::default(),
            }
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A parameter that is `0` or `1`.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, RequestError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        read(name, text, "0 or 1", |text| match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(Hint::default()),
        })
    }

    pub(crate) fn camera(&self) -> Result<Option<CameraId>, RequestError> {
        self.get("camera").map(parse_camera).transpose()
    }
}

/// A camera's name out of a query or path.
pub(crate) fn parse_camera(text: &str) -> Result<CameraId, RequestError> {
    read("camera", text, "1 to 64 characters out of A-Z a-z 0-9 . _ -", |text| {
        text.parse().map_err(|_| Hint::default())
    })
}

impl About {
    /// Reads query and headers; where both say something, the query counts.
    pub(crate) fn read(
        uri: &Uri,
        headers: &HeaderMap,
        max_wait: Duration,
    ) -> Result<Self, RequestError> {
        let query = Query::of(uri)?;
        let said = |parameter: &str, header: &str| -> Option<String> {
            let from_header = || {
                headers
                    .get(header)
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            };
            query.get(parameter).map(str::to_owned).or_else(from_header)
        };
        let sequence = said("sequence", names::SEQUENCE).map(|text| parse_sequence(&text));
        let now = Timestamp::now();
        let captured_at = said("captured_at", names::CAPTURED_AT).map(|text| {
            let allowed = "an RFC 3339 time, or microseconds since the epoch, at most a day ago \
                and an hour ahead";
            read("captured_at", &text, allowed, |text| parse_moment(text, now, CAPTURED))
        });
        let deadline = said("deadline", names::DEADLINE).map(|text| {
            let allowed = format!(
                "a span from receipt such as 500ms (a number alone counts seconds, at most {}), or \
                 an RFC 3339 time, at most a day away",
                max_wait.as_secs()
            );
            read("deadline", &text, &allowed, |text| parse_deadline(text, now, max_wait))
        });
        Ok(Self {
            camera: query.camera()?,
            sequence: sequence.transpose()?,
            captured_at: captured_at.transpose()?,
            deadline: deadline.transpose()?,
            wait: Wait::asked_for(&query, headers, max_wait)?,
            clip: query.flag("clip", false)?,
        })
    }
}

fn parse_sequence(text: &str) -> Result<u64, RequestError> {
    read("sequence", text, "a whole number from 0 to 18446744073709551615", |text| {
        text.parse().map_err(|_| Hint::default())
    })
}

fn parse_deadline(text: &str, now: Timestamp, max_wait: Duration) -> Result<Deadline, Hint> {
    if let Some(moment) = parse_rfc3339(text) {
        return near(moment, now, WANTED).map(Deadline::At).ok_or_else(|| distance(moment, now));
    }
    match parse_span(text, Longest { named: DAY, bare: max_wait })? {
        Duration::ZERO => Err(Hint(Some("it would be over before inference could start".into()))),
        span => Ok(Deadline::After(span)),
    }
}

pub(crate) fn read<T>(
    name: &'static str,
    text: &str,
    allowed: &str,
    parse: impl Fn(&str) -> Result<T, Hint>,
) -> Result<T, RequestError> {
    let refuse = |hint| RequestError::Parameter {
        name,
        value: shortened(text),
        allowed: allowed.into(),
        hint,
    };
    parse(text.trim()).map_err(refuse)
}

/// At most 80 bytes of what a client sent: enough to recognise it, too little to flood a log.
pub(crate) fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(80)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAIT: Duration = Duration::from_secs(60);

    fn about(uri: &str, headers: &[(&'static str, &str)]) -> Result<About, RequestError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        About::read(&uri.parse().unwrap(), &headers, MAX_WAIT)
    }

    #[test]
    fn query_and_headers_say_the_same() {
        let now = Timestamp::now();
        let captured_at = Timestamp::from_micros(now.as_micros() / 1_000_000 * 1_000_000);
        let uri = format!(
            "/x?sequence=3&captured_at={}&deadline=500ms&camera=gate&other=1",
            captured_at.as_micros()
        );
        let by_query = about(&uri, &[]).unwrap();
        let written = humantime::format_rfc3339(
            std::time::UNIX_EPOCH + Duration::from_micros(captured_at.as_micros()),
        )
        .to_string();
        let header_list = [
            ("mlvi-sequence", "3"),
            ("mlvi-captured-at", written.as_str()),
            ("mlvi-deadline", "500ms"),
        ];
        assert_eq!(by_query.sequence, Some(3));
        assert_eq!(by_query.captured_at, Some(captured_at));
        assert_eq!(by_query.deadline, Some(Deadline::After(Duration::from_millis(500))));
        assert_eq!(by_query.camera.unwrap().as_str(), "gate");
        let by_header = about("/x?sequence=4", &header_list[..2]).unwrap();
        assert_eq!(
            (by_header.sequence, by_header.captured_at),
            (Some(4), by_query.captured_at),
            "the query counts more"
        );
    }

    #[test]
    fn a_deadline_is_a_span_or_a_moment() {
        let received = Timestamp::now();
        let moment = |text: &str| {
            about(&format!("/x?deadline={text}"), &[]).unwrap().deadline.unwrap().moment(received)
        };
        assert_eq!(moment("2s"), received + Duration::from_secs(2));
        assert_eq!(moment("2"), received + Duration::from_secs(2));
        let later = Timestamp::from_micros((received.as_micros() / 1_000_000 + 9) * 1_000_000);
        let written = humantime::format_rfc3339(
            std::time::UNIX_EPOCH + Duration::from_micros(later.as_micros()),
        )
        .to_string();
        assert_eq!(moment(&written), later);
    }

    #[test]
    fn a_number_in_another_unit_is_refused_with_what_it_looks_like() {
        for (uri, parameter, hint) in [
            ("/x?captured_at=1764335000", "captured_at", "seconds since the epoch"),
            ("/x?captured_at=1764335000000", "captured_at", "milliseconds since the epoch"),
            ("/x?captured_at=1764335000000000000", "captured_at", "nanoseconds since the epoch"),
            ("/x?captured_at=-1", "captured_at", "negative"),
            ("/x?captured_at=2999-01-01T00:00:00Z", "captured_at", "ahead"),
            ("/x?captured_at=1970-01-01T00:00:01Z", "captured_at", "ago"),
            ("/x?deadline=500", "deadline", "500ms"),
            ("/x?deadline=1764335000", "deadline", "moment in seconds"),
            ("/x?deadline=2999-01-01T00:00:00Z", "deadline", "ahead"),
            ("/x?deadline=2001-01-01T00:00:00Z", "deadline", "ago"),
            ("/x?deadline=2days", "deadline", "longer"),
            ("/x?deadline=0", "deadline", "over before"),
            ("/x?deadline=-5s", "deadline", ""),
            ("/x?wait=5000", "wait", "5000ms"),
            ("/x?wait=1764335000", "wait", "moment"),
        ] {
            let refusal = about(uri, &[]).unwrap_err();
            let (text, problem) = (refusal.to_string(), refusal.problem());
            assert_eq!(problem.status, 400);
            assert!(
                text.contains(&format!("'{parameter}'")) && text.contains(hint),
                "{uri}: {text}"
            );
        }
        let header = about("/x", &[("mlvi-captured-at", "1764335000")]).unwrap_err().to_string();
        assert!(header.contains("seconds since the epoch"), "{header}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (uri, parameter) in [
            ("/x?sequence=-1", "sequence"),
            ("/x?sequence=", "sequence"),
            ("/x?captured_at=yesterday", "captured_at"),
            ("/x?deadline=soon", "deadline"),
            ("/x?camera=a%20b", "camera"),
            ("/x?camera=", "camera"),
            ("/x?wait=long", "wait"),
            ("/x?wait=61s", "wait"),
        ] {
            match about(uri, &[]) {
                Err(RequestError::Parameter { name, .. }) => assert_eq!(name, parameter, "{uri}"),
                other => panic!("{uri}: {other:?}"),
            }
        }
    }
}
