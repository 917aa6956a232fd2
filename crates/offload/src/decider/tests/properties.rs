//! Whatever happens, and whatever a policy file says.

use super::*;
use crate::{Budget, BudgetScope, BudgetUnit};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Decide { deadline: Option<u16>, change: Option<f64>, bytes: u16 },
    Result { back: u8, cloud: bool, end: u8, provisional: bool },
    Late { back: u8 },
    Lag { cloud: bool, frames: Option<u16> },
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<Option<u16>>(), prop::option::of(0.0..1.0f64), any::<u16>())
            .prop_map(|(deadline, change, bytes)| Step::Decide { deadline, change, bytes }),
        4 => (0u8..20, any::<bool>(), 0u8..4, any::<bool>())
            .prop_map(|(back, cloud, end, provisional)| {
                Step::Result { back, cloud, end, provisional }
            }),
        1 => (0u8..20).prop_map(|back| Step::Late { back }),
        1 => (any::<bool>(), any::<Option<u16>>())
            .prop_map(|(cloud, frames)| Step::Lag { cloud, frames }),
        3 => any::<u16>().prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever happens, in whatever order: there is a decision with a short reason, numbers are
    /// numbers, the same history gives the same decisions, and a budget holds.
    #[test]
    fn there_is_always_a_decision(
        steps in steps(), which in prop::sample::select(PolicyName::ALL.to_vec()),
        dwell in any::<bool>(), share in 0.0..=1.0f64,
    ) {
        let mut config = PolicyConfig::of(which);
        config.expression.rule = "cloud.predicted_ms < edge.predicted_ms".into();
        config.hysteresis.dwell_ms = if dwell { 300.0 } else { 0.0 };
        config.motion.skip_below = 0.05;
        let (unit, per) = (BudgetUnit::Share, BudgetScope::All);
        config.budget = Some(Budget { unit, rate: share, burst: 3.0, per });
        let run = || {
            let mut decider: Decider<u64> = Decider::new(&config, 5).unwrap();
            let (mut now, mut key, mut decisions, mut cloud) = (0u64, 0u64, Vec::new(), 0u64);
            for step in &steps {
                match step {
                    Step::Decide { deadline, change, bytes } => {
                        key += 1;
                        let frame = FrameFacts {
                            deadline_left_ms: deadline.map(f64::from),
                            change: *change,
                            bytes: usize::from(*bytes),
                            ..nth(key)
                        };
                        let decided = decider.decide(key, &frame, at(now));
                        cloud += u64::from(decided.choice.destination() == Some(Cloud));
                        decisions.push(decided);
                    }
                    Step::Result { back, cloud, end, provisional } => {
                        let ends = [End::Done, End::Failed, End::Expired, End::Late];
                        let result = TierResult {
                            tier: if *cloud { Cloud } else { Edge },
                            end: ends[usize::from(*end)],
                            provisional: *provisional && !cloud,
                            ..done(Edge)
                        };
                        decider.result(key.saturating_sub(u64::from(*back)), &result, at(now));
                    }
                    Step::Late { back } => {
                        decider.late(key.saturating_sub(u64::from(*back)), at(now));
                    }
                    Step::Lag { cloud, frames } => {
                        let tier = if *cloud { Cloud } else { Edge };
                        decider.lag(tier, frames.map(u64::from));
                    }
                    Step::Wait(ms) => now += u64::from(*ms) / 8,
                }
            }
            (decisions, cloud)
        };
        let (decisions, cloud) = run();
        for decided in &decisions {
            let reason = decided.choice.reason;
            prop_assert!((1..=32).contains(&reason.len()), "{}", reason);
            for ms in decided.predicted_ms.values().flatten() {
                prop_assert!(ms.is_finite() && *ms >= 0.0, "{}", ms);
            }
        }
        let allowed = 3.0 + share * decisions.len() as f64 + 1e-6;
        prop_assert!(cloud as f64 <= allowed, "{cloud} of {}", decisions.len());
        prop_assert_eq!(run().0, decisions);
    }
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![
            0.0,
            1e-300,
            1e-3,
            0.5,
            1.0,
            86_400_000.0,
            1e15,
            1e16,
            1e300,
            f64::NAN,
            f64::INFINITY,
            -1.0
        ]),
        0.0..1e6f64,
        -1.0..=1.0f64,
    ]
}

