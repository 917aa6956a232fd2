//! HorizontalPodAutoscalers, and what keeps them from scaling.

use crate::kinds::{count, text};
use serde::Serialize;
use serde_json::Value;

/// An autoscaler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoscalerStatus {
    /// Its name.
    pub name: String,
    /// The name of the Deployment that it scales.
    pub deployment: String,
    /// `minReplicas`.
    pub min: u32,
    /// `maxReplicas`.
    pub max: u32,
    /// How many pods there were when it last evaluated its metrics.
    pub current: u32,
    /// How many it wanted then.
    pub desired: u32,
    /// Each metric as `cpu 45/60 %`; `?` is what has not been measured.
    pub metrics: Vec<String>,
    /// What keeps it from scaling as its metrics say, in the controller's words; `None`: nothing.
    pub kept_by: Option<String>,
}

/// The sources of metrics that are shown: the field, and where in it the name stands.
const SOURCES: [(&str, &str); 3] =
    [("containerResource", "/name"), ("resource", "/name"), ("external", "/metric/name")];

impl AutoscalerStatus {
    /// `None` when it scales something else than a Deployment.
    pub(crate) fn of(hpa: &Value) -> Option<Self> {
        if text(hpa, "/spec/scaleTargetRef/kind") != Some("Deployment") {
            return None;
        }
        let list = |pointer| hpa.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        let measured: Vec<&Value> = list("/status/currentMetrics").collect();
        Some(Self {
            name: text(hpa, "/metadata/name")?.to_owned(),
            deployment: text(hpa, "/spec/scaleTargetRef/name")?.to_owned(),
            // the API server fills in 1 where a manifest says nothing
            min: count(hpa, "/spec/minReplicas").unwrap_or(1),
            max: count(hpa, "/spec/maxReplicas").unwrap_or(0),
            current: count(hpa, "/status/currentReplicas").unwrap_or(0),
            desired: count(hpa, "/status/desiredReplicas").unwrap_or(0),
            metrics: list("/spec/metrics").map(|metric| metric_text(metric, &measured)).collect(),
            kept_by: kept_by(list("/status/conditions")),
        })
    }
}

/// The first condition that says that it cannot, or may not, do what its metrics ask for.
fn kept_by<'a>(conditions: impl Iterator<Item = &'a Value>) -> Option<String> {
    let conditions: Vec<&Value> = conditions.collect();
    let bad = [("ScalingActive", "False"), ("AbleToScale", "False"), ("ScalingLimited", "True")];
    let found = bad.iter().find_map(|(kind, status)| {
        conditions.iter().find(|condition| {
            text(condition, "/type") == Some(kind) && text(condition, "/status") == Some(status)
        })
    });
    // the window of the way down is told as being able to scale
    let stabilised = || {
        conditions.iter().find(|condition| {
            matches!(
                text(condition, "/reason"),
                Some("ScaleDownStabilized" | "ScaleUpStabilized" | "BackoffDownscale")
            )
        })
    };
    let condition = found.or_else(stabilised)?;
    let reason = text(condition, "/reason").unwrap_or_default();
    Some(match text(condition, "/message") {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    })
}

fn metric_text(metric: &Value, measured: &[&Value]) -> String {
    let source = SOURCES.iter().find_map(|(field, name)| {
        let source = metric.get(*field)?;
        Some((*field, *name, text(source, name)?, source))
    });
    let Some((field, at, name, source)) = source else {
        return text(metric, "/type").unwrap_or_default().to_owned();
    };
    let current = measured.iter().find_map(|status| {
        let status = status.get(field).filter(|status| text(status, at) == Some(name))?;
        status.get("current")
    });
    format!("{name} {}", of_target(source.get("target"), current))
}

fn of_target(target: Option<&Value>, current: Option<&Value>) -> String {
    let shown = |of: Option<&Value>, key: &str| match of?.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let unknown = || "?".to_owned();
    if let Some(percent) = shown(target, "averageUtilization") {
        let measured = shown(current, "averageUtilization").unwrap_or_else(unknown);
        return format!("{measured}/{percent} %");
    }
    let either = |of| shown(of, "averageValue").or_else(|| shown(of, "value"));
    let (measured, quantity) = (either(current), either(target));
    format!("{}/{}", measured.unwrap_or_else(unknown), quantity.unwrap_or_else(unknown))
}
