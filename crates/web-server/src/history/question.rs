//! What a client asks of the past.

use super::cursor::{Cursor, EventCursor};
use crate::moment::{DAY, Hint, Longest, parse_rfc3339, parse_span};
use crate::problem::RequestError;
use crate::query::{Query, read};
use events::Event;
use frame::{Destination, FrameId, Timestamp};
use results_db::{Bucket, Filter, Page};
use std::time::Duration;

/// How many frames a page has unless it is said, and at most.
const LIMIT: [u32; 2] = [100, 1_000];
/// How many counts are given unless it is said, and at most.
const COUNTS: [u32; 2] = [1_000, 10_000];
/// How many events are given unless it is said, and at most.
const EVENTS: [u32; 2] = [100, 1_000];
const OTHER_FILTERS: &str = "'cursor' is of a page with other filters: take both, or neither";
/// A class's or zone's name is no longer than this, in characters.
const MAX_NAME: usize = 200;

/// Frames, a page at a time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Paging {
    pub(crate) filter: Filter,
    pub(crate) page: Page,
    question: String,
}

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Json,
    Ndjson,
    Csv,
}

/// Frames that have a picture.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Pictured {
    pub(crate) filter: Filter,
    pub(crate) page: Page,
}

/// Counts by spans of time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Counting {
    pub(crate) filter: Filter,
    pub(crate) by: Bucket,
    pub(crate) limit: u32,
}

/// Events.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Looking {
    pub(crate) filter: Filter,
    pub(crate) gap: Duration,
    pub(crate) limit: u32,
    /// What the pages before have given.
    pub(crate) given: Option<EventCursor>,
    question: String,
}

impl Paging {
    pub(crate) fn of(query: &Query) -> Result<Self, RequestError> {
        let filter = Filter { destination: destination(query)?, ..filter(query)? };
        let question = format!("{filter:?}");
        let cursor = one(query, "cursor", "the `next` of a page before", |text| {
            text.parse::<Cursor>().ok()
        })?;
        if cursor.is_some_and(|cursor| !cursor.answers(&question)) {
            return Err(RequestError::Contradiction(OTHER_FILTERS));
        }
        let page = Page { limit: limit(query, LIMIT)?, after: cursor.map(|cursor| cursor.after) };
        Ok(Self { filter, page, question })
    }

    /// The cursor of the page behind one that ends with this frame.
    pub(crate) fn behind(&self, last: FrameId) -> String {
        Cursor::new(last, &self.question).to_string()
    }
}

impl Form {
    /// What the query says, which wins over the header `Accept`: a link cannot set that.
    pub(crate) fn of(query: &Query) -> Result<Option<Self>, RequestError> {
        one(query, "format", "json, ndjson or csv", |text| match text {
            "json" => Some(Self::Json),
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        })
    }
}

impl Pictured {
    pub(crate) fn of(query: &Query) -> Result<Self, RequestError> {
        let filter = filter(query)?;
        Ok(Self { filter, page: Page { limit: limit(query, LIMIT)?, after: None } })
    }
}

impl Counting {
    pub(crate) fn of(query: &Query) -> Result<Self, RequestError> {
        let filter = Filter { min_confidence: None, zone: None, ..filter(query)? };
        let by = one(query, "by", "minute, hour or day", |text| match text {
            "minute" => Some(Bucket::Minute),
            "hour" => Some(Bucket::Hour),
            "day" => Some(Bucket::Day),
            _ => None,
        })?;
        let limit = limit(query, COUNTS)?;
        Ok(Self { filter, by: by.unwrap_or(Bucket::Hour), limit })
    }
}

impl Looking {
    pub(crate) fn of(query: &Query) -> Result<Self, RequestError> {
        let gap = query.get("gap").map(|text| {
            read("gap", text, "a span such as 30s or 5m, at most a day", |text| {
                parse_span(text, Longest { named: DAY, bare: DAY })
            })
        });
        let gap = gap.transpose()?.unwrap_or(Duration::from_secs(30));
        let mut filter = Filter { destination: destination(query)?, ..filter(query)? };
        let question = format!("{filter:?} {gap:?}");
        let given = one(query, "cursor", "the `next` of a page before", |text| {
            text.parse::<EventCursor>().ok()
        })?;
        if given.is_some_and(|cursor| !cursor.answers(&question)) {
            return Err(RequestError::Contradiction(OTHER_FILTERS));
        }
        if filter.from_ms.is_none() {
            // making events looks at every frame
            let to_ms = filter.to_ms.unwrap_or_else(|| Timestamp::now().as_micros() / 1000);
            filter.from_ms =
                Some(to_ms.saturating_sub(u64::try_from(DAY.as_millis()).unwrap_or(u64::MAX)));
        }
        if let Some(given) = given {
            // an event that was given, and goes on, is known by what was seen of it within a gap
            let gap_ms = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
            let to_ms = given.end_ms.saturating_add(gap_ms).saturating_add(1);
            filter.to_ms = Some(filter.to_ms.map_or(to_ms, |asked| asked.min(to_ms)));
        }
        Ok(Self { filter, gap, limit: limit(query, EVENTS)?, given, question })
    }

