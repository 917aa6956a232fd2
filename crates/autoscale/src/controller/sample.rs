//! Which pods count, and as what.

use std::time::Duration;

/// For so long after its start a pod's CPU usage is read with care
/// (`--horizontal-pod-autoscaler-cpu-initialization-period`).
const CPU_INITIALISATION: Duration = Duration::from_secs(300);
/// A pod that was never ready for so long after its start is not counted
/// (`--horizontal-pod-autoscaler-initial-readiness-delay`).
const INITIAL_READINESS_DELAY: Duration = Duration::from_secs(30);

/// A pod as the controller counts it. Pods that are being deleted are left out before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PodSample {
    /// With a measurement that can be trusted.
    Measured {
        /// What it uses, in thousandths of a core.
        millicores: u64,
    },
    /// Running, but there is no measurement.
    Missing,
    /// Pending, not ready, or measured while it was not ready.
    Unready,
}

/// What is known of a pod that is not being deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PodFacts {
    /// When its containers began to run; `None` while it is pending.
    pub started: Option<Duration>,
    /// Whether it is ready.
    pub ready: bool,
    /// When it became ready or stopped being so; when it began to run if it never was.
    pub ready_changed: Duration,
    /// The latest measurement.
    pub measured: Option<Measured>,
}

/// A measurement of a pod's CPU usage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Mean use over the window, in thousandths of a core.
    pub millicores: u64,
    /// The window's end.
    pub at: Duration,
    /// The window's length.
    pub window: Duration,
}

/// How the controller counts a pod (`groupPods`).
#[must_use]
pub fn pod_sample(pod: &PodFacts, now: Duration) -> PodSample {
    let Some(started) = pod.started else { return PodSample::Unready };
    let Some(measured) = pod.measured else { return PodSample::Missing };
    let unready = if started + CPU_INITIALISATION > now {
        // its first measurements are those of a model being loaded
        !pod.ready || measured.at < pod.ready_changed + measured.window
    } else {
        !pod.ready && started + INITIAL_READINESS_DELAY > pod.ready_changed
    };
    if unready {
        PodSample::Unready
    } else {
        PodSample::Measured { millicores: measured.millicores }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pod(ready: bool, ready_changed: u64, measured_at: Option<u64>) -> PodFacts {
        let measured = measured_at.map(|at| Measured { millicores: 700, at: s(at), window: s(15) });
        PodFacts { started: Some(s(100)), ready, ready_changed: s(ready_changed), measured }
    }

    #[test]
    fn pods_are_grouped_as_the_controller_groups_them() {
        let pending = PodFacts { started: None, ..pod(false, 100, Some(100)) };
        let busy = PodSample::Measured { millicores: 700 };
        for (what, pod, now, expected) in [
            ("pending", pending, 110, PodSample::Unready),
            ("running without a measurement", pod(true, 110, None), 120, PodSample::Missing),
            ("not ready yet", pod(false, 100, Some(115)), 120, PodSample::Unready),
            (
                "measured before it had been ready for a window",
                pod(true, 110, Some(124)),
                130,
                PodSample::Unready,
            ),
            ("measured after a window", pod(true, 110, Some(125)), 130, busy),
            (
                "never ready, long after its start",
                pod(false, 100, Some(500)),
                500,
                PodSample::Unready,
            ),
            ("was ready once, long after its start", pod(false, 450, Some(500)), 500, busy),
        ] {
            assert_eq!(pod_sample(&pod, s(now)), expected, "{what}");
        }
    }
}
