//! Log lines for collectors: one flat JSON object per event, as `docs/src/log.schema.json` says.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A text beyond this many bytes is cut: container runtimes split lines of more than 16 KiB, and
/// stores of logs refuse those that are much longer.
const LONGEST_TEXT: usize = 12 * 1024;

/// What stands in every line by itself: no field may take its place.
const OWN: [&str; 5] = ["timestamp", "level", "target", "message", "pod"];

/// Who writes the log.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The unit, or the program.
    pub(crate) unit: String,
    /// The pod, or the host.
    pub(crate) pod: Option<String>,
}

/// Writes each event as one line: what is always there, the event's own fields, and those of the
/// spans around it, the inner ones first. A name stands once: the event wins over its spans, and
/// both over the process's own `unit`.
pub(crate) struct JsonLines<W> {
    writer: W,
    origin: Origin,
}

impl<W> JsonLines<W> {
    pub(crate) const fn new(writer: W, origin: Origin) -> Self {
        Self { writer, origin }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = EventFields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<SpanFields>() {
                for (name, value) in &outer.0 {
                    fields.add(name, |line| line.push_str(value));
                }
            }
        }
        fields.add("unit", |line| text(line, &self.origin.unit));
        let line = self.line(event, &fields);
        // where nobody reads any more there is nobody to tell
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

impl<W> JsonLines<W> {
    fn line(&self, event: &Event<'_>, fields: &EventFields) -> String {
        let mut line = String::with_capacity(fields.line.len() + fields.message.len() + 160);
        line.push_str("{\"timestamp\":\"");
        // a String takes everything
        let _ = SystemTime.format_time(&mut Writer::new(&mut line));
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push_str("\",\"message\":");
        line.push_str(if fields.message.is_empty() { "\"\"" } else { &fields.message });
        line.push_str(&fields.line);
        line.push_str(",\"target\":");
        text(&mut line, event.metadata().target());
        if let Some(pod) = &self.origin.pod {
            line.push_str(",\"pod\":");
            text(&mut line, pod);
        }
        line.push_str("}\n");
        line
    }
}

/// The fields of a span, their values as JSON.
#[derive(Default)]
struct SpanFields(Vec<(&'static str, String)>);

impl Values for SpanFields {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        let mut value = String::new();
        write(&mut value);
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, before)) => *before = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

/// The fields of an event, as they stand in its line.
#[derive(Default)]
struct EventFields {
    names: Vec<&'static str>,
    line: String,
    /// As JSON.
    message: String,
}

impl EventFields {
    /// Adds one, unless one is there that is written by this name.
    fn add(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        if self.names.iter().any(|before| written(before).eq(written(name))) {
            return;
        }
        self.names.push(name);
        self.line.push_str(",\"");
        self.line.extend(written(name));
        self.line.push_str("\":");
        write(&mut self.line);
    }
}

/// A field's name as it stands in a line: of letters, digits and `_`, and none of `OWN`.
fn written(name: &'static str) -> impl Iterator<Item = char> {
    let name = name.trim_start_matches("r#");
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let characters =
        name.chars().map(move |character| if fits(character) { character } else { '_' });
    characters.chain(OWN.contains(&name).then_some('_'))
}

impl Values for EventFields {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        if field.name() == "message" && self.message.is_empty() {
            write(&mut self.message);
        } else {
            self.add(field.name(), write);
        }
    }
}

/// Takes fields, whose values write themselves as JSON.
trait Values {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String));
}

macro_rules! visit {
    ($fields:ty) => {
        impl Visit for $fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.put(field, |line| shown(line, format_args!("{value:?}")));
            }

            fn record_str(&mut self, field: &Field, value: &str) {
                self.put(field, |line| text(line, value));
            }

            fn record_bool(&mut self, field: &Field, value: bool) {
                self.put(field, |line| line.push_str(if value { "true" } else { "false" }));
            }

            fn record_i64(&mut self, field: &Field, value: i64) {
                self.put(field, |line| number(line, value));
            }

            fn record_u64(&mut self, field: &Field, value: u64) {
                self.put(field, |line| number(line, value));
            }

            fn record_i128(&mut self, field: &Field, value: i128) {
                self.put(field, |line| number(line, value));
            }

            fn record_u128(&mut self, field: &Field, value: u128) {
                self.put(field, |line| number(line, value));
            }

            fn record_f64(&mut self, field: &Field, value: f64) {
                self.put(field, |line| match value.is_finite() {
                    true => number(line, value),
                    // JSON has no such numbers
                    false => shown(line, format_args!("{value}")),
                });
            }
        }
    };
}

