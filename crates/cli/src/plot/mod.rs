//! Draws charts as PNG and SVG.

mod canvas;
mod chart;

pub use chart::{Axis, Chart, Kind, Mark, Series, colour};

use std::path::Path;

/// Writes the chart into `dir` as `{name}.png` and `{name}.svg`.
///
/// # Errors
/// When one cannot be written.
pub fn write(chart: &Chart, dir: &Path, name: &str) -> anyhow::Result<()> {
    canvas::png(chart, &dir.join(format!("{name}.png")))?;
    canvas::svg(chart, &dir.join(format!("{name}.svg")))
}

/// Writes the chart into `dir` as `{name}.svg` alone.
///
/// # Errors
/// When it cannot be written.
pub fn write_svg(chart: &Chart, dir: &Path, name: &str) -> anyhow::Result<()> {
    canvas::svg(chart, &dir.join(format!("{name}.svg")))
}
