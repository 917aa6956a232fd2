//! How far it is.

use frame::FrameResult;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar on standard error, from the newest frame's time back to the oldest's where that is known;
/// nothing where that is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    oldest_ms: Option<u64>,
    newest_ms: Option<u64>,
    pub(crate) frames: u64,
    pub(crate) rows: u64,
}

impl Progress {
    pub(crate) fn new(oldest_ms: Option<u64>) -> Self {
        let bar = if oldest_ms.is_some() {
            ProgressBar::new(0).with_style(style("{bar:30} {percent} %, {eta} left: {msg}"))
        } else {
            ProgressBar::no_length().with_style(style("{spinner} {elapsed}: {msg}"))
        };
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, oldest_ms, newest_ms: None, frames: 0, rows: 0 }
    }

    /// A page is done.
    pub(crate) fn page(&mut self, page: &[FrameResult]) {
        let ms = |result: Option<&FrameResult>| result.and_then(|of| of.frame_id.made_at_ms());
        self.newest_ms = self.newest_ms.or(ms(page.first()));
        if let (Some(oldest), Some(newest), Some(here)) =
            (self.oldest_ms, self.newest_ms, ms(page.last()))
        {
            self.bar.set_length(newest.saturating_sub(oldest).max(1));
            self.bar.set_position(newest.saturating_sub(here));
        }
        self.bar.set_message(format!("{} frames, {} rows", self.frames, self.rows));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
