//! Logs: text on a terminal, JSON elsewhere.

use crate::panics::log_panics;
use crate::short::Short;
use settings::Settings;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

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
        Self { filter, format }
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
        let lines = fmt::layer().with_writer(writer);
        let lines = match self.format {
            LogFormat::Auto if terminal => lines.with_ansi(true).boxed(),
            LogFormat::Text => lines.with_ansi(terminal).boxed(),
            LogFormat::Short => lines.with_ansi(terminal).event_format(Short).boxed(),
            LogFormat::Auto | LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        registry().with(lines.with_filter(self.filter))
    }
}
