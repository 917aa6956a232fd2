//! The controller against numbers worked out by hand, those of Kubernetes' documentation and of its
//! own tests.

use crate::*;
use proptest::prelude::*;
use std::time::Duration;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn cpu(percent: u32) -> Metric {
    Metric::CpuUtilisation { container: None, percent }
}

fn spec(min: u32, max: u32, metric: Metric, behavior: Option<Behavior>) -> Spec {
    Spec { min, max, metrics: vec![metric], behavior }
}

fn seen<'a>(now: u64, current: u32, pods: &'a [PodSample]) -> Observed<'a> {
    Observed { now: s(now), current, pods, request_millicores: 1000, lag: None }
}

fn busy(millicores: &[u64]) -> Vec<PodSample> {
    millicores.iter().map(|millicores| PodSample::Measured { millicores: *millicores }).collect()
}

/// Like `busy`, with `missing` pods without measurements and `unready` ones.
fn pods(millicores: &[u64], missing: usize, unready: usize) -> Vec<PodSample> {
    let mut pods = busy(millicores);
    pods.extend(vec![PodSample::Missing; missing]);
    pods.extend(vec![PodSample::Unready; unready]);
    pods
}

#[test]
fn proposals_are_those_of_the_controllers_own_tests() {
    // (what replica_calculator_test.go calls it, target %, pods, per cent measured, replicas)
    let cases = [
        ("ScaleUp", 30, pods(&[300, 500, 700], 0, 0), 50, 5),
        ("ScaleUpUnreadyLessScale", 30, pods(&[500, 700], 0, 1), 60, 4),
        ("ScaleUpUnreadyNoScale", 30, pods(&[400], 0, 2), 40, 3),
        ("ScaleDown", 50, pods(&[100, 300, 500, 250, 250], 0, 0), 28, 3),
        ("MissingMetrics", 100, pods(&[400, 95], 2, 0), 24, 3),
        ("MissingMetricsNoChangeEq", 100, pods(&[1000], 1, 0), 100, 2),
        ("MissingMetricsNoChangeGt", 100, pods(&[1900], 1, 0), 190, 2),
        ("MissingMetricsNoChangeLt", 100, pods(&[600], 1, 0), 60, 2),
        ("MissingMetricsUnreadyChange", 50, pods(&[450], 1, 1), 45, 3),
        ("MissingMetricsUnreadyScaleUp", 50, pods(&[2000], 1, 1), 200, 4),
        ("MissingMetricsUnreadyScaleDown", 50, pods(&[100, 100], 1, 1), 10, 3),
    ];
    for (name, percent, pods, measured, replicas) in cases {
        let observed = seen(0, pods.len() as u32, &pods);
        assert_eq!(
            propose(&cpu(percent), &observed, (0.1, 0.1)),
            Some(Proposal { replicas, measured }),
            "{name}"
        );
    }
}

#[test]
fn without_measurements_or_requests_nothing_is_proposed() {
    let nothing = pods(&[], 1, 2);
    assert_eq!(propose(&cpu(50), &seen(0, 3, &nothing), (0.1, 0.1)), None);
    let two = busy(&[500, 500]);
    let unrequested = Observed { request_millicores: 0, ..seen(0, 2, &two) };
    assert_eq!(propose(&cpu(50), &unrequested, (0.1, 0.1)), None);
}

#[test]
fn replicas_follow_the_ratio_of_usage_to_target() {
    // "if the current metric value is 200m, and the desired value is 100m, the number of replicas
    // will be doubled […] 50m […] halved"
    let metric = Metric::CpuUsage { container: None, millicores: 100 };
    for (usage, replicas) in [(200, 8), (50, 2), (110, 4), (111, 5), (90, 4), (89, 4), (75, 3)] {
        let pods = busy(&[usage; 4]);
        assert_eq!(
            propose(&metric, &seen(0, 4, &pods), (0.1, 0.1)).unwrap().replicas,
            replicas,
            "{usage}m"
        );
    }
}

#[test]
fn lag_asks_for_a_pod_for_each_so_many_messages() {
    let metric = Metric::Lag { per_replica: 10 };
    let with = |lag, current| Observed { lag: Some(lag), ..seen(0, current, &[]) };
    for (lag, current, replicas) in
        [(95, 2, 10), (21, 2, 2), (22, 2, 2), (23, 2, 3), (0, 5, 0), (5, 3, 1)]
    {
        assert_eq!(
            propose(&metric, &with(lag, current), (0.1, 0.1)).unwrap().replicas,
            replicas,
            "{lag} waiting for {current}"
        );
    }
    assert_eq!(propose(&metric, &seen(0, 2, &[]), (0.1, 0.1)), None);
}

#[test]
fn each_direction_has_its_own_tolerance() {
    let rules = Behavior {
        up: Rules { tolerance: 0.0, ..Rules::up() },
        down: Rules { tolerance: 0.5, ..Rules::down() },
    };
    let evaluate = |millicores: u64| {
        let pods = busy(&[millicores; 10]);
        Controller::new(spec(1, 50, cpu(50), Some(rules.clone())))
            .evaluate(&seen(0, 10, &pods))
            .proposal
            .unwrap()
            .replicas
    };
    assert_eq!([evaluate(250), evaluate(240), evaluate(500), evaluate(510)], [10, 5, 10, 11]);
}

