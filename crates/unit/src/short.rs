//! Log lines for people: when, how bad, what, and then the fields.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// `02:18:46Z WARN no answer reason="…"`: the time of day (UTC), without the date and the module.
pub(crate) struct Short;

impl<S, N> FormatEvent<S, N> for Short
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (dim, plain) =
            if writer.has_ansi_escapes() { ("\u{1b}[2m", "\u{1b}[0m") } else { ("", "") };
        write!(writer, "{dim}{}{plain} ", time_of_day(SystemTime::now()))?;
        let level = *event.metadata().level();
        // most lines are information: what is not stands out
        if level != Level::INFO {
            let colour = match level {
                _ if !writer.has_ansi_escapes() => "",
                Level::ERROR => "\u{1b}[31m",
                Level::WARN => "\u{1b}[33m",
                _ => dim,
            };
            write!(writer, "{colour}{level}{plain} ")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Hours, minutes and seconds in UTC.
fn time_of_day(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LogFormat;
    use crate::telemetry::tests::written;
    use std::time::Duration;

    #[test]
    fn lines_are_short() {
        let noon = UNIX_EPOCH + Duration::from_secs(86_400 * 20_000 + 43_199);
        assert_eq!(time_of_day(noon), "11:59:59Z");
        let text = written("info", LogFormat::Short, || {
            tracing::info!(frames = 3, "three came");
            tracing::warn!("it is late");
        });
        let lines: Vec<&str> = text.lines().map(|line| &line[10..]).collect();
        assert_eq!(lines, ["three came frames=3", "WARN it is late"]);
    }
}
