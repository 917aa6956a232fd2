//! What happens to frames, seen from outside.

use frame::Destination::{self, Cloud, Edge};
use frame::PerTier;
use offload::{
    Action, BreakerState, Capacity, End, FrameFacts, Hardness, Measured, PolicyConfig, TakenTo,
    TierResult,
};
use simulator::*;
use std::collections::BTreeMap;

/// Sends frames where it is told and writes down what it hears.
struct Scripted {
    action: Action,
    answer_after: Option<Micros>,
    late: Option<TakenTo>,
    provisional_after: Option<Micros>,
    heard: Vec<(usize, TierResult, Micros)>,
    lags: Vec<(Destination, u64)>,
    capacities: Vec<(Destination, Capacity)>,
}

impl Scripted {
    fn new(action: Action) -> Self {
        Self {
            action,
            answer_after: None,
            late: None,
            provisional_after: None,
            heard: Vec::new(),
            lags: Vec::new(),
            capacities: Vec::new(),
        }
    }
}

impl Dispatcher for Scripted {
    fn decide(&mut self, _frame: usize, _facts: &FrameFacts, now: Micros) -> Routed {
        let answer_by = self.answer_after.map(|after| now + after);
        Routed { action: self.action.clone(), reason: "scripted", answer_by, predicted_ms: None }
    }

    fn result(&mut self, frame: usize, result: &TierResult, now: Micros) -> Option<Micros> {
        self.heard.push((frame, *result, now));
        self.provisional_after.map(|after| now + after)
    }

    fn late(&mut self, _frame: usize, _now: Micros) -> Option<TakenTo> {
        self.late
    }

    fn lag(&mut self, tier: Destination, frames: u64) {
        self.lags.push((tier, frames));
    }

    fn capacity(&mut self, tier: Destination, capacity: Capacity) {
        self.capacities.push((tier, capacity));
    }

    fn breaker(&mut self, _tier: Destination, _now: Micros) -> BreakerState {
        BreakerState::Closed
    }
}

fn tier(workers: u32, service_ms: f64) -> TierSetup {
    TierSetup {
        workers,
        service_ms,
        service_sigma: 0.0,
        service_times: None,
        accuracy: 1.0,
        autoscale: None,
    }
}

/// Ten frames a second of 10,000 bytes each for a second; at 8 Mbit/s one takes 10 ms.
fn simple() -> Scenario {
    Scenario {
        minutes: 1.0 / 60.0,
        preprocess_ms: 5.0,
        load: Load {
            base_fps: 10.0,
            burst_s: 0.0,
            arrivals: Arrivals::Regular,
            deadline_ms: 0.0,
            frame_bytes: 10_000.0,
            frame_sigma: 0.0,
            ..Load::default()
        },
        edge: tier(1, 50.0),
        cloud: tier(1, 20.0),
        uplink: UplinkSetup { rtt_ms: 30.0, ..UplinkSetup::default() },
        ..Scenario::default()
    }
}

fn run_with(scenario: &Scenario, dispatcher: &mut dyn Dispatcher, judge: Judge<'_>) -> History {
    let trace = Trace::constant("8 Mbit/s", 8.0).expect("a valid trace");
    let jobs = workload(scenario, 0);
    simulate(World { scenario, trace: &trace, jobs: &jobs, judge }, dispatcher, &mut || {})
}

fn run(scenario: &Scenario, dispatcher: &mut dyn Dispatcher) -> History {
    run_with(scenario, dispatcher, &|_, _| None)
}

fn latencies(history: &History) -> Vec<f64> {
    history.frames.iter().map(|record| record.latency_ms().expect("a tier answered")).collect()
}

#[test]
fn without_a_queue_a_frame_takes_the_sum_of_its_parts() {
    let on_edge = run(&simple(), &mut Scripted::new(Action::Send(Edge)));
    assert_eq!(latencies(&on_edge), vec![55.0; 10]);
    let mut scripted = Scripted::new(Action::Send(Cloud));
    let in_cloud = run(&simple(), &mut scripted);
    // 5 of preprocessing, 10 on the uplink, 15 of distance, 20 of work, 15 of distance
    assert_eq!(latencies(&in_cloud), vec![65.0; 10]);
    assert_eq!(in_cloud.frames[0].bytes_up, 10_000);
    let times = |edge, cloud| PerTier { edge, cloud };
    assert_eq!(in_cloud.frames[0].inferences, times(0, 1));
    assert_eq!(on_edge.frames[0].inferences, times(1, 0));
    let (frame, result, _) = scripted.heard[3];
    assert_eq!(
        (frame, result.end, result.service_ms, result.provisional),
        (3, End::Done, Some(20.0), false)
    );
}

