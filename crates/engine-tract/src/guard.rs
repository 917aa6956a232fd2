//! Panics of a library as errors.
//!
//! tract panics on some damaged files, where it indexes by what the file claims. Such a file is
//! somebody's mistake and no reason to end a process.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is about to become an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// tract has panicked, for the reason given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tract panicked: {0}")]
pub(crate) struct Panicked(String);

/// Does the work, or tells why it panicked; nothing is printed then. What the work has changed must
/// not be used afterwards.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                earlier(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    outcome.map_err(|payload| Panicked(words(&*payload).to_owned()))
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_reason() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(
            guarded(|| -> u8 { panic!("{} apples", 3) }).unwrap_err().to_string(),
            "tract panicked: 3 apples"
        );
        assert_eq!(guarded(|| -> u8 { panic!("none") }), Err(Panicked("none".into())));
        assert!(!CAUGHT.get(), "what follows is printed again");
    }
}
