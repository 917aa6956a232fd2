//! What stands out.

use super::input::Input;
use autoscale::{
    FleetRun, Goal, LoadShape, Metric, Recommendation, SYNC_PERIOD, saturation_percent,
    usable_percent,
};
use cli::table::number;

/// What is worth knowing about the autoscaler, whatever the goal.
pub(super) fn of(input: &Input, run: &FleetRun) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(saturation(input));
    lines.extend(partitions(input, run));
    lines.extend(cameras(input));
    lines.extend(evenness(input, run));
    lines.extend(reaction(input));
    let report = &run.report;
    if report.at_maximum_s > 0.0 {
        lines.push(format!(
            "for {} of {} s it wanted more than its maximum of {}",
            number(report.at_maximum_s),
            number(input.setup.minutes * 60.0),
            input.scaler.spec.max
        ));
    }
    if report.thrash > 0 {
        lines.push(format!(
            "{} of {} changes undid the one before within 300 s: a longer scaleDown window is \
             calmer",
            report.thrash,
            report.ups + report.downs
        ));
    }
    if report.unfinished > 0 {
        lines.push(format!(
            "{} frames were not finished half an hour after the last had come in",
            report.unfinished
        ));
    }
    lines
}

/// A pod cannot measure more than its threads can use: from some target on it never asks for more.
fn saturation(input: &Input) -> Option<String> {
    let percent = input.scaler.spec.cpu_percent()?;
    let (all_full, usable) =
        (saturation_percent(&input.setup), usable_percent(&input.setup, &input.scaler.spec));
    let first = format!(
        "a pod with all hands full measures {all_full:.0} % of its request ({} at a time x {} \
         cores of {})",
        input.setup.workers, input.setup.cores_per_frame, input.setup.request_cores
    );
    let growth = all_full / f64::from(percent);
    Some(if f64::from(percent) > usable {
        format!(
            "{first}: at a target of {percent} % that is within the tolerance, however long the \
             queue is, so it never asks for \
             more pods; targets up to {usable:.0} % work"
        )
    } else if growth < 1.5 {
        format!(
            "{first}: at a target of {percent} % a queue of any length makes {growth:.2} times the \
             pods at an evaluation, not more; a lower \
             target or the lag (KEDA) grows faster"
        )
    } else {
        return None;
    })
}

fn partitions(input: &Input, run: &FleetRun) -> Option<String> {
    let partitions =
        input.setup.partitions.filter(|partitions| input.scaler.spec.max > *partitions)?;
    let cost = if run.report.idle_pod_hours > 0.0 {
        format!("{} pod-hours were spent so here", number(run.report.idle_pod_hours))
    } else {
        "it did not come to that here".into()
    };
    let max = input.scaler.spec.max;
    Some(format!(
        "maxReplicas is {max}, but there are {partitions} partitions: {} pods would have nothing \
         to do; {cost}",
        max - partitions
    ))
}

fn cameras(input: &Input) -> Option<String> {
    let (cameras, partitions) = (input.setup.cameras, input.setup.partitions?);
    (cameras > 0 && cameras < input.scaler.spec.max.min(partitions)).then(|| {
        format!(
            "{cameras} cameras fill at most {cameras} partitions: pods beyond that have \
            nothing to do, as a camera's frames stay in order"
        )
    })
}

/// Partitions that cannot be shared out evenly: whoever has one more than others is the first whose
/// queue grows.
fn evenness(input: &Input, run: &FleetRun) -> Option<String> {
    let (partitions, pods) = (input.setup.partitions?, run.report.peak_pods.max(1));
    let (each, more) = (partitions / pods, partitions % pods);
    (each > 0 && each <= 2 && more > 0).then(|| {
        format!(
            "{partitions} partitions over {pods} pods: {more} of them have {} and the others \
             {each}, so that those are full when the others \
             are not; more partitions share out more evenly",
            each + 1
        )
    })
}

/// Bursts that are over before new pods can be ready.
fn reaction(input: &Input) -> Option<String> {
    let LoadShape::Burst { burst_s, peak_fps, .. } = input.setup.load else { return None };
    let setup = &input.setup;
    let carried =
        f64::from(input.scaler.spec.min) * f64::from(setup.workers) * 1000.0 / setup.service_ms;
    if carried > peak_fps {
        return None;
    }
    // the load must be in a reading, which an evaluation must find, before pods start
    let late = setup.metrics_age_s
        + SYNC_PERIOD.as_secs_f64()
        + setup.pending_s
        + setup.start_s
        + setup.rebalance_s;
    let by_lag =
        input.scaler.spec.metrics.iter().any(|metric| matches!(metric, Metric::Lag { .. }));
    (late >= burst_s && !by_lag).then(|| {
        format!(
            "more pods are at work up to {late:.0} s after a burst begins (reading, evaluation, \
             start, rebalance), and it lasts {burst_s:.0} s: \
             the pods that are there must carry it, so minReplicas decides"
        )
    })
}

/// What is worth knowing about a goal.
pub(super) fn about_goal(input: &Input, goal: Goal, found: &Recommendation) -> Vec<String> {
    let mut lines = Vec::new();
    if found.best.is_none() {
        let most = &found.fixed;
        lines.push(format!(
            "no numbers meet the goal: even {} pods that are always there answer {:.2} % within {} \
             ms; {}",
            most.candidate.min,
            most.share * 100.0,
            number(goal.ms),
            if input.setup.service_ms > 0.8 * goal.ms {
                format!("the service alone takes {:.0} ms", input.setup.service_ms)
            } else {
                "more partitions, more frames at a time or a quicker model would".into()
            }
        ));
    }
    if let Some(best) = &found.best
        && best.pod_hours > 0.95 * found.fixed.pod_hours
    {
        lines.push(format!(
            "under this load an autoscaler saves next to nothing: {} pods that are always there \
             cost {} pod-hours, the best autoscaler {}",
            found.fixed.candidate.min,
            number(found.fixed.pod_hours),
            number(best.pod_hours)
        ));
    }
    lines
}
