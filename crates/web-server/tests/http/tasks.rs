//! Background tasks of the web-server that panic, one after the other.

use crate::access::watched_files;
use crate::client::{get, try_get};
use crate::suite::{Kafka, PATIENCE, Server};
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::time::Duration;
use unit::{Faults, TaskFailure};

const UNIT: &str = web_server::UNIT;

/// Every background task of the unit.
const TASKS: [&str; 19] = [
    "admin",
    "backlog",
    "bus-monitor",
    "bus-producer",
    "bus-table",
    "bus-tail",
    "certificate",
    "condition broker",
    "expiry",
    "picture-0",
    "picture-1",
    "pictures",
    "regions-file",
    "results",
    "settings",
    "settings-topic",
    "stop",
    "tokens",
    "topics",
];

/// Waits until an answer of the admin port has this status and this text in it.
async fn until(admin: SocketAddr, path: &str, status: u16, part: &str) {
    let mut last = None;
    let wait = async {
        loop {
            last = try_get(admin, path)
                .await
                .map(|reply| (reply.status, String::from_utf8_lossy(&reply.body).into_owned()));
            if last.as_ref().is_some_and(|(got, text)| *got == status && text.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await;
    assert!(in_time.is_ok(), "{path} does not say {part}, but {last:?}");
}

async fn ends_by(broker: SocketAddr, settings: &[(&str, &str)], task: &str) {
    let faults = Faults::default();
    let is_thread = task.starts_with("bus-") || task.starts_with("picture-");
    if is_thread {
        faults.plant(UNIT, task);
    }
    let server = Server::start_with_faults(broker, settings, &faults);
    if !is_thread {
        server.until_ready(true).await;
        faults.plant(UNIT, task);
    }
    // without its task the admin port says nothing
    if task != "admin" {
        let named = format!("task '{task}' of {UNIT} panicked");
        until(server.admin, "/livez", 503, &named).await;
        // it would stay ready whatever else is away
        until(server.admin, "/readyz", 503, &named).await;
        let counted = format!("mlvi_task_failures_total{{task=\"{task}\"}} 1");
        until(server.admin, "/metrics", 200, &counted).await;
    }
    let error = tokio::time::timeout(PATIENCE, server.task).await.expect(task).unwrap();
    let failure: TaskFailure = error.expect_err(task).downcast().expect(task);
    assert_eq!((failure.unit.as_str(), &*failure.task), (UNIT, task));
    assert!(!server.shutdown.is_cancelled(), "it has ended by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_task_that_panics_ends_the_unit_and_is_named() {
    let kafka = Kafka::start().await;
    // there are tasks for them, too
    let files = watched_files(kafka.dir.path());
    let settings: Vec<(&str, &str)> = files.iter().map(|(name, file)| (*name, &**file)).collect();
    let sound = Server::ready(kafka.address, &settings).await;
    let metrics = String::from_utf8(get(sound.admin, "/metrics").await.body).unwrap();
    let prefix = "mlvi_task_failures_total{task=\"";
    let mut spawned: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(prefix)?.strip_suffix("\"} 0"))
        .collect();
    spawned.sort_unstable();
    assert_eq!(spawned, TASKS, "the list here is that of the unit");
    join_all(TASKS.map(|task| ends_by(kafka.address, &settings, task))).await;
    assert_eq!(get(sound.admin, "/livez").await.status, 200, "the others are not concerned");
    sound.stop().await;
}
