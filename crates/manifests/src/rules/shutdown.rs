//! The time that a pod has to stop.

use crate::finding::Finding;
use crate::world::{Container, World};

pub(super) const ID: &str = "grace-period";

/// What Kubernetes gives a pod that does not say.
const DEFAULT_GRACE_S: i64 = 30;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (workload, container, _) in world.units() {
        let field = workload.pod.get("terminationGracePeriodSeconds");
        let grace_s = field.integer().unwrap_or(DEFAULT_GRACE_S);
        let Some(drain_s) = container.setting("MLVI_DRAIN").and_then(|drain| seconds(&drain.value))
        else {
            continue;
        };
        let sleep = container.field.at("lifecycle.preStop.sleep.seconds").integer();
        let sleep_s = sleep.or_else(|| slept(container)).unwrap_or(0);
        let needed_s = sleep_s as f64 + drain_s;
        if grace_s as f64 <= needed_s {
            let message = format!(
                "the pod is killed after {grace_s} s, and needs {sleep_s} s (preStop) + {drain_s} \
                 s (MLVI_DRAIN)"
            );
            findings.push(
                field
                    .error(ID, message)
                    .help(format!("set it to {} or more", needed_s.ceil() as i64 + 2)),
            );
        }
        let session = container
            .setting("MLVI_KAFKA_SESSION_TIMEOUT")
            .and_then(|session| Some((seconds(&session.value)?, session)));
        if let Some((session_s, session)) = session.filter(|(session_s, _)| drain_s >= *session_s) {
            let message = format!(
                "a unit may drain for {drain_s} s, and its partitions go to others after \
                 {session_s} s without a heartbeat"
            );
            findings.push(
                session
                    .field
                    .warning(ID, message)
                    .help("MLVI_DRAIN must be below MLVI_KAFKA_SESSION_TIMEOUT"),
            );
        }
    }
    findings
}

/// `sleep 5` as a command, where `preStop.sleep` is not used.
fn slept(container: &Container<'_>) -> Option<i64> {
    let words = container.field.at("lifecycle.preStop.exec.command").items();
    let line = words.iter().filter_map(|word| word.text()).collect::<Vec<_>>().join(" ");
    let (_, rest) = line.split_once("sleep ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A span such as `1m30s`, `8s` or `250ms`, in seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..]
            .find(|c: char| c.is_ascii_digit() || c == ' ')
            .map_or(rest.len(), |place| end + place);
        total += number
            * match &rest[end..unit_end] {
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" | "hr" => 3600.0,
                _ => return None,
            };
        rest = rest[unit_end..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{deployment, found};

    #[test]
    fn spans_are_read() {
        for (text, expected) in [
            ("8s", Some(8.0)),
            ("1m30s", Some(90.0)),
            ("250ms", Some(0.25)),
            ("soon", None),
            ("8", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pod_has_time_to_drain() {
        let set = |grace_s: u32| {
            let container = "env: [{name: MLVI_DRAIN, value: 20s}], lifecycle: {preStop: {sleep: \
                {seconds: 5}}}";
            deployment("worker", container, &format!("terminationGracePeriodSeconds: {grace_s}"))
        };
        assert!(found(&set(30), "grace-period").is_empty());
        let found = found(&set(25), "grace-period");
        assert!(found[0].contains("5 s (preStop) + 20 s"), "{found:?}");
    }
}