    /// The cursor of the page behind this event.
    pub(crate) fn behind(&self, event: &Event) -> EventCursor {
        EventCursor::behind(event, &self.question)
    }

    /// The cursor of the page with what has ended at this time, or before it.
    pub(crate) fn before(&self, end_ms: u64) -> EventCursor {
        EventCursor::before(end_ms, &self.question)
    }
}

fn destination(query: &Query) -> Result<Option<Destination>, RequestError> {
    one(query, "destination", "edge or cloud", |text| text.parse::<Destination>().ok())
}

fn filter(query: &Query) -> Result<Filter, RequestError> {
    let moment = |name| {
        one(query, name, "an RFC 3339 time, e.g. 2026-01-31T22:00:00Z", |text| {
            parse_rfc3339(text).map(|moment| moment.as_micros() / 1000)
        })
    };
    let filter = Filter {
        camera: query.camera()?,
        class: one(query, "class", "a class's name, of at most 200 characters", |text| {
            (1..=MAX_NAME).contains(&text.chars().count()).then(|| text.to_owned())
        })?,
        min_confidence: one(query, "min_confidence", "a number from 0 to 1", |text| {
            text.parse().ok().filter(|number| (0.0..=1.0).contains(number))
        })?,
        zone: one(query, "zone", "a zone's name, of at most 200 characters", |text| {
            (1..=MAX_NAME).contains(&text.chars().count()).then(|| text.to_owned())
        })?,
        destination: None,
        from_ms: moment("from")?,
        to_ms: moment("to")?,
    };
    if let (Some(from), Some(to)) = (filter.from_ms, filter.to_ms)
        && from > to
    {
        return Err(RequestError::Contradiction("'to' is before 'from'"));
    }
    Ok(filter)
}

fn limit(query: &Query, [usual, most]: [u32; 2]) -> Result<u32, RequestError> {
    let allowed = format!("a whole number from 1 to {most}");
    let limit = one(query, "limit", &allowed, |text| {
        text.parse().ok().filter(|limit| (1..=most).contains(limit))
    })?;
    Ok(limit.unwrap_or(usual))
}

fn one<T>(
    query: &Query,
    name: &'static str,
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, RequestError> {
    let parse = |text: &str| parse(text).ok_or_else(Hint::default);
    query.get(name).map(|text| read(name, text, allowed, parse)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/history?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn filters_are_read() {
        let asked = "camera=gate&class=dog&from=2026-01-31T22:00:00Z&to=2026-01-31T23:00:00%2B01:00\
            &min_confidence=0.5&destination=cloud&limit=7";
        let paging = Paging::of(&query(asked)).unwrap();
        let from = 1_769_896_800_000;
        assert_eq!((paging.filter.from_ms, paging.filter.to_ms), (Some(from), Some(from)));
        assert_eq!(paging.filter.class.as_deref(), Some("dog"));
        assert_eq!(paging.filter.destination, Some(Destination::Cloud));
        assert_eq!(paging.page, Page { limit: 7, after: None });
        let last = FrameId::fresh();
        let next = format!("{asked}&cursor={}", paging.behind(last));
        assert_eq!(Paging::of(&query(&next)).unwrap().page.after, Some(last));
        let other = format!("class=cat&cursor={}", paging.behind(last));
        let refused = Paging::of(&query(&other)).unwrap_err().to_string();
        assert!(refused.contains("other filters"), "{refused}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name() {
        for (text, name) in [
            ("from=yesterday", "from"),
            ("to=1769896800", "to"),
            ("min_confidence=2", "min_confidence"),
            ("min_confidence=NaN", "min_confidence"),
            ("destination=moon", "destination"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("cursor=x", "cursor"),
            ("class=", "class"),
            ("camera=a/b", "camera"),
        ] {
            let refused = Paging::of(&query(text)).unwrap_err();
            assert_eq!(refused.problem().status, 400);
            assert!(refused.to_string().contains(&format!("'{name}'")), "{text}: {refused}");
        }
        let turned = query("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z");
        assert_eq!(Paging::of(&turned).unwrap_err().problem().status, 409);
        assert!(Counting::of(&query("by=week")).is_err());
        assert!(Looking::of(&query("gap=2days")).is_err());
        assert_eq!(Looking::of(&query("gap=1m")).unwrap().gap, Duration::from_secs(60));
        assert_eq!(Counting::of(&query("")).unwrap().by, Bucket::Hour);
        assert_eq!(Form::of(&query("")).unwrap(), None);
        assert_eq!(Form::of(&query("format=csv")).unwrap(), Some(Form::Csv));
        assert!(Form::of(&query("format=xml")).is_err());
        assert!(Looking::of(&query("destination=moon")).is_err());
    }
}
