//! A suite that loses a background task ends as a whole.

use super::*;
use std::net::{Ipv4Addr, SocketAddr};
use tempfile::TempDir;
use unit::{Faults, TaskFailure};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a network of one convolution, which takes no time to load.
fn models() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &[u8]| std::fs::write(dir.path().join(name), content).unwrap();
    let description = "name = \"tiny\"\nformat = \"darknet\"\nconfig = \"tiny.cfg\"\n\
                       names = \"tiny.names\"\n[weights]\nfile = \"tiny.weights\"\n\
                       size_bytes = 116\n";
    let config = "[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=6\nactivation=linear\n\
                  [yolo]\nclasses=1\nnum=1\nanchors=8,8\n";
    write("tiny.toml", description.as_bytes());
    write("tiny.cfg", config.as_bytes());
    write("tiny.names", b"thing\n");
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    let numbers = [0.0f32; 24].into_iter().flat_map(f32::to_le_bytes);
    write("tiny.weights", &header.chain(numbers).collect::<Vec<u8>>());
    dir
}

/// A suite that is ready, and its table of faults.
async fn suite(models: &TempDir, data: &TempDir) -> (Suite, Faults) {
    let faults = Faults::default();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = SuiteConfig { http: any, ..SuiteConfig::embedded(data.path()) }
        .with("MLVI_MODELS_DIR", models.path().display())
        .with("MLVI_MODEL", "tiny")
        .with("MLVI_MODEL_THREADS", 1)
        .with("MLVI_DRAIN", "2s");
    let config = SuiteConfig { faults: faults.clone(), ..config };
    let mut suite = Suite::start(config).await.unwrap();
    suite.ready(PATIENCE).await.unwrap();
    (suite, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_ends_the_suite_and_is_named() {
    let models = models();
    for (unit, task, named) in [
        ("web-server", "results", "web-server has ended"),
        ("cloud-inference", "batches", "cloud-inference has ended"),
        (SUITE, "broker connections", "the embedded broker has failed"),
        (SUITE, "broker upkeep", "the embedded broker has failed"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let (mut suite, faults) = suite(&models, &data).await;
        faults.plant(unit, task);
        let error = tokio::time::timeout(PATIENCE, suite.until_one_ends()).await.expect(task);
        assert!(error.to_string().contains(named), "{error:#}");
        let failure: &TaskFailure = error.downcast_ref().expect(task);
        assert_eq!((failure.unit.as_str(), &*failure.task), (unit, task));
        // the others can still be stopped; a failure of the suite's own tasks is told again, so
        // that one during the stop is not lost
        let stopped = tokio::time::timeout(PATIENCE, suite.stop()).await.expect(task);
        assert_eq!(stopped.is_err(), unit == SUITE, "{stopped:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_stopped_and_started_has_not_failed() {
    let (models, data) = (models(), tempfile::tempdir().unwrap());
    let (mut suite, _) = suite(&models, &data).await;
    suite.stop_broker().await.unwrap();
    suite.start_broker().await.unwrap();
    suite.ready(PATIENCE).await.unwrap();
    suite.stop().await.unwrap();
}
