//! What a client says about a whole stream.

use crate::moment::Hint;
use crate::problem::RequestError;
use crate::query::{About, Query, shortened};
use axum::http::{HeaderMap, Uri};
use frame::CameraId;
use std::ops::RangeInclusive;
use std::time::Duration;

/// As many as keep an edge device with two workers busy, and few enough that the newest is new.
const DEFAULT_IN_FLIGHT: usize = 4;
const IN_FLIGHT: RangeInclusive<usize> = 1..=64;
/// How long the answer waits for the last results, unless the client says.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// Which frame is dropped when one more comes than may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropPolicy {
    /// The one that waits: the newest is kept.
    Oldest,
    /// The one that comes.
    Newest,
    /// None: the stream is read no further until there is room.
    None,
}

/// What a client says about a stream.
#[derive(Debug)]
pub(crate) struct Options {
    /// What holds for each of its frames.
    pub(crate) about: About,
    pub(crate) drop: DropPolicy,
    /// How many frames may be sent and without a result at once.
    pub(crate) in_flight: usize,
    /// How long the answer waits for the results of the last frames.
    pub(crate) wait: Duration,
}

impl Options {
    /// Reads query and headers of a request about this camera's stream.
    pub(crate) fn read(
        camera: CameraId,
        uri: &Uri,
        headers: &HeaderMap,
        max_wait: Duration,
    ) -> Result<Self, RequestError> {
        let About { deadline, wait, .. } = About::read(uri, headers, max_wait)?;
        let query = Query::of(uri)?;
        let drop = match query.get("drop").map(str::trim) {
            None | Some("oldest") => DropPolicy::Oldest,
            Some("newest") => DropPolicy::Newest,
            Some("none") => DropPolicy::None,
            Some(other) => return Err(refuse("drop", other, "oldest, newest or none".into())),
        };
        let in_flight = match query.get("in_flight").map(str::trim) {
            None => DEFAULT_IN_FLIGHT,
            Some(text) => {
                let number = text.parse().ok().filter(|number| IN_FLIGHT.contains(number));
                let allowed = || format!("from {} to {}", IN_FLIGHT.start(), IN_FLIGHT.end());
                number.ok_or_else(|| refuse("in_flight", text, allowed()))?
            }
        };
        let wait = wait.map_or(DEFAULT_WAIT.min(max_wait), |wait| wait.time);
        let about = About { camera: Some(camera), deadline, ..About::default() };
        Ok(Self { about, drop, in_flight, wait })
    }
}

fn refuse(name: &'static str, value: &str, allowed: String) -> RequestError {
    RequestError::Parameter { name, value: shortened(value), allowed, hint: Hint::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Options, RequestError> {
        let uri = format!("/cameras/gate/stream?{query}").parse().unwrap();
        let camera = "gate".parse().unwrap();
        Options::read(camera, &uri, &HeaderMap::new(), Duration::from_secs(60))
    }

    #[test]
    fn what_can_be_said() {
        for (query, drop, in_flight, wait_s) in [
            ("", DropPolicy::Oldest, DEFAULT_IN_FLIGHT, 5),
            ("drop=oldest&in_flight=1", DropPolicy::Oldest, 1, 5),
            ("drop=newest&in_flight=64&wait=0", DropPolicy::Newest, 64, 0),
            ("drop=none&wait=30s", DropPolicy::None, DEFAULT_IN_FLIGHT, 30),
        ] {
            let options = read(query).unwrap();
            let expected = (drop, in_flight, Duration::from_secs(wait_s));
            assert_eq!((options.drop, options.in_flight, options.wait), expected, "{query}");
        }
        for (query, parameter) in [
            ("drop=all", "drop"),
            ("in_flight=0", "in_flight"),
            ("in_flight=65", "in_flight"),
            ("in_flight=many", "in_flight"),
            ("wait=61s", "wait"),
            ("deadline=500", "deadline"),
        ] {
            match read(query) {
                Err(RequestError::Parameter { name, .. }) => assert_eq!(name, parameter, "{query}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
