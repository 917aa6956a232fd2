//! Contracts in virtual time: who is served when not all can be, and how old answers are.

use offload::PolicyConfig;
use simulator::*;

/// One worker of 20 frames/s at the edge, for three times as many.
fn overloaded(cameras: u32, deadline_ms: f64) -> Scenario {
    let text = format!(
        "seed = 7\nminutes = 2\npreprocess_ms = 5\n\
         [load]\ncameras = {cameras}\nbase_fps = 60\nburst_s = 0\narrivals = 'poisson'\n\
         deadline_ms = {deadline_ms}\n\
         [edge]\nworkers = 1\nservice_ms = 50\nservice_sigma = 0.1\n\
         [cloud]\nworkers = 1\nservice_ms = 50\n"
    );
    Scenario::from_toml(&text).expect("a scenario")
}

fn run(scenario: &Scenario, policy: &str) -> (Report, History) {
    let policy = PolicyConfig::from_toml(policy).expect("a policy");
    let trace = Trace::constant("50 Mbit/s", 50.0).expect("a trace");
    let jobs = workload(scenario, 0);
    let mut deciding = Deciding::new(&policy, scenario.seed).expect("a usable policy");
    let world = World { scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };
    let history = simulate(world, &mut deciding, &mut || {});
    (Report::of(&history, scenario), history)
}

fn contract(name: &str, camera: &str, more: &str) -> String {
    format!("[[contract]]\nname = '{name}'\ncameras = ['{camera}']\n{more}\n")
}

#[test]
fn in_overload_each_camera_gets_its_weighted_share() {
    let scenario = overloaded(4, 500.0);
    let weights = [6_u32, 3, 2, 1];
    let contracts: String = (0..)
        .zip(weights)
        .map(|(n, weight)| {
            let more = format!("priority = {weight}\nwithin_ms = 60000");
            contract(&format!("c{n}"), &format!("camera-{n}"), &more)
        })
        .collect();
    let (report, _) = run(&scenario, &format!("policy = 'edge-only'\n{contracts}"));
    let served: u64 = report.contracts.iter().map(|contract| contract.met).sum();
    assert!(report.expired > report.frames / 2, "it is an overload");
    for (contract, weight) in report.contracts.iter().zip(weights) {
        let share = f64::from(weight) / 12.0 * served as f64;
        assert!(contract.met as f64 >= 0.8 * share, "{contract:?} of {served}");
    }
}

#[test]
fn newest_first_keeps_answers_young() {
    let scenario = overloaded(3, 0.0);
    let of = |order: &str| {
        let more = format!("order = '{order}'\nwithin_ms = 400\nshare = 0.9");
        run(&scenario, &format!("policy = 'edge-only'\n{}", contract("all", "*", &more))).0
    };
    let (in_order, newest) = (of("in-order"), of("newest"));
    let [slow, fast] = [&in_order, &newest].map(|report| report.latency_ms.p95);
    assert!(slow > 10_000.0 && fast < 400.0, "{slow} and {fast} ms");
    assert_eq!((in_order.lost, newest.lost), (0, 0));
    assert!(10.0 * newest.age_ms.p95 < in_order.age_ms.p95, "{:?}", newest.age_ms);
    let contract = &newest.contracts[0];
    assert_eq!(contract.set_aside, newest.overtaken);
    assert!(newest.overtaken > newest.frames / 2 && contract.attained_percent[0] > 99.0);
}

#[test]
fn the_policy_freshness_is_younger_than_the_edge_and_than_a_fixed_share() {
    let scenario = overloaded(3, 500.0);
    let of = |policy: &str| {
        let text = format!("policy = '{policy}'\n{}", contract("all", "*", "order = 'newest'"));
        run(&scenario, &text).0
    };
    let (edge, fresh, ratio) = (of("edge-only"), of("freshness"), of("ratio"));
    assert!(fresh.age_ms.p50 < edge.age_ms.p50, "{:?}, {:?}", fresh.age_ms, edge.age_ms);
    assert!(fresh.age_ms.mean < ratio.age_ms.mean, "{:?}, {:?}", fresh.age_ms, ratio.age_ms);
}

#[test]
fn a_violated_contract_lowers_the_rate_until_it_is_kept() {
    let scenario = overloaded(1, 0.0);
    let of = |steps: &str| {
        let more = format!("within_ms = 400\nshare = 0.9\nwindow_s = 10\non_violation = [{steps}]");
        let policy = format!("policy = 'edge-only'\n{}", contract("all", "*", &more));
        let (report, _) = run(&scenario, &policy);
        report.contracts[0].met
    };
    let (idle, active) = (of(""), of("'expire', 'lower-rate'"));
    assert!(active > 3 * idle, "{active} met, and {idle} without remedies");
}