#[test]
fn who_comes_later_waits_longer_and_a_second_worker_helps() {
    let crowded = |workers| Scenario { edge: tier(workers, 150.0), ..simple() };
    let waiting = run(&crowded(1), &mut Scripted::new(Action::Send(Edge)));
    assert_eq!(latencies(&waiting)[..3], [155.0, 205.0, 255.0]);
    let helped = run(&crowded(2), &mut Scripted::new(Action::Send(Edge)));
    assert_eq!(latencies(&helped), vec![155.0; 10]);
}

#[test]
fn a_frame_taken_up_after_its_deadline_expires_without_work() {
    let load = Load { deadline_ms: 200.0, ..simple().load };
    let scenario = Scenario { edge: tier(1, 150.0), load, ..simple() };
    let history = run(&scenario, &mut Scripted::new(Action::Send(Edge)));
    let report = Report::of(&history, &scenario);
    // one frame every 100 ms, 150 ms each: the wait grows by 50 until it is beyond the deadline
    assert_eq!(history.frames[0].answer, Some((Answer::Done(Edge), 255_000)));
    assert!(history.frames.iter().any(|record| record.answer.unwrap().0 == Answer::Expired));
    let late = history
        .frames
        .iter()
        .filter(|record| record.latency_ms().is_some_and(|ms| ms > 200.0))
        .count() as u64;
    assert!(late > 0 && report.expired > 0);
    assert_eq!((report.misses, report.lost), (late + report.expired, 0));
    let worked: u8 = history.frames.iter().map(|record| record.inferences.edge).sum();
    assert_eq!(u64::from(worked), report.answered);
}

#[test]
fn a_frame_taken_back_is_passed_over_by_the_cloud() {
    // the cloud is busy for 3 s with the first frame
    let scenario = Scenario { cloud: tier(1, 3000.0), ..simple() };
    let mut scripted = Scripted::new(Action::Send(Cloud));
    (scripted.answer_after, scripted.late) = (Some(400_000), Some(TakenTo::Edge));
    let history = run(&scenario, &mut scripted);
    assert!(latencies(&history).iter().all(|ms| *ms == 455.0), "{:?}", latencies(&history));
    assert!(
        history
            .frames
            .iter()
            .all(|record| record.redispatched && record.answer.unwrap().0 == Answer::Done(Edge))
    );
    let inferences: u8 = history.frames.iter().map(|record| record.inferences.cloud).sum();
    assert_eq!(inferences, 1, "the cloud works on what it took up in time only");
    // its late answer is heard all the same
    assert_eq!(scripted.heard.iter().filter(|(_, result, _)| result.tier == Cloud).count(), 1);
    let last = scripted.lags.iter().rev().find(|(tier, _)| *tier == Cloud).unwrap();
    assert_eq!(last.1, 0, "nothing is left behind");
}

#[test]
fn a_cut_delays_and_loses_nothing() {
    let uplink = UplinkSetup { cuts: vec!["0.1s+2s".parse().unwrap()], ..simple().uplink };
    let scenario = Scenario { uplink, ..simple() };
    let mut scripted = Scripted::new(Action::Send(Cloud));
    let history = run(&scenario, &mut scripted);
    assert_eq!(Report::of(&history, &scenario).lost, 0);
    let first = history.frames[0].answer.unwrap().1;
    // the first frame leaves at its turn right after the cut, one has 10 ms each, and the cloud 20
    // ms
    assert_eq!(first, 2_100_000 + 10_000 + 15_000 + 20_000 + 15_000);
    assert_eq!(history.frames[1].answer.unwrap().1, first + 20_000);
}

fn hardness() -> Hardness {
    "mean-confidence<0.5".parse().expect("a measure of hardness")
}

fn edge_answer(hard: bool) -> EdgeAnswer {
    let score = Some(if hard { 1.0 } else { 0.0 });
    EdgeAnswer { hard, measured: Measured { score, features: None }, loss: 0.5, wrong: 1.0 }
}

