//! Judges a policy of your own: a load over a recorded uplink in virtual time, against the policies
//! that there are and an oracle that knows the future.
//!
//! ```sh
//! cargo run --release -p simulator --example judge_own_policy -- uplink.txt
//! ```
//!
//! The policy is the file with which `own_policy` of the preprocessor runs. Without a trace the
//! uplink has 8 Mbit/s all the time.
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

#[path = "../../preprocessor/examples/own_policy/policy.rs"]
mod policy;

use offload::PolicyConfig;
use policy::EdgeUntilBusy;
use simulator::{
    Beam, Deciding, Judgement, Scenario, Trace, TraceFormat, World, foresee, judge, judge_policy,
    workload,
};
use std::error::Error;

/// What the own policy is compared with.
const OTHERS: [&str; 4] = ["edge-only", "cloud-only", "bandit", "deadline"];

fn main() -> Result<(), Box<dyn Error>> {
    let trace = match std::env::args().nth(1) {
        Some(path) => Trace::parse(
            path.as_str(),
            &std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?,
            &TraceFormat::of(&path),
        )?,
        None => Trace::constant("8 Mbit/s", 8.0)?,
    };
    // the load, the tiers and the prices; every field can be set, or all read from a file with
    // `Scenario::from_toml`
    let scenario = Scenario::default();
    let jobs = workload(&scenario, 0);
    let world = World { scenario: &scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };

    let schedule = foresee(&scenario, &trace, &jobs, Beam::default(), &mut || {});
    let best = judge(world, &mut schedule.dispatcher(), &mut || {});
    println!("{} frames over {}\n", best.report.frames, trace.name());
    println!("{:<16} missed %  × oracle  p50 ms  p99 ms  cloud %  taken back", "policy");
    print("oracle", &best, &best);
    // the guards are those of a policy file; here as they are by default
    let guards = PolicyConfig::named("edge-only")?;
    let own = Box::<EdgeUntilBusy>::default();
    print("own", &judge_policy(world, own, &guards, &mut || {}), &best);
    for name in OTHERS {
        let mut deciding = Deciding::new(&PolicyConfig::named(name)?, scenario.seed)?;
        print(name, &judge(world, &mut deciding, &mut || {}), &best);
    }
    Ok(())
}

fn print(name: &str, judgement: &Judgement, best: &Judgement) {
    let report = &judgement.report;
    println!(
        "{name:<16} {:>8.2} {:>9.2} {:>7.0} {:>7.0} {:>8.1} {:>11}",
        report.miss_percent,
        report.misses as f64 / best.report.misses.max(1) as f64,
        report.latency_ms.p50,
        report.latency_ms.p99,
        report.cloud_percent,
        report.redispatched,
    );
}
