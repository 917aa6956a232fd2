//! Plots of a simulation.

mod cost;
mod distribution;
mod latency;

use super::entries::Standing;
use cli::plot::{self, Chart};
use simulator::{Scenario, Trace};
use std::path::Path;

/// Writes every plot as PNG and SVG into a folder, which is made if need be; gives how many files
/// were written.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(
    dir: &Path,
    scenario: &Scenario,
    trace: &Trace,
    standings: &[&Standing],
) -> anyhow::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let mut charts: Vec<(&str, Chart)> = vec![
        ("latency", latency::chart(scenario, trace, standings)),
        ("distribution", distribution::chart(scenario, trace, standings)),
        ("cost-misses", cost::against_misses(trace, standings)),
    ];
    charts.extend(cost::against_accuracy(trace, standings).map(|chart| ("cost-accuracy", chart)));
    for (name, chart) in &charts {
        plot::write(chart, dir, &format!("{}-{name}", file_name(trace.name())))?;
    }
    Ok(charts.len() * 2)
}

fn file_name(trace: &str) -> String {
    trace
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect()
}
