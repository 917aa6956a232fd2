//! Panics: what one said, and a hook that logs each of them as an event.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// The message of a caught panic, as [`std::panic::catch_unwind`] gives it.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// From now on every panic of this process is an event of level ERROR instead of lines of plain
/// text on standard error, which whoever reads JSON logs could not parse.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

/// The hook. A backtrace is part of the event when `RUST_BACKTRACE` asks for one.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        location = panic.location().map(tracing::field::display),
        message_of_panic = panic.payload_as_str().unwrap_or("without a message"),
        backtrace = (backtrace.status() == BacktraceStatus::Captured)
            .then(|| tracing::field::display(&backtrace)),
        "panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{LogFormat, Telemetry};
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::filter::Targets;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_keeps_json_logs_json() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let telemetry = Telemetry {
            filter: Targets::new().with_default(tracing::Level::INFO),
            format: LogFormat::Json,
        };
        let subscriber = telemetry.subscriber(move || writer.clone());
        log_panics();
        let caught = tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            let caught = std::panic::catch_unwind(|| panic!("line one\nline \"{}\"", 2));
            tracing::info!("after");
            caught
        });
        // the other tests of this process shall fail in plain text
        drop(std::panic::take_hook());
        assert_eq!(panic_text(caught.unwrap_err().as_ref()), "line one\nline \"2\"");
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(events.len(), 3, "{text}");
        let panic = &events[1];
        assert_eq!(
            (panic["level"].as_str(), panic["message"].as_str()),
            (Some("ERROR"), Some("panicked"))
        );
        assert_eq!(panic["message_of_panic"], "line one\nline \"2\"");
        assert!(panic["location"].as_str().unwrap().contains("panics.rs"), "{panic}");
    }
}