proptest! {
    /// Whatever numbers a policy file has: it is refused, or each frame gets a decision and whatever
    /// is waited for comes within days.
    #[test]
    fn what_is_accepted_decides(
        which in prop::sample::select(PolicyName::ALL.to_vec()),
        numbers in prop::collection::vec(numbers(), 12),
        places in prop::collection::vec(0..24usize, 3),
        gaps in prop::collection::vec(
            (0u64..10_000, prop::option::of(-1e9..1e9f64), any::<u32>(), 0u8..4),
            1..40,
        ),
    ) {
        let mut config = PolicyConfig::of(which);
        config.expression.rule = "edge.backlog * edge.service_ms > cloud.rtt_ms".into();
        let unit = [BudgetUnit::Bytes, BudgetUnit::Money, BudgetUnit::Share][places[0] % 3];
        let budget = Budget { unit, rate: 0.5, burst: 3.0, per: BudgetScope::All };
        config.budget = (places[1] % 2 == 0).then_some(budget);
        for (place, value) in places.iter().zip(&numbers) {
            let value = *value;
            match place {
                0 => config.ratio.cloud_share = value,
                1 => config.deadline.target_ms = value,
                2 => config.deadline.comfort = value,
                3 => config.deadline.late_up_to_ms = value,
                4 => config.deadline.refresh_ms = value,
                5 => config.bandit.target_ms = value,
                6 => config.hysteresis.dwell_ms = value,
                7 => config.hysteresis.to_cloud_above = value,
                8 => config.hysteresis.to_edge_below = value,
                9 => config.breaker.silence_ms = value,
                10 => config.breaker.first_silence_ms = value,
                11 => config.breaker.probe_after_ms = value,
                12 => config.breaker.probe_at_most_ms = value,
                13 => config.motion.skip_below = value,
                14 => config.motion.look_every_ms = value,
                15 => config.redispatch.after_ms = value,
                16 => config.price.cloud_per_frame = value,
                17 => config.price.edge_per_frame = value,
                18 => config.price.cloud_per_gigabyte = value,
                19 => config.prior.cloud.service_ms = Some(value),
                20 => config.prior.cloud.rtt_ms = Some(value),
                21 => config.prior.cloud.mbit_s = Some(value),
                22 => config.prior.edge.service_ms = Some(value),
                _ => {
                    let odd = |budget| Budget { rate: value, burst: numbers[11], ..budget };
                    config.budget = config.budget.map(odd);
                }
            }
        }
        let Ok(mut decider) = Decider::<u64>::new(&config, 3) else { return Ok(()) };
        let mut now = 0;
        for (key, (gap, deadline_left_ms, bytes, end)) in gaps.into_iter().enumerate() {
            now += gap;
            let key = key as u64;
            let bytes = bytes as usize;
            let frame = FrameFacts { deadline_left_ms, bytes, change: Some(0.2), ..nth(key) };
            let decided = decider.decide(key, &frame, at(now));
            let far = at(now + 86_400_001);
            prop_assert!(decided.answer_by.is_none_or(|answer_by| answer_by <= far));
            let (patience, day) = (decider.cloud_patience(bytes, at(now)), 86_400);
            prop_assert!(patience.is_none_or(|patience| patience <= Duration::from_secs(day)));
            let (tier, then) = (decided.choice.destination().unwrap_or(Edge), at(now + gap));
            match end {
                0 => drop(decider.result(key, &done(tier), then)),
                1 => drop(decider.late(key, then)),
                2 => drop(decider.again(key, bytes, Duration::from_millis(gap), then)),
                _ => {
                    let slow = TierResult { service_ms: Some(1e300), ..done(tier) };
                    decider.result(key, &slow, then);
                }
            }
        }
    }
}
