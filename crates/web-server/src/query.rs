//! What a client says about a frame besides its bytes: in the query, or in headers.

use crate::moment::{parse_moment, parse_rfc3339, parse_span};
use crate::problem::Refusal;
use crate::wait::Wait;
use axum::http::{HeaderMap, Uri};
use frame::{CameraId, Timestamp, headers as names};
use std::time::Duration;

/// The query's pairs, percent-decoded; of a repeated name the last counts, and names that nobody reads are passed over.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// What a client says about a frame.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub(crate) camera: Option<CameraId>,
    pub(crate) sequence: Option<u64>,
    pub(crate) captured_at: Option<Timestamp>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) wait: Option<Wait>,
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
    pub(crate) fn of(uri: &Uri) -> Result<Self, Refusal> {
        axum::extract::Query::try_from_uri(uri).map(|query| Self(query.0)).map_err(|_| Refusal::Parameter {
            name: "query",
            value: uri.query().unwrap_or_default().to_owned(),
            allowed: "pairs name=value joined by '&', percent-encoded UTF-8".into(),
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn camera(&self) -> Result<Option<CameraId>, Refusal> {
        self.get("camera").map(parse_camera).transpose()
    }
}

/// A camera's name out of a query or path.
pub(crate) fn parse_camera(text: &str) -> Result<CameraId, Refusal> {
    read("camera", text, "1 to 64 characters out of A-Z a-z 0-9 . _ -", |text| text.parse().ok())
}

impl About {
    /// Reads query and headers; where both say something, the query counts.
    pub(crate) fn read(uri: &Uri, headers: &HeaderMap, max_wait: Duration) -> Result<Self, Refusal> {
        let query = Query::of(uri)?;
        let said = |parameter: &str, header: &str| -> Option<String> {
            let from_header = || headers.get(header).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            query.get(parameter).map(str::to_owned).or_else(from_header)
        };
        let sequence = said("sequence", names::SEQUENCE)
            .map(|text| read("sequence", &text, "a whole number from 0 to 18446744073709551615", |text| text.parse().ok()));
        let captured_at = said("captured_at", names::CAPTURED_AT)
            .map(|text| read("captured_at", &text, "an RFC 3339 time, or microseconds since the epoch", parse_moment));
        let deadline = said("deadline", names::DEADLINE)
            .map(|text| read("deadline", &text, "a span from receipt such as 500ms, or an RFC 3339 time", parse_deadline));
        Ok(Self {
            camera: query.camera()?,
            sequence: sequence.transpose()?,
            captured_at: captured_at.transpose()?,
            deadline: deadline.transpose()?,
            wait: Wait::asked_for(&query, headers, max_wait)?,
        })
    }
}

fn parse_deadline(text: &str) -> Option<Deadline> {
    parse_span(text).map(Deadline::After).or_else(|| parse_rfc3339(text).map(Deadline::At))
}

fn read<T>(name: &'static str, text: &str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    parse(text.trim()).ok_or_else(|| Refusal::Parameter { name, value: shortened(text), allowed: allowed.into() })
}

/// At most 80 bytes of what a client sent: enough to recognise it, too little to flood a log.
pub(crate) fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(80)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAIT: Duration = Duration::from_secs(60);

    fn about(uri: &str, headers: &[(&'static str, &str)]) -> Result<About, Refusal> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        About::read(&uri.parse().unwrap(), &headers, MAX_WAIT)
    }

    #[test]
    fn query_and_headers_say_the_same() {
        let by_query = about("/x?sequence=3&captured_at=1000000&deadline=500ms&camera=gate&other=1", &[]).unwrap();
        let header_list = [("mlvi-sequence", "3"), ("mlvi-captured-at", "1970-01-01T00:00:01Z"), ("mlvi-deadline", "0.5s")];
        assert_eq!(by_query.sequence, Some(3));
        assert_eq!(by_query.captured_at, Some(Timestamp::from_micros(1_000_000)));
        assert_eq!(by_query.deadline, Some(Deadline::After(Duration::from_millis(500))));
        assert_eq!(by_query.camera.unwrap().as_str(), "gate");
        let by_header = about("/x?sequence=4", &header_list[..2]).unwrap();
        assert_eq!((by_header.sequence, by_header.captured_at), (Some(4), by_query.captured_at), "the query counts more");
    }

    #[test]
    fn a_deadline_is_a_span_or_a_moment() {
        let received = Timestamp::from_micros(5_000_000);
        let moment = |text: &str| about(&format!("/x?deadline={text}"), &[]).unwrap().deadline.unwrap().moment(received);
        assert_eq!(moment("2s"), Timestamp::from_micros(7_000_000));
        assert_eq!(moment("1970-01-01T00:00:09Z"), Timestamp::from_micros(9_000_000));
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
                Err(Refusal::Parameter { name, .. }) => assert_eq!(name, parameter, "{uri}"),
                other => panic!("{uri}: {other:?}"),
            }
        }
    }
}
