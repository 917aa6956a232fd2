//! Disruption budgets: one that can never spare a pod keeps a node from being drained.

use crate::finding::Finding;
use crate::object::{Field, Object};
use crate::world::World;

pub(super) const ID: &str = "disruption-budget";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    world.of_kind("PodDisruptionBudget").flat_map(|budget| of_budget(world, budget)).collect()
}

fn of_budget(world: &World<'_>, budget: &Object) -> Vec<Finding> {
    let (available, unavailable) =
        (budget.at("spec.minAvailable"), budget.at("spec.maxUnavailable"));
    let mut findings = Vec::new();
    match (available.exists(), unavailable.exists()) {
        (true, true) => findings
            .push(unavailable.error(ID, "a budget says either minAvailable or maxUnavailable")),
        (false, false) => findings.push(
            unavailable
                .error(ID, "a budget says minAvailable or maxUnavailable")
                .help("maxUnavailable: 1"),
        ),
        _ => {}
    }
    if unavailable.scalar().is_some_and(|value| value == "0" || value == "0%") {
        findings.push(
            unavailable
                .error(ID, "no pod may ever be evicted: a node with one of them cannot be drained")
                .help("maxUnavailable: 1"),
        );
    }
    let selector = budget.at("spec.selector");
    for workload in world.selected(&selector, &budget.namespace) {
        // what an autoscaler may shrink to is what there is when a node is drained at night
        let least = world
            .scaler_of(workload.object)
            .map(|scaler| scaler.min)
            .or(workload.object.at("spec.replicas").integer())
            .unwrap_or(1);
        if keeps(&available, least).is_some_and(|kept| kept >= least && least > 0) {
            let message = format!(
                "with {least} replicas of {} no pod may be evicted: its node cannot be drained",
                workload.object.title()
            );
            findings.push(
                available
                    .error(ID, message)
                    .help("maxUnavailable: 1 lets one go at a time, however many there are"),
            );
        }
    }
    findings
}

/// How many pods a budget keeps of so many.
fn keeps(available: &Field<'_>, replicas: i64) -> Option<i64> {
    match available.text().and_then(|text| text.strip_suffix('%')) {
        Some(percent) => percent.parse::<i64>().ok().map(|percent| (replicas * percent + 99) / 100),
        None => available.integer(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn a_budget_spares_a_pod() {
        let budget = |rule: &str| {
            format!(
                "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: \
                 b}}\nspec: {{{rule}, selector: {{matchLabels: {{app: a}}}}}}\n"
            )
        };
        let set = |rule: &str| {
            deployment("a", "", "").replace("spec: {selector", "spec: {replicas: 2, selector")
                + &budget(rule)
        };
        for (rule, faults) in [
            ("maxUnavailable: 1", 0),
            ("minAvailable: 1", 0),
            ("minAvailable: 2", 1),
            ("minAvailable: 90%", 1),
            ("maxUnavailable: 0", 1),
        ] {
            assert_eq!(found(&set(rule), "disruption-budget").len(), faults, "{rule}");
        }
    }
}
