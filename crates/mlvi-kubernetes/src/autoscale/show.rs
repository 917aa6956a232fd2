//! Tables and sentences.

use super::input::Input;
use autoscale::{FleetRow, FleetRun, Goal, Metric, Recommendation, Spec, Trial};
use cli::table::{Table, number};
use manifests::AutoscalerKind;
use std::fmt::Write;

/// Rows that fit a screen.
const ROWS: f64 = 40.0;

/// What is simulated, and where its numbers are from.
pub(super) fn head(input: &Input) -> String {
    let kind = match input.scaler.kind {
        AutoscalerKind::Hpa => "HorizontalPodAutoscaler",
        AutoscalerKind::ScaledObject => "ScaledObject",
    };
    let spec = &input.scaler.spec;
    let mut text = format!(
        "{} under {kind} {}: {} to {} pods, {}\n",
        input.unit,
        input.scaler.name,
        spec.min,
        spec.max,
        metrics(spec)
    );
    let peak = input.setup.load.peak_fps(input.setup.minutes);
    let _ = writeln!(
        text,
        "{} minutes of load {}, at most {} frames/s, seed {}",
        number(input.setup.minutes),
        input.load_text,
        number(peak),
        input.setup.seed
    );
    for known in &input.known {
        let _ = writeln!(text, "  {:<18}{}  ({})", known.what, known.value, known.from);
    }
    text
}

fn metrics(spec: &Spec) -> String {
    let each = spec.metrics.iter().filter_map(|metric| match metric {
        Metric::CpuUtilisation { percent, .. } => {
            Some(format!("CPU at {percent} % of the requests"))
        }
        Metric::CpuUsage { millicores, .. } => {
            Some(format!("{millicores} thousandths of a core a pod"))
        }
        Metric::Lag { per_replica } => Some(format!("{per_replica} waiting messages a pod")),
        Metric::Other { .. } => None,
    });
    let down = spec
        .behavior
        .as_ref()
        .map_or(autoscale::DOWN_STABILISATION, |behavior| behavior.down.stabilisation);
    format!("{}; down after {} s", each.collect::<Vec<_>>().join(" and "), down.as_secs())
}

/// A row for each step of time: the worst of its evaluations.
pub(super) fn over_time(input: &Input, run: &FleetRun, every_s: Option<f64>) -> String {
    let period_s = autoscale::SYNC_PERIOD.as_secs_f64();
    let every_s = every_s.unwrap_or(input.setup.minutes * 60.0 / ROWS);
    let evaluations = (every_s / period_s).ceil().max(1.0) as usize;
    let measured = match input.scaler.spec.metrics.first() {
        Some(Metric::CpuUtilisation { .. }) => "CPU %",
        Some(Metric::CpuUsage { .. }) => "CPU m",
        _ => "measured",
    };
    let mut table = Table::new(&[
        "time s", "frames/s", "wanted", "ready", "working", "lag", "p50 ms", "p99 ms", measured,
        "kept by",
    ]);
    for rows in run.rows.chunks(evaluations) {
        let Some(last) = rows.last() else { continue };
        let most = |value: fn(&FleetRow) -> Option<f64>| {
            // a frame that never came to an end, or none at all
            let values: Vec<f64> = rows.iter().filter_map(value).collect();
            values.iter().copied().reduce(f64::max).map_or_else(|| "-".to_owned(), number)
        };
        let mean_load = rows.iter().map(|row| row.load_fps).sum::<f64>() / rows.len() as f64;
        let mut cells = vec![
            format!("{:.0}", last.at_s),
            number(mean_load),
            last.wanted.to_string(),
            last.ready.to_string(),
        ];
        cells.push(last.consuming.to_string());
        cells.push(rows.iter().map(|row| row.lag).max().unwrap_or(0).to_string());
        cells.extend([most(|row| row.p50_ms), most(|row| row.p99_ms)]);
        let measured = rows.iter().filter_map(|row| row.measured).max();
        cells.push(measured.map_or_else(|| "-".into(), |value| value.to_string()));
        cells.push(last.limit.unwrap_or("").to_owned());
        table.row(cells);
    }
    format!("\n{}", table.text())
}

/// The whole run in numbers.
pub(super) fn summary(run: &FleetRun, goal: Option<Goal>) -> String {
    let report = &run.report;
    let latency = report.latency_ms;
    let mut text = format!(
        "\n{} frames: p50 {} ms, p95 {} ms, p99 {} ms, longest {} ms; most waiting {}\n",
        report.frames,
        number(latency.p50),
        number(latency.p95),
        number(latency.p99),
        number(latency.max),
        report.max_lag
    );
    if let Some(goal) = goal {
        let share = 100.0 * run.share_within(goal.ms);
        let _ = writeln!(
            text,
            "{share:.2} % within {} ms, the goal is {} %",
            number(goal.ms),
            number(100.0 * goal.share)
        );
    }
    let _ = writeln!(
        text,
        "{} pod-hours, at most {} pods; {} times more pods, {} times fewer, {} of these undid the \
         one before within 300 s",
        number(report.pod_hours),
        report.peak_pods,
        report.ups,
        report.downs,
        report.thrash
    );
    text
}

/// The present numbers against the recommended ones.
pub(super) fn recommendation(input: &Input, goal: Goal, found: &Recommendation) -> String {
    let share = format!("% within {} ms", number(goal.ms));
    let mut table = Table::new(&[
        "",
        "min",
        "max",
        "target",
        "down s",
        &share,
        "p99 ms",
        "pod-hours",
        "changes",
        "undone",
    ]);
    let mut row = |name: &str, outcome: &Trial, fixed: bool| {
        let candidate = outcome.candidate;
        let tuned = |text: String| if fixed { "-".to_owned() } else { text };
        table.row(vec![
            name.to_owned(),
            candidate.min.to_string(),
            candidate.max.to_string(),
            tuned(candidate.target.to_string()),
            tuned(candidate.down_s.to_string()),
            format!("{:.2}{}", 100.0 * outcome.share, if outcome.meets { "" } else { " !" }),
            number(outcome.p99_ms),
            number(outcome.pod_hours),
            number(outcome.changes),
            number(outcome.thrash),
        ]);
    };
    row("now", &found.present, false);
    if let Some(best) = &found.best {
        row("recommended", best, false);
    }
    row("always there", &found.fixed, true);
    format!(
        "\ngoal {} % within {} ms, the worst of three seeds ({} candidates tried, at most {} pods; \
         !: missed):\n\n{}",
        number(100.0 * goal.share),
        number(goal.ms),
        found.tried,
        input.useful_pods().min(found.present.candidate.max.max(50)),
        table.text()
    )
}
