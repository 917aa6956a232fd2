//! The recommended numbers as YAML.

use autoscale::{Metric, Trial};
use manifests::{Autoscaler, AutoscalerKind};

/// What to paste over the autoscaler's own fields.
pub(super) fn of(scaler: &Autoscaler, best: &Trial) -> String {
    let candidate = best.candidate;
    let metric = scaler.spec.metrics.iter().find(|metric| !matches!(metric, Metric::Other { .. }));
    let (min, max, target, down_s) =
        (candidate.min, candidate.max, candidate.target, candidate.down_s);
    let window = format!("scaleDown:\n{{}}  stabilizationWindowSeconds: {down_s}\n");
    match scaler.kind {
        AutoscalerKind::Hpa => {
            let (source, container) = match metric {
                Some(
                    Metric::CpuUtilisation { container, .. } | Metric::CpuUsage { container, .. },
                ) => match container {
                    Some(name) => (
                        "ContainerResource\n      containerResource:",
                        format!("        container: {name}\n"),
                    ),
                    None => ("Resource\n      resource:", String::new()),
                },
                _ => ("Resource\n      resource:", String::new()),
            };
            let target = match metric {
                Some(Metric::CpuUsage { .. }) => {
                    format!("type: AverageValue\n          averageValue: {target}m")
                }
                _ => format!("type: Utilization\n          averageUtilization: {target}"),
            };
            format!(
                "spec:\n  minReplicas: {min}\n  maxReplicas: {max}\n  metrics:\n    - type: \
                 {source}\n        name: cpu\n{container}        \
                 target:\n          {target}\n  behavior:\n    {}",
                window.replace("{}", "    ")
            )
        }
        AutoscalerKind::ScaledObject => {
            let trigger = match metric {
                Some(Metric::Lag { .. }) => {
                    format!("    - metadata:\n        lagThreshold: \"{target}\"\n")
                }
                _ => format!("    - metadata:\n        value: \"{target}\"\n"),
            };
            format!(
                "spec:\n  minReplicaCount: {min}\n  maxReplicaCount: {max}\n  advanced:\n    \
                 horizontalPodAutoscalerConfig:\n      behavior:\n        {}  \
                 triggers:\n{trigger}",
                window.replace("{}", "        ")
            )
        }
    }
}
