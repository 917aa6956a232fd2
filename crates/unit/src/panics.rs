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
        panic = panic.payload_as_str().unwrap_or("without a message"),
        backtrace = (backtrace.status() == BacktraceStatus::Captured)
            .then(|| tracing::field::display(&backtrace)),
        "panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::logged;

    #[test]
    fn a_panic_keeps_json_logs_json() {
        log_panics();
        let mut caught = Ok(());
        let events = logged("info", || {
            tracing::info!("before");
            caught = std::panic::catch_unwind(|| panic!("line one\nline \"{}\"", 2));
            tracing::info!("after");
        });
        // the other tests of this process shall fail in plain text
        drop(std::panic::take_hook());
        assert_eq!(panic_text(caught.unwrap_err().as_ref()), "line one\nline \"2\"");
        assert_eq!(events.len(), 3, "{events:?}");
        let panic = &events[1];
        assert_eq!(
            (panic["level"].as_str(), panic["message"].as_str()),
            (Some("ERROR"), Some("panicked"))
        );
        assert_eq!(panic["panic"], "line one\nline \"2\"");
        assert!(panic["location"].as_str().unwrap().contains("panics.rs"), "{panic}");
    }
}
