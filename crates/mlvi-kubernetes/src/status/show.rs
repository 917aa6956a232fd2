//! The table.

use super::rows::{RegionsRow, Row, Status};
use cli::table::{Table, number};
use std::fmt::Write;

/// A row for each unit, and what the preprocessors decide below.
pub(super) fn table(status: &Status) -> String {
    let mut text = String::new();
    if let Some(namespace) = &status.namespace {
        let _ = writeln!(text, "namespace {namespace}");
    }
    let mut table = Table::new(&[
        "unit",
        "ready",
        "pods min-max",
        "wants",
        "measured/target",
        "lag",
        "frames/s",
    ]);
    status.units.iter().for_each(|row| table.row(cells(row)));
    text += &table.text();
    for row in &status.units {
        if let Some((name, reason)) =
            row.autoscaler.as_ref().and_then(|hpa| Some((&hpa.name, hpa.kept_by.as_ref()?)))
        {
            let _ = writeln!(text, "autoscaler {name}: {reason}");
        }
    }
    if let Some(decisions) = &status.decisions {
        let state = |breaker: Option<&'static str>| breaker.unwrap_or("?");
        let _ = writeln!(
            text,
            "to the edge {} %, to the cloud {} %{}; breakers: edge {}, cloud {}",
            number(100.0 - decisions.cloud_percent),
            number(decisions.cloud_percent),
            if decisions.since_start { " (since the start)" } else { "" },
            state(decisions.edge_breaker),
            state(decisions.cloud_breaker)
        );
    }
    for policy in &status.policies {
        let _ = writeln!(
            text,
            "policy {} ({}) in {} of the preprocessors",
            policy.policy, policy.source, policy.preprocessors
        );
    }
    for row in &status.contracts {
        let attained = match row.percent {
            Some([share, low, high]) => format!(
                "{} % in time ({} to {} %, of {} frames)",
                number(share),
                number(low),
                number(high),
                row.met + row.missed
            ),
            None => "no frame yet".to_owned(),
        };
        let promised = row.promised_percent.zip(row.error_budget_percent);
        let promised = promised.map_or_else(String::new, |(promised, left)| {
            format!("; promised {} %, error budget left {} %", number(promised), number(left))
        });
        let _ = writeln!(text, "contract {}: {attained}{promised}", row.contract);
    }
    if let Some(RegionsRow { masks, zones }) = status.regions
        && masks.file + masks.topic + zones.file + zones.topic > 0
    {
        let _ = writeln!(
            text,
            "masks: {} by the file, {} set; zones: {} by the file, {} set (cameras; `mlvi regions \
             list` names them)",
            masks.file, masks.topic, zones.file, zones.topic
        );
    }
    if status.without_settings_topic > 0 {
        let _ = writeln!(
            text,
            "no settings topic for {} of the preprocessors: `mlvi topics create` makes it",
            status.without_settings_topic
        );
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    let unknown = || "-".to_owned();
    let hpa = row.autoscaler.as_ref();
    let pods = match (row.ready, row.wanted) {
        (Some(ready), Some(wanted)) => format!("{ready}/{wanted}"),
        _ if row.answering > 0 => format!("{} answer", row.answering),
        _ => unknown(),
    };
    vec![
        row.unit.clone(),
        pods,
        hpa.map_or_else(unknown, |hpa| format!("{}-{}", hpa.min, hpa.max)),
        hpa.map_or_else(unknown, |hpa| {
            if hpa.current == hpa.desired {
                hpa.current.to_string()
            } else {
                format!("{} → {}", hpa.current, hpa.desired)
            }
        }),
        hpa.map_or_else(unknown, |hpa| hpa.metrics.join(", ")),
        row.lag.map_or_else(unknown, |lag| lag.to_string()),
        row.frames_per_s.map_or_else(unknown, number),
    ]
}
