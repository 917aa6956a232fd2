//! What a panic said.

use std::any::Any;

/// The message of a caught panic, as [`std::panic::catch_unwind`] gives it.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
