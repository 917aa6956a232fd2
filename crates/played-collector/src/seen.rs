//! Spans in the form that tests look at.

use crate::messages::{KeyValue, Request, Span, Value};
use std::collections::BTreeMap;

/// A span as it was received; ids are in hexadecimal digits.
#[derive(Clone, PartialEq, Debug)]
pub struct SeenSpan {
    /// `service.name` of its resource.
    pub service: String,
    /// The attributes of its resource.
    pub resource: BTreeMap<String, String>,
    /// The trace's id.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The id of the span above it; empty when it begins its trace.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// When it began, in nanoseconds since the epoch.
    pub started: u64,
    /// When it ended.
    pub ended: u64,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Its events by name, with their times.
    pub events: Vec<(String, u64)>,
    /// The traces that it links to.
    pub links: Vec<String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// The flags of its trace: 1 when it is sampled.
    pub flags: u32,
}

impl SeenSpan {
    /// An attribute's value; empty when it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Every span of a request.
pub(crate) fn of(request: Request) -> Vec<SeenSpan> {
    let mut seen = Vec::new();
    for of in request.resource_spans {
        let resource = texts(of.resource.map(|resource| resource.attributes).unwrap_or_default());
        let service = resource.get("service.name").cloned().unwrap_or_default();
        for span in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            seen.push(one(&service, &resource, span));
        }
    }
    seen
}

/// The code of a status that says `error`.
const ERROR: i32 = 2;

fn one(service: &str, resource: &BTreeMap<String, String>, span: Span) -> SeenSpan {
    SeenSpan {
        service: service.to_owned(),
        resource: resource.clone(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        started: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        attributes: texts(span.attributes),
        events: span.events.into_iter().map(|event| (event.name, event.time_unix_nano)).collect(),
        links: span.links.into_iter().map(|link| hex(&link.trace_id)).collect(),
        error: span.status.filter(|status| status.code == ERROR).map(|status| status.message),
        flags: span.flags,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::Text(text) => text,
        Value::Flag(flag) => flag.to_string(),
        Value::Whole(whole) => whole.to_string(),
        Value::Number(number) => number.to_string(),
    };
    let pairs = attributes.into_iter().map(|KeyValue { key, value }| {
        (key, value.and_then(|value| value.value).map(text).unwrap_or_default())
    });
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
