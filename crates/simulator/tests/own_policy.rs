//! A policy of one's own in the simulator: the one that the preprocessor's example runs.

#[path = "../../preprocessor/examples/own_policy/policy.rs"]
mod policy;

use offload::{Policy, PolicyConfig, policies};
use policy::EdgeUntilBusy;
use simulator::{
    Deciding, Judgement, Scenario, Trace, UplinkSetup, World, judge, judge_policy, workload,
};

fn with_world<T>(scenario: &Scenario, then: impl FnOnce(World<'_>) -> T) -> T {
    let trace = Trace::constant("8 Mbit/s", 8.0).expect("a valid trace");
    let jobs = workload(scenario, 0);
    then(World { scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None })
}

fn own(scenario: &Scenario, policy: Box<dyn Policy>, config: &PolicyConfig) -> Judgement {
    with_world(scenario, |world| judge_policy(world, policy, config, &mut || {}))
}

fn named(scenario: &Scenario, config: &PolicyConfig) -> Judgement {
    let mut deciding = Deciding::new(config, scenario.seed).expect("a usable policy");
    with_world(scenario, |world| judge(world, &mut deciding, &mut || {}))
}

fn scenario() -> Scenario {
    Scenario { minutes: 6.0, ..Scenario::default() }
}

#[test]
fn the_example_decides_learns_and_beats_the_edge_alone() {
    let guards = PolicyConfig::named("edge-only").expect("a policy");
    let judged = own(&scenario(), Box::<EdgeUntilBusy>::default(), &guards);
    let reasons = &judged.report.reasons;
    for reason in ["edge-free", "edge-busy", "cloud-disappoints"] {
        assert!(reasons.get(reason).is_some_and(|count| *count > 0), "{reason}: {reasons:?}");
    }
    let edge_only = named(&scenario(), &guards);
    assert_eq!(judged.report.lost, 0);
    assert!(judged.report.misses < edge_only.report.misses, "{}", judged.report.misses);
    let again = own(&scenario(), Box::<EdgeUntilBusy>::default(), &guards);
    assert_eq!(again, judged, "the same seed, the same history");
}

#[test]
fn an_own_policy_wears_the_guards_of_the_configuration() {
    let uplink = UplinkSetup { cuts: vec!["120s+60s".parse().unwrap()], ..UplinkSetup::default() };
    let cut = Scenario { uplink, ..scenario() };
    let text = "policy = 'edge-only'\n[budget]\nunit = 'share'\nrate = 0.1\nburst = 5";
    let guards = PolicyConfig::from_toml(text).expect("a policy");
    let judged = own(&cut, Box::<EdgeUntilBusy>::default(), &guards);
    let reasons = &judged.report.reasons;
    assert!(reasons.contains_key("budget-spent"), "{reasons:?}");
    assert!(!judged.report.breakers.is_empty(), "the cloud's breaker opens in the cut");
    assert_eq!(judged.report.lost, 0);
}

#[test]
fn handed_in_or_named_a_policy_does_the_same() {
    for name in ["ratio", "deadline", "bandit"] {
        let config = PolicyConfig::named(name).expect("a policy");
        let policy = policies::build(&config).expect("it builds");
        assert_eq!(own(&scenario(), policy, &config), named(&scenario(), &config), "{name}");
    }
}
