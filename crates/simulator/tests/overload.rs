//! More work than can be done in time: what counts is that no tier idles while the other one has a
//! queue.

use frame::Destination::{Cloud, Edge};
use offload::PolicyConfig;
use simulator::*;

const STARVED: &str = include_str!("../scenarios/starved.toml");
const OVERLOAD: &str = include_str!("../scenarios/overload.toml");
const DEPLOYED: &str = include_str!("../../../deploy/preprocessor/policy.yml");

/// The policy file that stands in the ConfigMap.
fn deployed() -> PolicyConfig {
    let (_, block) =
        DEPLOYED.split_once("policy.toml: |\n").expect("a policy file in the ConfigMap");
    let text: Vec<&str> =
        block.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    PolicyConfig::from_toml(&text.join("\n")).expect("a policy that can be used")
}

/// What came of a scenario: the mean time to an answer in seconds, and the moment of the last one.
struct Ending {
    name: String,
    mean_s: f64,
    last_s: f64,
    history: History,
}

fn run(scenario: &Scenario, name: &str, policy: &PolicyConfig) -> Ending {
    let trace = Trace::constant("50 Mbit/s", 50.0).expect("a trace");
    let jobs = workload(scenario, 0);
    let mut deciding = Deciding::new(policy, scenario.seed).expect("a usable policy");
    let world = World { scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };
    let history = simulate(world, &mut deciding, &mut || {});
    let report = Report::of(&history, scenario);
    assert_eq!((report.lost, report.expired), (0, 0), "{name}");
    let last = history
        .frames
        .iter()
        .filter_map(|record| record.answer)
        .map(|(_, at)| at)
        .max()
        .unwrap_or(0);
    Ending {
        name: name.to_owned(),
        mean_s: report.latency_ms.mean / 1000.0,
        last_s: last as f64 / 1e6,
        history,
    }
}

fn others(scenario: &Scenario) -> Vec<Ending> {
    ["edge-only", "cloud-only", "alternate", "ratio", "bandit"]
        .into_iter()
        .map(|name| run(scenario, name, &PolicyConfig::named(name).expect("a policy")))
        .collect()
}

/// Against every other policy: the mean time to an answer, and the time until all are answered.
fn wins(text: &str) {
    let scenario = Scenario::from_toml(text).expect("a scenario");
    let ours = run(&scenario, "deployed", &deployed());
    for other in others(&scenario) {
        assert!(
            ours.mean_s <= other.mean_s,
            "{}: {:.2} s on average, ours {:.2} s",
            other.name,
            other.mean_s,
            ours.mean_s
        );
        assert!(
            ours.last_s <= other.last_s * 1.02,
            "{}: all after {:.1} s, ours {:.1} s",
            other.name,
            other.last_s,
            ours.last_s
        );
    }
    // the guess of what both queues take is off by a little, which shows when the last of hundreds
    // of seconds of work are done
    let within_s = (ours.last_s / 100.0).max(5.0);
    let longest_s = longest_imbalance_s(&ours.history);
    assert!(longest_s < within_s, "{longest_s:.1} s, all is answered after {:.1} s", ours.last_s);
}

/// For how many seconds one tier was empty while more than a hundred frames waited for the other
/// one.
fn longest_imbalance_s(history: &History) -> f64 {
    let end = history
        .frames
        .iter()
        .filter_map(|record| record.answer)
        .map(|(_, at)| at)
        .max()
        .unwrap_or(0);
    let waiting = |tier, at: Micros| {
        let is_waiting = |record: &&Record| {
            let by = record.answer.map_or(Micros::MAX, |(_, at)| at);
            let where_it_is = if record.redispatched { Some(Edge) } else { record.destination };
            where_it_is == Some(tier) && record.arrival <= at && at < by
        };
        history.frames.iter().filter(is_waiting).count()
    };
    let (mut longest, mut since) = (0, None);
    for at in (0..end).step_by(500_000) {
        let (edge, cloud) = (waiting(Edge, at), waiting(Cloud, at));
        if edge.min(cloud) == 0 && edge.max(cloud) > 100 {
            let since = *since.get_or_insert(at);
            longest = longest.max(at - since);
        } else {
            since = None;
        }
    }
    longest as f64 / 1e6
}

#[test]
fn the_deployed_policy_wins_on_a_starved_node() {
    wins(STARVED);
}

#[test]
fn the_deployed_policy_wins_at_a_hundred_times_the_load() {
    wins(OVERLOAD);
}

#[test]
fn a_cloud_with_the_shorter_queue_keeps_its_frames() {
    let scenario = Scenario::from_toml(STARVED).expect("a scenario");
    let ending = run(&scenario, "alternate", &PolicyConfig::named("alternate").expect("a policy"));
    let taken_back = ending.history.frames.iter().filter(|record| record.redispatched).count();
    let in_the_cloud =
        ending.history.frames.iter().filter(|record| record.destination == Some(Cloud)).count();
    assert!(taken_back * 50 < in_the_cloud, "{taken_back} of {in_the_cloud} were taken back");
}

#[test]
fn a_cut_loses_no_frame_when_the_edge_is_overloaded() {
    let mut scenario = Scenario::from_toml(STARVED).expect("a scenario");
    scenario.uplink.cuts = vec!["90s+60s".parse().expect("a cut")];
    for name in ["alternate", "cloud-only", "deadline"] {
        run(
            &scenario,
            name,
            &PolicyConfig {
                deadline: deployed().deadline,
                ..PolicyConfig::named(name).expect("a policy")
            },
        );
    }
    run(&scenario, "deployed", &deployed());
}