#[test]
fn a_cascade_asks_the_cloud_about_hard_frames_only() {
    let mut scripted = Scripted::new(Action::Cascade(hardness()));
    let scenario = simple();
    let jobs = workload(&scenario, 2);
    let trace = Trace::constant("8 Mbit/s", 8.0).unwrap();
    let world = World {
        scenario: &scenario,
        trace: &trace,
        jobs: &jobs,
        judge: &|image, _| Some(edge_answer(image == 1)),
    };
    let history = simulate(world, &mut scripted, &mut || {});
    for record in &history.frames {
        let (by, latency) = if record.image == 1 { (Cloud, 115.0) } else { (Edge, 55.0) };
        assert_eq!(
            (record.answer.unwrap().0, record.latency_ms()),
            (Answer::Done(by), Some(latency))
        );
    }
    assert_eq!(history.frames.iter().filter(|record| record.escalated).count(), 5);
    let heard = |of: fn(&TierResult) -> bool| {
        scripted.heard.iter().filter(|(_, result, _)| of(result)).count()
    };
    assert_eq!(heard(|result| result.provisional), 5);
    assert_eq!(heard(|result| result.measured == Some(edge_answer(true).measured)), 5);
    assert_eq!(heard(|result| result.measured == Some(edge_answer(false).measured)), 5);
    assert_eq!(heard(|result| result.tier == Cloud && result.loss == Some(0.5)), 5);
    assert_eq!(heard(|result| result.loss.is_some()), 5);
    assert_eq!(history.unjudged, 0);
    assert_eq!(run(&simple(), &mut Scripted::new(Action::Cascade(hardness()))).unjudged, 10);
}

#[test]
fn a_share_of_the_frames_goes_on_whatever_their_scores_are() {
    let scenario = Scenario { minutes: 2.0, ..simple() };
    let jobs = workload(&scenario, 9);
    let trace = Trace::constant("8 Mbit/s", 8.0).unwrap();
    // five images have nothing in them, the others are ever harder
    let score = |image: u32| f64::from(image.saturating_sub(4));
    let at_edge = |image: u32, hardness: &Hardness| {
        let measured = Measured { score: Some(score(image)), features: None };
        let hard = hardness.is_hard_by(measured.score);
        Some(EdgeAnswer { hard, measured, loss: 0.5, wrong: 1.0 })
    };
    for share in [0.1, 0.3, 0.8] {
        let text = format!("policy = 'cascade'\n[cascade]\nshare = {share}");
        let config = PolicyConfig::from_toml(&text).unwrap();
        let mut deciding = Deciding::new(&config, 1).unwrap();
        let world = World { scenario: &scenario, trace: &trace, jobs: &jobs, judge: &at_edge };
        let history = simulate(world, &mut deciding, &mut || {});
        let frames = history.frames.len() as f64;
        let sent = history.frames.iter().filter(|record| record.inferences[Cloud] > 0);
        let met = sent.clone().count() as f64 / frames;
        assert!((met - share).abs() < 0.05, "{met} of {share}");
        let hardest = sent.filter(|record| record.image == 8).count();
        let all = history.frames.iter().filter(|record| record.image == 8).count();
        // those are a ninth of the frames
        assert!(share < 0.2 || hardest * 10 > all * 9, "{hardest} of {all}");
    }
}

#[test]
fn a_provisional_answer_counts_when_no_better_one_comes() {
    let hard = |_: u32, _: &Hardness| Some(edge_answer(true));
    let uplink = UplinkSetup { cuts: vec!["0s+10s".parse().unwrap()], ..simple().uplink };
    let cut = Scenario { uplink, ..simple() };
    let with_deadline =
        Scenario { load: Load { deadline_ms: 300.0, ..cut.load.clone() }, ..cut.clone() };
    let history = run_with(&with_deadline, &mut Scripted::new(Action::Cascade(hardness())), &hard);
    assert_eq!(latencies(&history), vec![300.0; 10]);
    assert!(
        history
            .frames
            .iter()
            .all(|record| record.answer.unwrap().0 == Answer::Done(Edge) && !record.missed())
    );
    let mut scripted = Scripted::new(Action::Cascade(hardness()));
    (scripted.provisional_after, scripted.late) = (Some(100_000), Some(TakenTo::Provisional));
    assert_eq!(latencies(&run_with(&cut, &mut scripted, &hard)), vec![155.0; 10]);
}

