//! What a rule can read: the members of `frame`, `edge` and `cloud`.

use super::value::Value;
use crate::{FrameFacts, Snapshot, TierSnapshot};
use frame::Destination::{self, Cloud, Edge};

/// What a rule can read: object and members.
pub const EXPRESSION_VARIABLES: [(&str, &[&str]); 3] = [
    ("frame", &names(&OF_FRAME)),
    (Edge.as_str(), &names(&OF_TIER)),
    (Cloud.as_str(), &names(&OF_TIER)),
];

/// A member of an object, and how it is read; `None` when it is not known.
struct Member<T> {
    name: &'static str,
    read: Read<T>,
}

enum Read<T> {
    Number(fn(&T) -> Option<f64>),
    Bool(fn(&T) -> Option<bool>),
    Text(fn(&T) -> &str),
}

/// What kind of value a member has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Number,
    Bool,
    Text,
}

const fn number<T>(name: &'static str, read: fn(&T) -> Option<f64>) -> Member<T> {
    Member { name, read: Read::Number(read) }
}

const OF_FRAME: [Member<FrameFacts>; 10] = [
    Member { name: "camera", read: Read::Text(|frame| frame.camera.as_str()) },
    number("sequence", |frame| Some(frame.sequence as f64)),
    number("ordinal", |frame| Some(frame.ordinal as f64)),
    number("bytes", |frame| Some(frame.bytes as f64)),
    number("width", |frame| Some(f64::from(frame.image.width))),
    number("height", |frame| Some(f64::from(frame.image.height))),
    number("pixels", |frame| Some(f64::from(frame.image.width) * f64::from(frame.image.height))),
    number("age_ms", |frame| Some(frame.age_ms)),
    number("deadline_left_ms", FrameFacts::wanted_within_ms),
    number("change", |frame| frame.change),
];

const OF_TIER: [Member<TierSnapshot>; 12] = [
    number("backlog", |tier| tier.backlog_frames.map(|frames| frames as f64)),
    number("backlog_bytes", |tier| tier.backlog_bytes.map(|bytes| bytes as f64)),
    number("service_ms", |tier| tier.service_ms),
    number("service_p95_ms", |tier| tier.service_p95_ms),
    number("workers", |tier| tier.workers.map(f64::from)),
    Member { name: "at_maximum", read: Read::Bool(|tier| tier.at_maximum) },
    number("rtt_ms", |tier| tier.rtt_ms),
    number("throughput_bytes_per_s", |tier| tier.throughput_bytes_per_s),
    number("last_result_ms", |tier| tier.last_result_ms),
    number("price", |tier| Some(tier.price)),
    number("predicted_ms", |tier| tier.predicted_ms),
    number("predicted_high_ms", |tier| tier.predicted_high_ms),
];

const fn names<T, const N: usize>(members: &[Member<T>; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = members[at].name;
        at += 1;
    }
    names
}

/// A member of an object that a rule reads, by its place among the object's members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Variable {
    Frame(usize),
    Tier(Destination, usize),
}

/// No such member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UnknownMember {
    /// There is no such object.
    Object,
    /// The object has these members alone.
    Member(&'static [&'static str]),
}

impl Variable {
    pub(super) fn find(object: &str, member: &str) -> Result<Self, UnknownMember> {
        let of = |objects: &[(&str, &'static [&'static str])]| {
            let (_, members) = *objects.iter().find(|(name, _)| *name == object)?;
            Some((members.iter().position(|name| *name == member), members))
        };
        let (place, members) = of(&EXPRESSION_VARIABLES).ok_or(UnknownMember::Object)?;
        let place = place.ok_or(UnknownMember::Member(members))?;
        Ok(match object.parse() {
            Ok(tier) => Self::Tier(tier, place),
            Err(frame::InvalidDestination(_)) => Self::Frame(place),
        })
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Frame(place) => OF_FRAME[place].read.kind(),
            Self::Tier(_, place) => OF_TIER[place].read.kind(),
        }
    }

    /// What it is now; `None` when it is not known.
    pub(super) fn value(self, frame: &FrameFacts, load: &Snapshot) -> Option<Value> {
        match self {
            Self::Frame(place) => OF_FRAME[place].read.value(frame),
            Self::Tier(tier, place) => OF_TIER[place].read.value(&load[tier]),
        }
    }
}

impl<T> Read<T> {
    const fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Bool(_) => Kind::Bool,
            Self::Text(_) => Kind::Text,
        }
    }

    fn value(&self, of: &T) -> Option<Value> {
        match self {
            Self::Number(read) => read(of).map(Value::Number),
            Self::Bool(read) => read(of).map(Value::Bool),
            Self::Text(read) => Some(Value::Text(read(of).into())),
        }
    }
}
