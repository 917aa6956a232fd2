//! What one stage did for one frame.

use frame::{CameraId, FrameId, Timestamp, TraceParent};
use std::borrow::Cow;

/// How a span stands to those of other processes. The numbers are those of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Within a process.
    Internal = 1,
    /// It answers a request.
    Server = 2,
    /// It sends a message.
    Producer = 4,
    /// It works on a message.
    Consumer = 5,
}

/// An attribute's value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
}

/// A span that has ended, or is about to. Names and attributes are those of OpenTelemetry's
/// semantic conventions for HTTP and messaging, version 1.37, where they have one; `frame_id`,
/// `camera`, `destination` and `reason` are named as in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    /// Its trace and its own id.
    pub(super) context: TraceParent,
    /// The id of the span above it; `None`: it begins its trace.
    pub(super) parent: Option<u64>,
    pub(super) link: Option<TraceParent>,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) events: Vec<(&'static str, Timestamp)>,
    pub(super) error: Option<String>,
}

impl Span {
    /// A span from `started` until now. `context` is its own: what a message that it sends tells
    /// as the `traceparent`.
    #[must_use]
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        context: TraceParent,
        parent: Option<u64>,
        started: Timestamp,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            context,
            parent,
            link: None,
            started,
            ended: Timestamp::now().max(started),
            attributes: Vec::with_capacity(8),
            events: Vec::new(),
            error: None,
        }
    }

    /// Work on a message that was read from `topic`.
    #[must_use]
    pub fn of_message(
        topic: &str,
        context: TraceParent,
        parent: TraceParent,
        started: Timestamp,
    ) -> Self {
        let name = format!("process {topic}");
        Self::new(name, Kind::Consumer, context, Some(parent.span_id()), started)
            .messaging(topic, "process")
    }

    /// A message sent to `topic` from within the span `parent`; `context` travels with it.
    #[must_use]
    pub fn of_sending(
        topic: &str,
        context: TraceParent,
        parent: Option<u64>,
        started: Timestamp,
    ) -> Self {
        Self::new(format!("send {topic}"), Kind::Producer, context, parent, started)
            .messaging(topic, "send")
    }

    fn messaging(self, topic: &str, operation: &'static str) -> Self {
        self.with("messaging.system", "kafka")
            .with("messaging.destination.name", topic.to_owned())
            .with("messaging.operation.name", operation)
            .with("messaging.operation.type", operation)
    }

    /// Which frame it is about.
    #[must_use]
    pub fn of_frame(self, id: FrameId, camera: &CameraId) -> Self {
        self.with("frame_id", id.to_string()).with("camera", camera.to_string())
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }

    /// With an attribute that may not be known.
    #[must_use]
    pub fn with_known(self, key: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With something that happened at a moment.
    #[must_use]
    pub fn event(mut self, name: &'static str, at: Timestamp) -> Self {
        self.events.push((name, at));
        self
    }

    /// It has ended at this moment, not now.
    #[must_use]
    pub fn until(mut self, ended: Timestamp) -> Self {
        self.ended = ended.max(self.started);
        self
    }

    /// It has to do with another trace.
    #[must_use]
    pub fn linked(mut self, to: Option<TraceParent>) -> Self {
        self.link = to;
        self
    }

    /// It failed, if there is a reason.
    #[must_use]
    pub fn failed(mut self, why: Option<String>) -> Self {
        self.error = why;
        self
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}
