//! What a decision costs: the whole of it, guards and bookkeeping included, with a hundred frames
//! on their way.

use criterion::{Criterion, criterion_group, criterion_main};
use frame::{Destination, ImageSize, Timestamp};
use offload::{
    Action, Decider, FrameFacts, Measured, PolicyConfig, Terms, TierResult, estimate_to_cloud,
    policies,
};
use std::hint::black_box;

const RULE: &str =
    "edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms && frame.bytes < 200000";
const ON_THEIR_WAY: u64 = 100;

fn facts(ordinal: u64) -> FrameFacts {
    FrameFacts {
        camera: "gate".parse().expect("a camera's name"),
        sequence: ordinal,
        ordinal,
        bytes: 40_000,
        image: ImageSize { width: 640, height: 480 },
        age_ms: 20.0,
        deadline_left_ms: Some(300.0),
        change: None,
        terms: Terms::default(),
    }
}

fn config(policy: &str) -> PolicyConfig {
    let mut config = PolicyConfig::named(policy).expect("it is among the names");
    config.expression.rule = RULE.into();
    config
}

/// As many contracts as there may be, with budgets and remedies; the last one names the camera.
fn with_contracts(config: &PolicyConfig) -> PolicyConfig {
    let contract = |n: usize| {
        let camera = if n == 31 { "*".to_owned() } else { format!("camera-{n}-*") };
        format!(
            "[[contract]]\nname = 'c{n}'\ncameras = ['{camera}']\nwithin_ms = 10\nshare = 0.99\n\
             priority = {}\non_violation = ['cloud', 'edge', 'expire']\n\
             budget = {{ unit = 'share', rate = 0.5, burst = 10 }}\n",
            n + 1
        )
    };
    let contracts: String = (0..32).map(contract).collect();
    let text = format!("policy = 'deadline'\n{contracts}");
    let contracts = PolicyConfig::from_toml(&text).expect("they can be kept").contracts;
    PolicyConfig { contracts, ..config.clone() }
}

/// Decides on a frame and hears of the result of one a hundred frames ago.
fn step(decider: &mut Decider<u64>, n: u64) {
    let now = Timestamp::from_micros(3_600_000_000 + n * 20_000);
    let decided = decider.decide(n, &facts(n), now);
    black_box(&decided);
    if let Some(before) = n.checked_sub(ON_THEIR_WAY) {
        let tier = if before.is_multiple_of(2) { Destination::Edge } else { Destination::Cloud };
        // what a cascade hears of each frame
        let score = Some((before * 7 % 31) as f64);
        let measured = Some(Measured { score, features: None });
        decider.result(before, &TierResult { measured, ..TierResult::done(tier, Some(50.0)) }, now);
    }
}

fn decide(criterion: &mut Criterion) {
    for name in PolicyConfig::NAMES {
        let mut decider: Decider<u64> = Decider::new(&config(name), 1).expect("it builds");
        let mut n = 0;
        for _ in 0..2 * ON_THEIR_WAY {
            step(&mut decider, n);
            n += 1;
        }
        criterion.bench_function(&format!("decide and learn/{name}"), |bencher| {
            bencher.iter(|| {
                step(&mut decider, n);
                n += 1;
            });
        });
        let policy = policies::build(&config(name)).expect("it builds");
        let load = decider.snapshot(40_000, Timestamp::from_micros(3_600_000_000 + n * 20_000));
        criterion.bench_function(&format!("estimate_to_cloud/{name}"), |bencher| {
            bencher.iter(|| {
                estimate_to_cloud(black_box(&facts(7)), black_box(&load), policy.as_ref()).action
                    != Action::Expire
            });
        });
    }
}

/// The same with 32 contracts, of which the frame's is violated all the time.
fn decide_with_contracts(criterion: &mut Criterion) {
    for name in ["alternate", "deadline", "cascade", "bandit"] {
        let config = with_contracts(&config(name));
        let mut decider: Decider<u64> = Decider::new(&config, 1).expect("it builds");
        let mut n = 0;
        for _ in 0..2 * ON_THEIR_WAY {
            step(&mut decider, n);
            n += 1;
        }
        criterion.bench_function(&format!("decide and learn with contracts/{name}"), |bencher| {
            bencher.iter(|| {
                step(&mut decider, n);
                n += 1;
            });
        });
    }
}

/// A cascade that learns: 32 contracts of which one is violated, audits, and a lesson with every
/// second frame.
fn decide_and_learn(criterion: &mut Criterion) {
    let text = "policy = 'cascade'\n[cascade]\nhardness = 'learned'\nshare = 0.5";
    let config = PolicyConfig::from_toml(text).expect("it can be used");
    let mut decider: Decider<u64> = Decider::new(&with_contracts(&config), 1).expect("it builds");
    let mut n = 0;
    let mut step = || {
        let now = Timestamp::from_micros(3_600_000_000 + n * 20_000);
        black_box(decider.decide(n, &facts(n), now));
        if let Some(before) = n.checked_sub(ON_THEIR_WAY) {
            let features =
                std::array::from_fn(|feature| ((before * 7 + feature as u64) % 5) as f32);
            let measured =
                Some(Measured { score: Some(f64::from(features[10])), features: Some(features) });
            let sent = before.is_multiple_of(2);
            let edge = TierResult::done(Destination::Edge, Some(50.0));
            decider.result(before, &TierResult { provisional: sent, measured, ..edge }, now);
            if sent {
                let cloud = TierResult::done(Destination::Cloud, Some(20.0));
                let (loss, wrong) = (Some(0.5), Some(f64::from(features[12])));
                decider.result(before, &TierResult { loss, wrong, ..cloud }, now);
            }
        }
        n += 1;
    };
    for _ in 0..20 * ON_THEIR_WAY {
        step();
    }
    criterion.bench_function("decide and learn with contracts/cascade, learned", |bencher| {
        bencher.iter(&mut step);
    });
}

criterion_group!(benches, decide, decide_with_contracts, decide_and_learn);
criterion_main!(benches);
