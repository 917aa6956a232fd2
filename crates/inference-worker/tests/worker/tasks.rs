//! Background tasks of the worker that panic, one after the other.

use crate::stage::{Moody, PATIENCE, RED, Stage, Unit, envelope, get, jpeg};
use frame::Destination;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use unit::{Faults, TaskFailure};

const UNIT: &str = "edge-inference";

/// Every background task of the unit with two model threads.
const TASKS: [&str; 11] = [
    "admin",
    "batches",
    "bus-consumer",
    "bus-monitor",
    "bus-producer",
    "condition broker",
    "condition partitions",
    "condition topics",
    "model-0",
    "model-1",
    "stop",
];

/// Waits until an answer of the admin port has this status and this text in it.
async fn until(admin: SocketAddr, path: &'static str, status: u16, part: &str) {
    let mut last = None;
    let wait = async {
        loop {
            last = tokio::task::spawn_blocking(move || get(admin, path).ok()).await.unwrap();
            if last.as_ref().is_some_and(|(got, text)| *got == status && text.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await;
    assert!(in_time.is_ok(), "{path} does not say {part}, but {last:?}");
}

/// Sees the unit end because of this task.
async fn ends_by(unit: Unit, task: &str) -> TaskFailure {
    let Unit { task: running, shutdown, admin } = unit;
    // without its task the admin port says nothing
    if task != "admin" {
        let named = format!("task '{task}' of {UNIT} panicked");
        until(admin, "/livez", 503, &named).await;
        until(admin, "/readyz", 503, &named).await;
        let counted = format!("mlvi_task_failures_total{{task=\"{task}\"}} 1");
        until(admin, "/metrics", 200, &counted).await;
    }
    let error = tokio::time::timeout(PATIENCE, running).await.expect(task).unwrap();
    assert!(!shutdown.is_cancelled(), "it has ended by itself");
    let failure: TaskFailure = error.expect_err(task).downcast().expect(task);
    assert_eq!((failure.unit.as_str(), &*failure.task), (UNIT, task));
    failure
}

async fn ends_by_planted(stage: &Stage, task: &'static str) {
    let faults = Faults::default();
    let is_thread = task.starts_with("bus-") || task.starts_with("model-");
    if is_thread {
        faults.plant(UNIT, task);
    }
    let group = task.replace(' ', "-");
    let settings = [("MLVI_GROUP", group.as_str())];
    let unit = stage.run_with_faults(Destination::Edge, &Moody::new(), &settings, &faults);
    if !is_thread {
        until(unit.admin, "/readyz", 200, "ready").await;
        faults.plant(UNIT, task);
    }
    ends_by(unit, task).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_that_panics_ends_the_unit_and_is_named() {
    let stage = Stage::set().await;
    let sound = stage.run_for(Destination::Edge, &Moody::new(), &[]);
    let admin = sound.admin;
    until(admin, "/readyz", 200, "ready").await;
    let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").unwrap().1);
    let metrics = metrics.await.unwrap();
    let prefix = "mlvi_task_failures_total{task=\"";
    let mut spawned: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(prefix)?.strip_suffix("\"} 0"))
        .collect();
    spawned.sort_unstable();
    assert_eq!(spawned, TASKS, "the list here is that of the unit");
    join_all(TASKS.map(|task| ends_by_planted(&stage, task))).await;
    until(admin, "/livez", 200, "alive").await;
    sound.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_panics_without_a_net_ends_the_unit() {
    let stage = Stage::set().await;
    let model = Moody::new();
    let settings = [("MLVI_MODEL_THREADS", "1")];
    let unit = stage.run_for(Destination::Edge, &model, &settings);
    until(unit.admin, "/readyz", 200, "ready").await;
    // the session that takes the place of a panicked one panics, too
    model.no_more_sessions.store(true, Ordering::Relaxed);
    stage.send(&envelope("gate", 0), jpeg(RED)).await;
    let failure = ends_by(unit, "model-0").await;
    assert!(failure.to_string().ends_with("there are no more sessions"), "{failure}");
    assert_eq!(stage.unfinished(Destination::Edge).await, 1, "the frame comes again");
}
