//! How many replicas a metric asks for.

use crate::{Metric, Observed, PodSample};

/// What a metric asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Proposal {
    /// So many replicas.
    pub replicas: u32,
    /// What it measures now: per cent of the requests, thousandths of a core a pod, or messages.
    pub measured: u64,
}

/// How many replicas `metric` asks for, or `None` when nothing can be said. `tolerances` are those
/// downwards and upwards.
#[must_use]
pub fn propose(
    metric: &Metric,
    observed: &Observed<'_>,
    tolerances: (f64, f64),
) -> Option<Proposal> {
    match metric {
        Metric::CpuUtilisation { percent, .. } => {
            let (percent, request) = (u64::from(*percent), observed.request_millicores);
            let fallback = request * percent.max(100) / 100;
            // whole per cents, as the controller calculates with
            let measure =
                |usage: &[u64]| 100 * usage.iter().sum::<u64>() / (request * usage.len() as u64);
            if request == 0 {
                None
            } else {
                by_pods(observed, percent, fallback, tolerances, measure)
            }
        }
        Metric::CpuUsage { millicores, .. } => {
            let measure = |usage: &[u64]| usage.iter().sum::<u64>() / usage.len() as u64;
            by_pods(observed, *millicores, *millicores, tolerances, measure)
        }
        Metric::Lag { per_replica } => {
            let lag = observed.lag?;
            let ratio = lag as f64 / (*per_replica as f64 * f64::from(observed.current));
            let replicas = if within(ratio, tolerances) {
                observed.current
            } else {
                ceil(lag as f64 / *per_replica as f64)
            };
            Some(Proposal { replicas, measured: lag })
        }
        Metric::Other { .. } => None,
    }
}

/// `GetResourceReplicas` and `calcPlainMetricReplicas`, which differ in what they compare and in
/// what a pod without measurements counts on the way down (`fallback`).
fn by_pods(
    observed: &Observed<'_>,
    target: u64,
    fallback: u64,
    tolerances: (f64, f64),
    measure: impl Fn(&[u64]) -> u64,
) -> Option<Proposal> {
    let current = observed.current;
    let count = |which: PodSample| observed.pods.iter().filter(|pod| **pod == which).count();
    let (missing, unready) = (count(PodSample::Missing), count(PodSample::Unready));
    let usage = |pod: &PodSample| {
        if let PodSample::Measured { millicores } = pod { Some(*millicores) } else { None }
    };
    let mut usage: Vec<u64> = observed.pods.iter().filter_map(usage).collect();
    if usage.is_empty() || target == 0 {
        return None;
    }
    let measured = measure(&usage);
    let ratio = measured as f64 / target as f64;
    let stay = Some(Proposal { replicas: current, measured });
    let up_with_unready = unready > 0 && ratio > 1.0;
    if !up_with_unready && missing == 0 {
        let replicas =
            if within(ratio, tolerances) { current } else { ceil(ratio * usage.len() as f64) };
        return Some(Proposal { replicas, measured });
    }
    if ratio < 1.0 {
        usage.extend(vec![fallback; missing]);
    } else if ratio > 1.0 {
        usage.extend(vec![0; missing]);
    }
    if up_with_unready {
        usage.extend(vec![0; unready]);
    }
    let careful = measure(&usage) as f64 / target as f64;
    let turned = (ratio < 1.0 && careful > 1.0) || (ratio > 1.0 && careful < 1.0);
    if within(careful, tolerances) || turned {
        return stay;
    }
    let replicas = ceil(careful * usage.len() as f64);
    let against = (careful < 1.0 && replicas > current) || (careful > 1.0 && replicas < current);
    if against { stay } else { Some(Proposal { replicas, measured }) }
}

fn within(ratio: f64, (down, up): (f64, f64)) -> bool {
    1.0 - down <= ratio && ratio <= 1.0 + up
}

fn ceil(replicas: f64) -> u32 {
    // a cast from a float keeps to the range of u32
    replicas.ceil() as u32
}
