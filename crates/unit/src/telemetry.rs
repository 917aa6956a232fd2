//! Logs: text on a terminal, JSON elsewhere.

use crate::json::{JsonLines, Origin};
use crate::panics::log_panics;
use crate::short::Short;
use settings::Settings;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text when standard error is a terminal, JSON otherwise.
    Auto,
    /// One line of text per event.
    Text,
    /// One line of text per event, with the time of day, without where it is from.
    Short,
    /// One JSON object per event.
    Json,
}

/// What is logged, and how.
#[derive(Debug)]
pub struct Telemetry {
    /// Which events, e.g. `info,frame_bus=debug`.
    pub filter: Targets,
    /// In which form.
    pub format: LogFormat,
    origin: Origin,
}

impl Telemetry {
    /// Reads `MLVI_LOG` and `MLVI_LOG_FORMAT`.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let filter = settings.parsed(
            "MLVI_LOG",
            "info",
            "a level (error, warn, info, debug, trace) or a list such as info,frame_bus=debug",
            "which events are logged",
        );
        let formats = [
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("short", LogFormat::Short),
            ("json", LogFormat::Json),
        ];
        let format = settings.choice(
            "MLVI_LOG_FORMAT",
            "auto",
            &formats,
            "how log lines look; auto is text on a terminal, else JSON",
        );
        Self { filter, format, origin: Origin { unit: "mlvi".to_owned(), pod: None } }
    }

    /// The log of this unit, in this pod or on this host: JSON lines say so.
    #[must_use]
    pub fn of(mut self, unit: &str, pod: Option<String>) -> Self {
        self.origin = Origin { unit: unit.to_owned(), pod };
        self
    }

    /// Whether lines are JSON, as far as standard error is what they go to.
    pub(crate) fn is_json(&self) -> bool {
        match self.format {
            LogFormat::Json => true,
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Text | LogFormat::Short => false,
        }
    }

    /// Sends this process's events, panics among them, to standard error. A second call in the
    /// same process changes nothing.
    pub fn install(self) {
        self.install_on(std::io::stderr);
    }

    /// As [`Telemetry::install`], by a writer that stands before standard error.
    pub fn install_on<W>(self, writer: W)
    where
        W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
    {
        // a test may have installed one already: the first one stays
        if self.subscriber(writer).try_init().is_ok() {
            log_panics();
        }
    }

    pub(crate) fn subscriber<W>(self, writer: W) -> impl Subscriber + Send + Sync + use<W>
    where
        W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
    {
        let terminal = std::io::stderr().is_terminal();
        let text = fmt::layer::<Registry>();
        let lines = match self.format {
            LogFormat::Auto if terminal => text.with_writer(writer).with_ansi(true).boxed(),
            LogFormat::Text => text.with_writer(writer).with_ansi(terminal).boxed(),
            LogFormat::Short => {
                text.with_writer(writer).with_ansi(terminal).event_format(Short).boxed()
            }
            LogFormat::Auto | LogFormat::Json => JsonLines::new(writer, self.origin).boxed(),
        };
        registry().with(lines.with_filter(self.filter))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What is logged meanwhile in this form, by a unit in a pod.
    pub(crate) fn written(filter: &str, format: LogFormat, work: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let origin = Origin { unit: "tested".into(), pod: Some("pod-1".into()) };
        let telemetry = Telemetry { filter: filter.parse().unwrap(), format, origin };
        let subscriber = telemetry.subscriber(move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        buffer.text()
    }

    /// The same as JSON, a value for each line.
    pub(crate) fn logged(filter: &str, work: impl FnOnce()) -> Vec<serde_json::Value> {
        let text = written(filter, LogFormat::Json, work);
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}
