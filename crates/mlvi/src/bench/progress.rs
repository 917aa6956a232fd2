//! How far a long benchmark is.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; nothing where that is no terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len}, {eta} left: {msg}");
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// For tests.
    #[cfg(test)]
    pub(super) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Something that takes this many steps.
    pub(super) fn begin(&self, what: &str, steps: u64) {
        self.0.reset();
        self.0.set_length(steps);
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    /// Something without known steps.
    pub(super) fn tell(&self, what: &str) {
        self.begin(what, 1);
    }

    pub(super) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