/// Evaluates every 15 s pods that all use the same, and gives the replicas after each time.
fn follow(spec: Spec, start: u32, usage: impl Fn(u64) -> u64, times: u64) -> Vec<u32> {
    let mut controller = Controller::new(spec);
    let mut current = start;
    let evaluate = |i| {
        let pods = busy(&vec![usage(15 * i); current as usize]);
        current = controller.evaluate(&seen(15 * i, current, &pods)).desired;
        current
    };
    (0..times).map(evaluate).collect()
}

#[test]
fn the_documentations_example_goes_down_by_a_tenth_then_four() {
    // "If the number of replicas is 80 and the target has to be scaled down to 10 replicas then
    // during the first step 8 replicas will be reduced. In the next iteration when the number
    // of replicas is 72, 10% of the pods is 7.2 but the number is rounded up to 8 […]
    // When the number of replicas falls below 40 the first policy will be applied and 4 replicas
    // will be reduced at a time"
    let minute = s(60);
    let policies = vec![
        ChangePolicy { kind: PolicyKind::Pods, value: 4, period: minute },
        ChangePolicy { kind: PolicyKind::Percent, value: 10, period: minute },
    ];
    let down = Rules { policies, stabilisation: Duration::ZERO, ..Rules::down() };
    let behavior = Behavior { down, ..Behavior::default() };
    let replicas = follow(spec(1, 100, cpu(50), Some(behavior)), 80, |_| 10, 4 * 14);
    let minutes: Vec<u32> = replicas.chunks(4).map(|minute| minute[0]).collect();
    assert_eq!(minutes, [72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 8]);
    assert!(
        replicas.chunks(4).all(|minute| minute.iter().all(|own| *own == minute[0])),
        "once a minute: {replicas:?}"
    );
}

#[test]
fn the_default_behaviour_doubles_or_adds_four() {
    let steep = |behavior| follow(spec(1, 100, cpu(10), behavior), 1, |_| 1000, 6);
    assert_eq!(steep(Some(Behavior::default())), [5, 10, 20, 40, 80, 100]);
    // the older rule: twice as many, or 4
    assert_eq!(steep(None), [4, 8, 16, 32, 64, 100]);
}

#[test]
fn select_policy_takes_the_smallest_change_or_none() {
    let replicas = |select| {
        let behavior = Behavior { up: Rules { select, ..Rules::up() }, ..Behavior::default() };
        follow(spec(1, 100, cpu(10), Some(behavior)), 3, |_| 1000, 3)
    };
    assert_eq!(replicas(Select::Min), [6, 10, 14]);
    assert_eq!(replicas(Select::Disabled), [3, 3, 3]);
    let down = |select| {
        let policies = vec![
            ChangePolicy { kind: PolicyKind::Pods, value: 2, period: s(15) },
            ChangePolicy { kind: PolicyKind::Percent, value: 50, period: s(15) },
        ];
        let down = Rules { select, policies, stabilisation: Duration::ZERO, ..Rules::down() };
        follow(spec(1, 100, cpu(50), Some(Behavior { down, ..Behavior::default() })), 20, |_| 0, 4)
    };
    assert_eq!(down(Select::Max), [10, 5, 2, 1]);
    assert_eq!(down(Select::Min), [18, 16, 14, 12]);
    assert_eq!(down(Select::Disabled), [20, 20, 20, 20]);
}

#[test]
fn a_long_period_is_counted_over_several_evaluations() {
    let policies = vec![ChangePolicy { kind: PolicyKind::Pods, value: 2, period: s(60) }];
    let behavior = Behavior { up: Rules { policies, ..Rules::up() }, ..Behavior::default() };
    let replicas = follow(spec(1, 100, cpu(10), Some(behavior)), 2, |_| 1000, 9);
    assert_eq!(replicas, [4, 4, 4, 4, 6, 6, 6, 6, 8]);
}

#[test]
fn it_goes_down_when_the_window_has_passed_and_not_before() {
    for behavior in [Some(Behavior::default()), None] {
        // at 75 s the last evaluation that wants four
        let replicas = follow(
            spec(1, 10, cpu(50), behavior.clone()),
            4,
            |t| if t <= 75 { 500 } else { 100 },
            30,
        );
        let first_down = replicas.iter().position(|replicas| *replicas < 4).unwrap() as u64 * 15;
        // an autoscaler with a behaviour forgets at the window's end, one without just after it
        assert_eq!(first_down, if behavior.is_some() { 375 } else { 390 });
    }
}

#[test]
fn a_window_upwards_waits_for_the_lowest_recommendation() {
    let up = Rules { stabilisation: s(60), ..Rules::up() };
    let behavior = Some(Behavior { up, ..Behavior::default() });
    let replicas =
        follow(spec(1, 10, cpu(50), behavior), 2, |t| if t < 30 { 500 } else { 1000 }, 10);
    assert_eq!(replicas, [2, 2, 2, 2, 2, 4, 4, 4, 4, 8]);
}