#[test]
fn autoscaling_is_told_and_helps() {
    let autoscale = Autoscale { min: 1, max: 3, target: 0.5, start_s: 10.0, stabilisation_s: 60.0 };
    let scenario = Scenario {
        minutes: 2.0,
        edge: TierSetup { autoscale: Some(autoscale), ..tier(1, 150.0) },
        ..simple()
    };
    let mut scripted = Scripted::new(Action::Send(Edge));
    let history = run(&scenario, &mut scripted);
    let scalings: Vec<(Micros, u32)> =
        history.scalings.iter().map(|scaling| (scaling.at / 1_000_000, scaling.workers)).collect();
    assert_eq!(scalings[..2], [(0, 1), (25, 2)]);
    assert!(scalings.iter().any(|(_, workers)| *workers == 3));
    let mut at_most = scripted
        .capacities
        .iter()
        .filter(|(tier, _)| *tier == Edge)
        .map(|(_, capacity)| capacity.at_maximum);
    assert_eq!(at_most.next_back(), Some(Some(true)));
    assert_eq!(scripted.capacities[1].1, Capacity { workers: Some(1), at_maximum: None });
    assert!(history.frames.last().unwrap().latency_ms().unwrap() < 200.0);
}

fn with_policy(name: &str, scenario: &Scenario) -> (History, Report) {
    let mut deciding = Deciding::new(&PolicyConfig::named(name).expect("a policy"), scenario.seed)
        .expect("a usable policy");
    let history = run(scenario, &mut deciding);
    let report = Report::of(&history, scenario);
    (history, report)
}

#[test]
fn the_same_seed_gives_the_same_history_with_every_policy() {
    let scenario = Scenario { minutes: 3.0, ..Scenario::default() };
    for name in ["edge-only", "cloud-only", "alternate", "ratio", "deadline", "bandit"] {
        let (history, report) = with_policy(name, &scenario);
        assert_eq!(report.lost, 0, "{name}");
        assert_eq!(report.reasons.values().sum::<u64>(), report.frames, "{name}");
        let (again, _) = with_policy(name, &scenario);
        assert_eq!(history, again, "{name}");
        assert_ne!(
            history,
            with_policy(name, &Scenario { seed: 2, ..scenario.clone() }).0,
            "{name}"
        );
    }
}

#[test]
fn a_cut_uplink_loses_no_frame_with_any_policy() {
    let uplink = UplinkSetup { cuts: vec!["60s+60s".parse().unwrap()], ..UplinkSetup::default() };
    let scenario = Scenario { minutes: 5.0, uplink, ..Scenario::default() };
    let names = ["edge-only", "cloud-only", "alternate", "ratio", "deadline", "bandit"];
    let lost: BTreeMap<&str, u64> =
        names.iter().map(|name| (*name, with_policy(name, &scenario).1.lost)).collect();
    assert!(lost.values().all(|lost| *lost == 0), "{lost:?}");
}

#[test]
fn scenario_files_are_read_and_their_mistakes_named() {
    let scenario = Scenario::from_toml(
        "minutes = 5\n[load]\nburst_fps = 80\n\
         [uplink]\ncuts = [\"30s+5s\"]\n[cloud.autoscale]\nmax = 9\n",
    );
    let scenario = scenario.unwrap();
    assert_eq!(
        (scenario.minutes, scenario.load.burst_fps, scenario.load.base_fps),
        (5.0, 80.0, 5.0)
    );
    let cloud = Scenario::default().cloud;
    assert_eq!(
        (scenario.cloud.workers, scenario.cloud.service_ms),
        (cloud.workers, cloud.service_ms),
        "what is left out has the default"
    );
    assert_eq!(scenario.cloud.autoscale.unwrap().max, 9);
    assert_eq!(scenario.uplink.cuts[0].from_s, 30.0);
    for (text, part) in [
        ("minutes = 0", "minutes is 0: it must be above 0"),
        ("[load]\nburst_s = 200", "load.burst_s is 200"),
        ("[edge]\nworkers = 0", "edge.workers is 0"),
        ("[cloud.autoscale]\nmin = 5", "autoscale.max is 4: it must be at least min"),
        ("[load]\nspeed = 1", "unknown field `speed`"),
        ("[uplink]\ncuts = [\"soon\"]", "'soon' is not a cut"),
        ("seed = \n", "line 1"),
    ] {
        let message = Scenario::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
}
