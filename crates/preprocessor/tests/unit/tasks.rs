//! Background tasks of the preprocessor that panic, one after the other, and policies that do.

use crate::{PATIENCE, Running, Stage, envelope, jpeg, next};
use frame::{Destination, FrameResult, ModelInfo, ResultMessage, ServedBy, Status, TimingsMs};
use futures_util::future::join_all;
use offload::{Choice, FrameFacts, Outcome, Policy, Snapshot};
use preprocessor::{run, run_with};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::{Faults, Listen, TaskFailure};

const UNIT: &str = "preprocessor";

/// Every background task of the unit.
const TASKS: [&str; 20] = [
    "admin",
    "announce",
    "backlog",
    "bus-consumer",
    "bus-monitor",
    "bus-producer",
    "bus-table",
    "bus-tail",
    "cluster",
    "condition broker",
    "condition partitions",
    "condition topics",
    "lessons",
    "policy-file",
    "regions-count",
    "regions-file",
    "results",
    "settings",
    "settings-topic",
    "stop",
];

/// What the admin port answers; `None` when it does not.
async fn get(admin: SocketAddr, path: &str) -> Option<(u16, String)> {
    let url = format!("http://{admin}{path}");
    let ask = move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let mut response = ureq::Agent::new_with_config(config.build()).get(url).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

/// Waits until an answer has this status and this text in it.
pub(crate) async fn until(admin: SocketAddr, path: &str, status: u16, part: &str) {
    let mut last = None;
    let wait = async {
        loop {
            last = get(admin, path).await;
            if last.as_ref().is_some_and(|(got, text)| *got == status && text.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await;
    assert!(in_time.is_ok(), "{path} does not say {part}, but {last:?}");
}

/// Starts a unit whose groups nobody else is in.
fn start(stage: &Stage, name: &str, faults: &Faults) -> Running {
    let policy = stage.dir.path().join("policy.toml");
    let regions = stage.dir.path().join("regions.toml");
    let groups = [format!("{name}-frames"), format!("{name}-held")];
    let mut config = stage.config(&[
        ("MLVI_POLICY_FILE", policy.to_str().unwrap()),
        ("MLVI_REGIONS_FILE", regions.to_str().unwrap()),
        ("MLVI_GROUP", &groups[0]),
        ("MLVI_REDISPATCH_GROUP", &groups[1]),
    ]);
    let (listen, admin) = Listen::loopback().unwrap();
    config.shell.admin = listen;
    config.shell.faults = faults.clone();
    let shutdown = CancellationToken::new();
    let unit = tokio::spawn(run(config, shutdown.clone()));
    Running { unit, shutdown, admin: Some(admin) }
}

async fn ends_by(stage: &Stage, task: &str) {
    let faults = Faults::default();
    let is_thread = task.starts_with("bus-");
    if is_thread {
        faults.plant(UNIT, task);
    }
    let running = start(stage, &task.replace(' ', "-"), &faults);
    let admin = running.admin.unwrap();
    if !is_thread {
        until(admin, "/readyz", 200, "ready").await;
        faults.plant(UNIT, task);
    }
    // without its task the admin port says nothing
    if task != "admin" {
        let named = format!("task '{task}' of {UNIT} panicked");
        until(admin, "/livez", 503, &named).await;
        until(admin, "/readyz", 503, &named).await;
        // there is one consumer of new frames, and one of those that the cloud has
        let times = if task == "bus-consumer" { 2 } else { 1 };
        let counted = format!("mlvi_task_failures_total{{task=\"{task}\"}} {times}");
        until(admin, "/metrics", 200, &counted).await;
    }
    let error = tokio::time::timeout(PATIENCE, running.unit).await.expect(task).unwrap();
    let error = error.expect_err(task);
    let failure: &TaskFailure = error.downcast_ref().expect(task);
    assert_eq!((failure.unit.as_str(), &*failure.task), (UNIT, task));
    assert!(!running.shutdown.is_cancelled(), "it has ended by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_that_panics_ends_the_unit_and_is_named() {
    let stage = Stage::set().await;
    stage.policy_file("policy = 'edge-only'");
    std::fs::write(stage.dir.path().join("regions.toml"), "").unwrap();
    let sound = start(&stage, "sound", &Faults::default());
    let admin = sound.admin.unwrap();
    until(admin, "/readyz", 200, "ready").await;
    let metrics = get(admin, "/metrics").await.unwrap().1;
    let mut spawned: Vec<&str> = metrics
        .lines()
        .filter_map(|line| {
            line.strip_prefix("mlvi_task_failures_total{task=\"")?.strip_suffix("\"} 0")
        })
        .collect();
    spawned.sort_unstable();
    assert_eq!(spawned, TASKS, "the list here is that of the unit");
    join_all(TASKS.map(|task| ends_by(&stage, task))).await;
    assert_eq!(get(admin, "/livez").await.unwrap().0, 200, "the others are not concerned");
    sound.stop().await;
}

/// Learns nothing, for it panics each time.
struct Unteachable;

impl Policy for Unteachable {
    fn name(&self) -> &str {
        "unteachable"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::send(Destination::Edge, "always")
    }

    fn learn(&mut self, _outcome: &Outcome) {
        panic!("this lesson is haunted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lesson_that_panics_costs_that_lesson_alone() {
    let mut stage = Stage::set().await;
    let shutdown = CancellationToken::new();
    let mut config = stage.config(&[]);
    let (listen, admin) = Listen::loopback().unwrap();
    config.shell.admin = listen;
    let unit = tokio::spawn(run_with(config, Box::new(Unteachable), shutdown.clone()));
    let lessons = "mlvi_preprocessor_policy_panics_total{call=\"learn\"}";
    for sequence in 0..3 {
        stage.send(&envelope("gate", sequence), jpeg(64, 48)).await;
        let sent_on = next(&mut stage.edge).await.envelope().unwrap();
        assert_eq!(sent_on.sequence, sequence);
        let model = ModelInfo {
            name: "played".into(),
            version: "1".into(),
            input: "1x1".into(),
            resize: None,
        };
        let served_by = ServedBy { unit: "edge-inference".into(), ..ServedBy::default() };
        let timings = TimingsMs { inference: Some(20.0), ..sent_on.timings() };
        let done = sent_on.done(vec![], model, served_by, timings);
        let result = ResultMessage::of(&sent_on, FrameResult { status: Status::Done, ..done });
        stage.bus.send_result(&stage.topics.results, result, &shutdown).await.unwrap();
        until(admin, "/metrics", 200, &format!("{lessons} {}", sequence + 1)).await;
    }
    // what is seen of the tiers is still taken in
    until(admin, "/metrics", 200, "mlvi_preprocessor_answer_seconds_count{tier=\"edge\"} 3").await;
    until(admin, "/livez", 200, "alive").await;
    Running { unit, shutdown, admin: None }.stop().await;
}