#[test]
fn bounds_hold_and_are_named() {
    let limit = |min, max, current: u32, usage: u64| {
        let pods = busy(&vec![usage; current as usize]);
        let verdict =
            Controller::new(spec(min, max, cpu(50), None)).evaluate(&seen(0, current, &pods));
        (verdict.desired, verdict.limit)
    };
    assert_eq!(limit(1, 3, 2, 1000), (3, Some(Limit::Maximum)));
    assert_eq!(limit(1, 100, 20, 5000), (40, Some(Limit::Rate)));
    assert_eq!(limit(2, 9, 12, 500), (9, Some(Limit::Maximum)));
    assert_eq!(limit(2, 9, 1, 500), (2, Some(Limit::Minimum)));
    assert_eq!(limit(2, 9, 0, 500), (0, None), "set to 0 by hand: switched off");
    assert_eq!(limit(1, 9, 4, 500), (4, None));
    assert_eq!(limit(1, 9, 4, 100), (4, Some(Limit::Stabilisation)));
}

#[test]
fn a_metric_that_cannot_be_read_forbids_going_down_but_not_up() {
    let metrics = vec![cpu(50), Metric::Lag { per_replica: 10 }];
    let down = Rules { stabilisation: Duration::ZERO, ..Rules::down() };
    let two =
        Spec { min: 1, max: 10, metrics, behavior: Some(Behavior { down, ..Behavior::default() }) };
    let evaluate = |usage, lag| {
        let pods = busy(&[usage; 4]);
        Controller::new(two.clone()).evaluate(&Observed { lag, ..seen(0, 4, &pods) }).desired
    };
    assert_eq!(
        [
            evaluate(100, None),
            evaluate(1000, None),
            evaluate(100, Some(0)),
            evaluate(100, Some(60))
        ],
        [4, 8, 1, 6]
    );
}

prop_compose! {
    fn any_rules()(
        stabilisation in 0..600_u64,
        policies in prop::collection::vec((any::<bool>(), 1..60_u32, 1..180_u64), 1..4),
        select in prop::sample::select(vec![Select::Max, Select::Min, Select::Disabled]),
        tolerance in 0.0..0.3,
    ) -> Rules {
        let policy = |(pods, value, period): (bool, u32, u64)| {
            let kind = if pods { PolicyKind::Pods } else { PolicyKind::Percent };
            ChangePolicy { kind, value, period: s(period) }
        };
        Rules { stabilisation: s(stabilisation), policies: policies.into_iter().map(policy).collect(), select, tolerance }
    }
}

proptest! {
    #[test]
    fn it_keeps_to_its_bounds_its_rate_and_its_window(
        up in any_rules(), down in any_rules(),
        min in 1..5_u32, more in 0..40_u32, percent in 5..150_u32,
        usage in prop::collection::vec((0..2000_u64, 0..3_usize, 0..3_usize), 1..80),
    ) {
        let (max, behavior) = (min + more, Behavior { up: up.clone(), down: down.clone() });
        let mut controller = Controller::new(spec(min, max, cpu(percent), Some(behavior)));
        let mut current = min;
        // (when, replicas before, replicas after, what was asked for)
        let mut history: Vec<(u64, u32, u32, Option<u32>)> = Vec::new();
        for (i, (millicores, missing, unready)) in usage.into_iter().enumerate() {
            let now = 15 * i as u64;
            let measured = (current as usize).saturating_sub(missing + unready);
            let pods = pods(&vec![millicores; measured], missing.min(current as usize), unready.min((current as usize).saturating_sub(missing)));
            let verdict = controller.evaluate(&seen(now, current, &pods));
            prop_assert!((min..=max).contains(&verdict.desired));
            let asked = verdict.proposal.map(|proposal| proposal.replicas);
            history.push((now, current, verdict.desired, asked));
            // never fewer than was asked for within the window
            if verdict.desired < current {
                let recent = history.iter().filter(|(at, ..)| s(*at) + down.stabilisation > s(now)).filter_map(|(.., asked)| *asked);
                prop_assert!(verdict.desired >= recent.max().unwrap_or(0).min(max));
                prop_assert!(down.select != Select::Disabled);
            }
            if verdict.desired > current {
                let recent = history.iter().filter(|(at, ..)| s(*at) + up.stabilisation > s(now)).filter_map(|(.., asked)| *asked);
                prop_assert!(verdict.desired <= recent.min().unwrap_or(u32::MAX).max(min));
                prop_assert!(up.select != Select::Disabled);
                // the most that any policy allows from the replicas at its period's beginning
                let allowed = up.policies.iter().map(|policy| {
                    let first = history.iter().find(|(at, ..)| s(*at) + policy.period > s(now)).map_or(current, |(_, before, ..)| *before);
                    match policy.kind {
                        PolicyKind::Pods => first + policy.value,
                        PolicyKind::Percent => (f64::from(first) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as u32,
                    }
                });
                prop_assert!(verdict.desired <= allowed.max().unwrap_or(current), "{history:?}");
            }
            current = verdict.desired;
        }
    }
}