visit!(SpanFields);
visit!(EventFields);

fn number(line: &mut String, value: impl fmt::Display) {
    // a String takes everything
    let _ = write!(line, "{value}");
}

fn text(line: &mut String, value: &str) {
    shown(line, format_args!("{value}"));
}

/// A JSON string, cut if it is too long.
fn shown(line: &mut String, value: fmt::Arguments<'_>) {
    line.push('"');
    let mut escaped = Escaped { line, room: LONGEST_TEXT };
    // it fails where the text was cut
    if escaped.write_fmt(value).is_err() {
        line.push('…');
    }
    line.push('"');
}

struct Escaped<'a> {
    line: &'a mut String,
    room: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            self.room = self.room.checked_sub(character.len_utf8()).ok_or(fmt::Error)?;
            match character {
                '"' => self.line.push_str("\\\""),
                '\\' => self.line.push_str("\\\\"),
                '\n' => self.line.push_str("\\n"),
                '\r' => self.line.push_str("\\r"),
                '\t' => self.line.push_str("\\t"),
                other if other.is_control() => write!(self.line, "\\u{:04x}", other as u32)?,
                other => self.line.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::tests::logged;
    use tracing::{debug_span, error, info, info_span, warn};

    #[test]
    fn a_line_is_flat_and_each_name_stands_once() {
        let lines = logged("info", || {
            let outer =
                info_span!("frame", frame_id = "f1", camera = "gate", late = tracing::field::Empty);
            let _outer = outer.enter();
            outer.record("late", true);
            let _inner = info_span!("send", camera = "yard", attempt = 2).entered();
            let _hidden = debug_span!("hidden", secret = 1).entered();
            warn!(
                attempt = 3,
                ms = 7_u128,
                share = 0.5,
                wrong = f64::NAN,
                "no \"answer\"\n\u{1b}[31m"
            );
        });
        let line = &lines[0];
        assert_eq!(line["message"], "no \"answer\"\n\u{1b}[31m");
        assert_eq!(
            (&line["level"], &line["unit"], &line["pod"]),
            (&"WARN".into(), &"tested".into(), &"pod-1".into())
        );
        assert_eq!(
            (&line["frame_id"], &line["camera"], &line["late"]),
            (&"f1".into(), &"yard".into(), &true.into())
        );
        assert_eq!(
            (&line["attempt"], &line["share"], &line["wrong"]),
            (&3.into(), &0.5.into(), &"NaN".into())
        );
        assert_eq!(line["ms"], 7);
        assert_eq!(line["target"], "unit::json::tests");
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == 27 && timestamp.ends_with('Z'), "{timestamp}");
        let object = line.as_object().unwrap();
        assert!(object.values().all(|value| !value.is_object() && !value.is_array()), "{line}");
        assert!(!object.contains_key("secret"), "{line}");
    }

    #[test]
    fn what_stands_in_every_line_keeps_its_place() {
        let lines = logged("info", || {
            info!(unit = "edge-inference", level = "high", pod = "other", log.line = 7, "here");
            info!(nothing = tracing::field::Empty, text = "é".repeat(10_000));
        });
        assert_eq!(lines[0]["unit"], "edge-inference", "an event knows better of which unit it is");
        assert_eq!((&lines[0]["level"], &lines[0]["level_"]), (&"INFO".into(), &"high".into()));
        assert_eq!((&lines[0]["pod"], &lines[0]["pod_"]), (&"pod-1".into(), &"other".into()));
        assert_eq!((&lines[0]["log_line"], &lines[1]["message"]), (&7.into(), &"".into()));
        let text = lines[1]["text"].as_str().unwrap();
        assert!(text.len() < 12_400 && text.ends_with('…'), "{} bytes", text.len());
    }

    #[test]
    fn names_that_are_written_alike_are_one() {
        let lines = logged("info", || {
            let _span = info_span!("read", log_line = 3, level_ = "around").entered();
            info!(log.line = 1, log_line = 2, level = "high", r#pod = "raw", pod = "plain", "here");
        });
        // of two in one object a reader takes the last
        assert_eq!((&lines[0]["log_line"], &lines[0]["level_"]), (&1.into(), &"high".into()));
        assert_eq!((&lines[0]["pod"], &lines[0]["pod_"]), (&"pod-1".into(), &"raw".into()));
    }

    #[test]
    fn what_is_not_asked_for_is_not_written() {
        let lines = logged("error", || {
            info!("no");
            error!("yes");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["message"], "yes");
    }
}
