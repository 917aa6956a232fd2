//! Logs: text on a terminal, JSON elsewhere.

use crate::panics::log_panics;
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
        let formats =
            [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
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
        // a test may have installed one already: the first one stays
        if self.subscriber(std::io::stderr).try_init().is_ok() {
            log_panics();
        }
    }

    pub(crate) fn subscriber<W>(self, writer: W) -> impl Subscriber + Send + Sync + use<W>
    where
        W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
    {
        let json = match self.format {
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        };
        let lines = fmt::layer().with_writer(writer);
        let lines = if json {
            lines.json().flatten_event(true).boxed()
        } else {
            lines.with_ansi(std::io::stderr().is_terminal()).boxed()
        };
        registry().with(lines.with_filter(self.filter))
    }
}
