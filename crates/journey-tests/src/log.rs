//! What the units in this process log, kept for the message of a test that fails.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, Once, PoisonError};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Enough for an outage of some minutes.
const KEPT: usize = 2000;
/// Without the dozens of lines of each client that finds no broker.
const DEFAULT_FILTER: &str =
    "info,frame_bus=debug,frame_bus::client::log=info,web_server::observe=warn";

static LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Begins to keep the log, unless it is kept already. `MLVI_LOG` chooses the events, as in a unit.
///
/// # Panics
/// When `MLVI_LOG` is not valid.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = std::env::var("MLVI_LOG").unwrap_or_else(|_| DEFAULT_FILTER.into());
        let filter: Targets = filter.parse().expect("MLVI_LOG is valid");
        let lines = fmt::layer().with_ansi(false).with_writer(|| Kept);
        // a unit's own process has installed its log before
        drop(registry().with(lines.with_filter(filter)).try_init());
    });
}

/// The last lines, oldest first.
pub(crate) fn last(count: usize) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
}

/// Writes one event, which the formatter hands over whole.
struct Kept;

impl io::Write for Kept {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(event).into_owned());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
