//! Questions in SQL: the same text for both databases but for how they write parameters, and where one
//! of them would be slow.

use crate::{Bucket, Filter, Page};
use frame::FrameId;

/// How a parameter is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parameters {
    /// `?1`
    Question,
    /// `$1`
    Dollar,
}

/// A parameter's value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Id(FrameId),
    Text(String),
    Real(f32),
    Integer(i64),
}

/// A question with the values of its parameters.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
    parameters: Parameters,
}

impl Ask {
    fn new(parameters: Parameters, text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), parameters }
    }

    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds text, and the value at its end.
    fn with(&mut self, text: &str, value: Value) {
        self.values.push(value);
        let mark = match self.parameters {
            Parameters::Question => '?',
            Parameters::Dollar => '$',
        };
        self.text.push_str(&format!("{text}{mark}{}", self.values.len()));
    }

    /// The frames of its time, older than the page before.
    fn within(&mut self, filter: &Filter, after: Option<FrameId>) {
        let (from, _) = filter.ids();
        self.with(" WHERE frame_id >= ", Value::Id(from));
        self.before(filter, after);
    }

    fn before(&mut self, filter: &Filter, after: Option<FrameId>) {
        let (_, to) = filter.ids();
        self.with(" AND frame_id < ", Value::Id(after.map_or(to, |after| after.min(to))));
    }

    fn camera(&mut self, filter: &Filter) {
        if let Some(camera) = &filter.camera {
            self.with(" AND camera = ", Value::Text(camera.to_string()));
        }
    }

    fn class(&mut self, filter: &Filter) {
        if let Some(class) = &filter.class {
            self.with(" AND class = ", Value::Text(class.clone()));
        }
    }

    fn confidence(&mut self, filter: &Filter) {
        if let Some(confidence) = filter.min_confidence {
            self.with(" AND confidence >= ", Value::Real(confidence));
        }
    }

    /// Of detections.
    fn zone(&mut self, filter: &Filter) {
        if let Some(zone) = &filter.zone {
            self.text(" AND EXISTS (SELECT 1 FROM zones");
            self.text(" WHERE zones.frame_id = detections.frame_id");
            self.text(" AND zones.ordinal = detections.ordinal");
            self.with(" AND zone = ", Value::Text(zone.clone()));
            self.text(")");
        }
    }

    /// The detections that match, of frames older than the page before.
    fn detected(&mut self, filter: &Filter, after: Option<FrameId>) {
        self.within(filter, after);
        self.found(filter);
    }

    fn found(&mut self, filter: &Filter) {
        self.class(filter);
        self.camera(filter);
        self.confidence(filter);
        self.zone(filter);
        if let Some(destination) = filter.destination {
            self.text(" AND EXISTS (SELECT 1 FROM frames");
            self.text(" WHERE frames.frame_id = detections.frame_id");
            self.with(" AND destination = ", Value::Text(destination.to_string()));
            self.text(")");
        }
    }

    fn limit(&mut self, text: &str, limit: u32) {
        self.with(&format!("{text} LIMIT "), Value::Integer(limit.into()));
    }

    /// Id and result.
    pub(crate) fn history(parameters: Parameters, filter: &Filter, page: Page) -> Self {
        let mut ask = Self::new(parameters, "SELECT frame_id, CAST(result AS TEXT) FROM frames");
        ask.within(filter, page.after);
        ask.camera(filter);
        if let Some(destination) = filter.destination {
            ask.with(" AND destination = ", Value::Text(destination.to_string()));
        }
        if filter.class.is_some() {
            // a rare class is found by its index
            ask.text(" AND frame_id IN (SELECT frame_id FROM detections");
            ask.detected(filter, page.after);
            ask.limit(" GROUP BY frame_id ORDER BY frame_id DESC", page.limit);
            ask.text(")");
        } else if let Some(zone) = &filter.zone {
            ask.text(" AND frame_id IN (SELECT frame_id FROM zones");
            ask.within(filter, page.after);
            ask.with(" AND zone = ", Value::Text(zone.clone()));
            if filter.min_confidence.is_some() {
                ask.text(" AND EXISTS (SELECT 1 FROM detections");
                ask.text(" WHERE detections.frame_id = zones.frame_id");
                ask.text(" AND detections.ordinal = zones.ordinal");
                ask.confidence(filter);
                ask.text(")");
            }
            ask.text(")");
        } else if filter.min_confidence.is_some() {
            ask.text(" AND EXISTS (SELECT 1 FROM detections");
            ask.text(" WHERE detections.frame_id = frames.frame_id");
            ask.confidence(filter);
            ask.text(")");
        }
        ask.limit(" ORDER BY frame_id DESC", page.limit);
        ask
    }

    /// The id of the oldest frame of its time and camera.
    pub(crate) fn oldest(parameters: Parameters, filter: &Filter) -> Self {
        let mut ask = Self::new(parameters, "SELECT frame_id FROM frames");
        ask.within(filter, None);
        ask.camera(filter);
        ask.limit(" ORDER BY frame_id", 1);
        ask
    }

    /// Span, camera, class, detections, frames; in the words of PostgreSQL alone.
    pub(crate) fn counts(filter: &Filter, by: Bucket, at_most: u32) -> Self {
        let (from, to) = filter.minutes();
        let mut ask = Self::new(Parameters::Dollar, "SELECT ");
        ask.with("minute / ", Value::Integer(by.minutes()));
        // what a minute has fits: the sum of larger numbers is a numeric, and takes twice as long
        ask.text(" AS span, camera, class, sum(detections::integer), sum(frames::integer)");
        ask.text(" FROM minutes");
        ask.with(" WHERE minute >= ", Value::Integer(from));
        ask.with(" AND minute < ", Value::Integer(to));
        ask.camera(filter);
        ask.class(filter);
        ask.text(" GROUP BY span, camera, class HAVING sum(frames::integer) > 0");
        ask.limit(" ORDER BY span DESC, camera, class", at_most);
        ask
    }

    /// Minute, camera, class, detections, frames, the newest minute first; in the words of SQLite.
    pub(crate) fn minutes(filter: &Filter) -> Self {
        let (from, to) = filter.minutes();
        let mut ask = Self::new(
            Parameters::Question,
            "SELECT minute, camera, class, detections, frames FROM minutes",
        );
        ask.with(" WHERE minute >= ", Value::Integer(from));
        ask.with(" AND minute < ", Value::Integer(to));
        ask.camera(filter);
        ask.class(filter);
        ask.text(" ORDER BY minute DESC");
        ask
    }

    /// Id, camera, class, detections, the highest confidence.
    pub(crate) fn sightings(parameters: Parameters, filter: &Filter, page: Page) -> Self {
        let mut ask = Self::new(
            parameters,
            "SELECT frame_id, min(camera), class, count(*), max(confidence) FROM detections",
        );
        if filter.class.is_some() || parameters == Parameters::Dollar {
            // a class is found by its index in the order that is wanted, and PostgreSQL sorts the
            // classes of a frame at a time
            ask.detected(filter, page.after);
        } else {
            // SQLite would group and sort all of the filter's time. Each frame has one sighting at
            // least, so that so many frames fill the page; their oldest is the only lower bound,
            // since it looks up by one.
            ask.text(" WHERE frame_id >= (SELECT frame_id FROM (SELECT DISTINCT frame_id");
            ask.text(" FROM detections");
            ask.detected(filter, page.after);
            ask.limit(" ORDER BY frame_id DESC", page.limit);
            ask.text(") AS newest ORDER BY frame_id LIMIT 1)");
            ask.before(filter, page.after);
            ask.found(filter);
        }
        ask.limit(" GROUP BY frame_id, class ORDER BY frame_id DESC, class", page.limit);
        ask
    }

    /// The ids of the pictures of its time and camera.
    pub(crate) fn thumbnails(parameters: Parameters, filter: &Filter, page: Page) -> Self {
        let mut ask = Self::new(parameters, "SELECT frame_id FROM thumbnails");
        ask.within(filter, page.after);
        ask.camera(filter);
        ask.limit(" ORDER BY frame_id DESC", page.limit);
        ask
    }
}
