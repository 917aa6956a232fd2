//! The search with a progress bar.

use super::input::Input;
use autoscale::{Goal, Recommendation, Search, recommend};
use indicatif::{ProgressBar, ProgressStyle};

/// No more pods than this are tried where nothing else bounds them.
const MAX_TRIED: u32 = 50;

/// Searches the cheapest numbers that meet the goal.
pub(super) fn search(input: &Input, goal: Goal) -> Recommendation {
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} targets and windows, {eta} left");
    let bar =
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let most = input.useful_pods().min(MAX_TRIED.max(input.scaler.spec.max));
    let search = Search { setup: &input.setup, present: &input.scaler.spec, goal, most };
    let found = recommend(search, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    found
}
