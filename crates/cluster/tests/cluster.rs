//! The cluster watched through a played API server: what is seen, and what becomes of it when the
//! server misbehaves.

mod played_api;

use anyhow::Context as _;
use cluster::{
    Cluster, ClusterAccess, ClusterConfig, ClusterSnapshot, ClusterState, DeploymentCapacity,
    HpaState, Pacing,
};
use played_api::{Ending, Kind, PlayedApi};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

/// What never comes shall not hang a test for ever; what comes late shall not fail it.
const PATIENCE: Duration = Duration::from_secs(120);

async fn patiently<F: Future>(what: &str, future: F) -> anyhow::Result<F::Output> {
    tokio::time::timeout(PATIENCE, future).await.with_context(|| format!("in vain: {what}"))
}

/// A watched cluster with its kubeconfig, at a quick pace.
struct Watched {
    cluster: Cluster,
    capacity: watch::Receiver<ClusterSnapshot>,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn new(api: &PlayedApi, keep: Duration) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("config");
        write_kubeconfig(&kubeconfig, api)?;
        let shutdown = CancellationToken::new();
        let cluster = Cluster::watch(config(&kubeconfig, keep), &shutdown);
        Ok(Self { capacity: cluster.capacity(), cluster, shutdown, _folder: folder })
    }

    async fn until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&ClusterSnapshot) -> bool,
    ) -> anyhow::Result<ClusterSnapshot> {
        let seen = patiently(what, self.capacity.wait_for(|snapshot| is_so(snapshot))).await?;
        Ok(seen?.clone())
    }
}

fn config(kubeconfig: &Path, keep: Duration) -> ClusterConfig {
    let pacing = Pacing {
        first_retry: Duration::from_millis(10),
        longest_retry: Duration::from_millis(50),
        answer: Duration::from_secs(20),
        keep,
        ..Pacing::default()
    };
    ClusterConfig {
        access: ClusterAccess::Kubeconfig(Some(kubeconfig.to_owned())),
        pacing,
        ..ClusterConfig::default()
    }
}

/// The namespace comes from the context.
fn write_kubeconfig(path: &Path, api: &PlayedApi) -> std::io::Result<()> {
    let yaml = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: played\n\
         clusters: [{{name: played, cluster: {{server: 'http://{}'}}}}]\n\
         users: [{{name: tester, user: {{token: secret}}}}]\n\
         contexts: [{{name: played, context: {{cluster: played, user: tester, namespace: \
         video}}}}]\n",
        api.address
    );
    std::fs::write(path, yaml)
}

const LONG: Duration = Duration::from_secs(3600);

fn pods(desired: u32, ready: u32) -> Option<DeploymentCapacity> {
    Some(DeploymentCapacity { desired, ready, hpa: None })
}

#[tokio::test]
async fn deployments_and_their_autoscalers_are_seen_as_they_change() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    api.change(|world| {
        world.deployment("edge-inference", 1, 1);
        world.deployment("cloud-inference", 2, 1);
        world.deployment("web-server", 7, 7);
        world.autoscaler("scales-the-cloud", "cloud-inference", 4, 2);
        world.autoscaler("scales-the-web-server", "web-server", 7, 7);
    });
    let mut watched = Watched::new(&api, LONG)?;
    let below = HpaState { min: 1, max: 4, current: 2, at_maximum: false };
    let first = ClusterSnapshot {
        state: ClusterState::Watching,
        autoscalers: ClusterState::Watching,
        edge: pods(1, 1),
        cloud: Some(DeploymentCapacity { desired: 2, ready: 1, hpa: Some(below) }),
    };
    watched.until("the first lists", |snapshot| *snapshot == first).await?;

    api.change(|world| {
        world.deployment("cloud-inference", 4, 3);
        world.autoscaler("scales-the-cloud", "cloud-inference", 4, 4);
    });
    let full = HpaState { min: 1, max: 4, current: 4, at_maximum: true };
    let expected = Some(DeploymentCapacity { desired: 4, ready: 3, hpa: Some(full) });
    watched.until("the maximum", |snapshot| snapshot.cloud == expected).await?;

    api.change(|world| world.delete(Kind::Autoscaler, "scales-the-cloud"));
    watched.until("no autoscaler", |snapshot| snapshot.cloud == pods(4, 3)).await?;
    api.change(|world| world.delete(Kind::Deployment, "cloud-inference"));
    let gone = watched.until("no deployment", |snapshot| snapshot.cloud.is_none()).await?;
    assert_eq!((gone.state, gone.edge), (ClusterState::Watching, pods(1, 1)));
    api.change(|world| world.deployment("cloud-inference", 1, 0));
    watched.until("a new deployment", |snapshot| snapshot.cloud == pods(1, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn capacity_is_known_only_while_there_is_permission() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    api.change(|world| {
        world.refused.extend([Kind::Deployment, Kind::Autoscaler]);
        world.deployment("edge-inference", 2, 2);
        world.autoscaler("edge", "edge-inference", 2, 2);
    });
    let mut watched = Watched::new(&api, LONG)?;
    let is_refused = |state: &ClusterState| matches!(state, ClusterState::Refused { reason } if reason.contains("forbidden"));
    let both = |snapshot: &ClusterSnapshot| {
        is_refused(&snapshot.state) && is_refused(&snapshot.autoscalers)
    };
    let refused = watched.until("the refusal", both).await?;
    assert_eq!((refused.edge, refused.cloud), (None, None));

    api.change(|world| world.refused.clear());
    let hpa = |snapshot: &ClusterSnapshot| snapshot.edge.and_then(|edge| edge.hpa);
    watched.until("permission", |snapshot| hpa(snapshot).is_some_and(|hpa| hpa.at_maximum)).await?;

    api.change(|world| {
        world.refused.extend([Kind::Deployment, Kind::Autoscaler]);
        world.end_watches(Ending::Clean);
    });
    let taken = watched.until("the refusal again", both).await?;
    assert_eq!(taken.edge, None);
    Ok(())
}

#[tokio::test]
async fn deployments_are_known_when_only_autoscalers_are_refused() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    api.change(|world| {
        world.refused.insert(Kind::Autoscaler);
        world.deployment("edge-inference", 2, 1);
        world.autoscaler("edge", "edge-inference", 2, 2);
    });
    let mut watched = Watched::new(&api, LONG)?;
    let refused =
        |snapshot: &ClusterSnapshot| matches!(snapshot.autoscalers, ClusterState::Refused { .. });
    let seen =
        watched.until("half", |snapshot| refused(snapshot) && snapshot.edge.is_some()).await?;
    assert_eq!((seen.state, seen.edge), (ClusterState::Watching, pods(2, 1)));
    Ok(())
}

#[tokio::test]
async fn a_server_that_comes_late_is_found() -> anyhow::Result<()> {
    let mut api = PlayedApi::away().await?;
    api.change(|world| world.deployment("edge-inference", 1, 1));
    let mut watched = Watched::new(&api, LONG)?;
    let away =
        watched.until("nobody there", |snapshot| snapshot.state.name() == "unreachable").await?;
    assert!(away.state.reason().is_some_and(|reason| reason.contains("refused")), "{away:?}");
    assert_eq!(away.edge, None);
    api.come().await?;
    let seen = watched.until("the server", |snapshot| snapshot.edge.is_some()).await?;
    assert_eq!((seen.state, seen.edge), (ClusterState::Watching, pods(1, 1)));
    Ok(())
}

#[tokio::test]
async fn what_was_known_outlives_a_restart_of_the_server() -> anyhow::Result<()> {
    let mut api = PlayedApi::start().await?;
    api.change(|world| world.deployment("edge-inference", 3, 3));
    let mut watched = Watched::new(&api, LONG)?;
    watched.until("the deployment", |snapshot| snapshot.edge == pods(3, 3)).await?;
    api.go().await;
    let away = watched
        .until("the server is gone", |snapshot| snapshot.state.name() == "unreachable")
        .await?;
    assert_eq!(away.edge, pods(3, 3));
    // nobody was told of this one
    api.change(|world| world.deployment("edge-inference", 3, 2));
    api.come().await?;
    let back = watched.until("the server is back", |snapshot| snapshot.edge == pods(3, 2)).await?;
    assert_eq!(back.state, ClusterState::Watching);
    Ok(())
}

#[tokio::test]
async fn what_was_known_is_forgotten_when_the_server_stays_away() -> anyhow::Result<()> {
    let mut api = PlayedApi::start().await?;
    api.change(|world| {
        world.deployment("edge-inference", 3, 3);
        world.deployment("cloud-inference", 1, 1);
    });
    let mut watched = Watched::new(&api, Duration::from_millis(200))?;
    watched.until("both", |snapshot| snapshot.edge.is_some() && snapshot.cloud.is_some()).await?;
    api.go().await;
    let forgotten = watched
        .until("nothing", |snapshot| snapshot.edge.is_none() && snapshot.cloud.is_none())
        .await?;
    assert_eq!(forgotten.state.name(), "unreachable");
    Ok(())
}

#[tokio::test]
async fn an_expired_version_begins_with_a_new_list() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    api.change(|world| world.deployment("edge-inference", 1, 1));
    let mut watched = Watched::new(&api, LONG)?;
    watched.until("the deployment", |snapshot| snapshot.edge == pods(1, 1)).await?;
    api.wait_for("three watches", |world| world.watches >= 3).await?;
    api.change(|world| {
        world.end_watches(Ending::Clean);
        world.deployment("edge-inference", 5, 4);
        world.compact();
    });
    watched.until("the change that no event tells", |snapshot| snapshot.edge == pods(5, 4)).await?;
    api.wait_for("a version that is gone", |world| world.expired > 0).await?;
    // the new watch is a working one
    api.change(|world| world.deployment("edge-inference", 5, 5));
    watched.until("a change by an event", |snapshot| snapshot.edge == pods(5, 5)).await?;
    Ok(())
}

#[tokio::test]
async fn a_watch_goes_on_after_it_has_ended_or_was_cut() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    let mut watched = Watched::new(&api, LONG)?;
    let mut watches = 0;
    for (round, ending) in (1..).zip([Ending::Clean, Ending::Cut, Ending::Clean, Ending::Cut]) {
        watches += 3;
        api.wait_for("an open watch each", |world| world.watches >= watches).await?;
        api.change(|world| {
            watches = world.watches;
            world.end_watches(ending);
            world.deployment("edge-inference", round, round);
        });
        let seen = watched
            .until("a change from in between", |snapshot| snapshot.edge == pods(round, round))
            .await?;
        assert_eq!(seen.state, ClusterState::Watching);
    }
    Ok(())
}

#[tokio::test]
async fn a_silent_connection_is_given_up() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    write_kubeconfig(&kubeconfig, &api)?;
    let mut config = config(&kubeconfig, LONG);
    // the played server never ends a watch by itself
    config.pacing.watch = Duration::from_millis(100);
    config.pacing.answer = Duration::from_secs(1);
    let _cluster = Cluster::watch(config, &CancellationToken::new());
    api.wait_for("watches after the first three", |world| world.watches >= 6).await?;
    Ok(())
}

#[tokio::test]
async fn a_kubeconfig_that_is_written_later_is_found() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    api.change(|world| world.deployment("edge-inference", 1, 1));
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("config");
    let cluster = Cluster::watch(config(&kubeconfig, LONG), &CancellationToken::new());
    let mut capacity = cluster.capacity();
    let absent =
        patiently("absence", capacity.wait_for(|snapshot| snapshot.state.name() == "absent"))
            .await??
            .clone();
    assert!(
        absent.state.reason().is_some_and(|reason| reason.contains("kubeconfig")),
        "{absent:?}"
    );
    // all at once, as a mounted file appears
    let elsewhere = folder.path().join("draft");
    write_kubeconfig(&elsewhere, &api)?;
    std::fs::rename(elsewhere, kubeconfig)?;
    patiently("the deployment", capacity.wait_for(|snapshot| snapshot.edge == pods(1, 1)))
        .await??;
    Ok(())
}

#[tokio::test]
async fn without_a_cluster_there_is_an_answer_at_once() -> anyhow::Result<()> {
    let config = ClusterConfig { access: ClusterAccess::Off, ..ClusterConfig::default() };
    let cluster = Cluster::watch(config, &CancellationToken::new());
    let snapshot = cluster.capacity().borrow().clone();
    assert_eq!(snapshot.state, ClusterState::Absent { reason: "switched off".into() });
    assert_eq!((snapshot.edge, snapshot.cloud), (None, None));
    patiently("nothing to wait for", cluster.stopped()).await
}

#[tokio::test]
async fn a_shutdown_ends_everything_in_every_state() -> anyhow::Result<()> {
    let mut api = PlayedApi::start().await?;
    for state in ["watching", "unreachable"] {
        let mut watched = Watched::new(&api, LONG)?;
        watched.until(state, |snapshot| snapshot.state.name() == state).await?;
        watched.shutdown.cancel();
        patiently("the end", watched.cluster.stopped()).await?;
        assert_eq!(watched.capacity.borrow().state.name(), state);
        api.go().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_dropped_cluster_is_no_longer_watched() -> anyhow::Result<()> {
    let api = PlayedApi::start().await?;
    let mut watched = Watched::new(&api, LONG)?;
    watched.until("a watch", |snapshot| snapshot.state == ClusterState::Watching).await?;
    drop(watched.cluster);
    let closed = async { while watched.capacity.changed().await.is_ok() {} };
    patiently("the end", closed).await
}

/// What the log was told.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_change_is_logged_once() -> anyhow::Result<()> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // everything of this test runs on this thread
    let _guard = tracing::subscriber::set_default(subscriber);

    let api = PlayedApi::start().await?;
    api.change(|world| world.broken = true);
    let mut watched = Watched::new(&api, LONG)?;
    api.wait_for("ten rounds", |world| world.lists >= 30).await?;
    watched
        .until("a failure", |snapshot| {
            snapshot.state.reason().is_some_and(|reason| reason.contains("etcd"))
        })
        .await?;
    api.change(|world| {
        world.broken = false;
        world.refused.insert(Kind::Autoscaler);
        world.lists = 0;
    });
    api.wait_for("ten more rounds", |world| world.lists >= 10).await?;
    let watches = api.count(|world| world.watches);
    api.change(|world| world.end_watches(Ending::Cut));
    api.wait_for("both watches again", |world| world.watches >= watches + 2).await?;
    let refused =
        |snapshot: &ClusterSnapshot| matches!(snapshot.autoscalers, ClusterState::Refused { .. });
    watched
        .until("a watch", |snapshot| snapshot.state == ClusterState::Watching && refused(snapshot))
        .await?;

    let text = String::from_utf8(lines.0.lock().expect("no writer panics").clone())?;
    let told = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!(told("API server does not answer"), 1, "{text}");
    assert_eq!(told("does not let this process see autoscalers"), 1, "{text}");
    // the deployments may be back a moment before it is known that the autoscalers are refused
    assert!(
        text.lines().count() <= 3 && told("watching the deployments") == text.lines().count() - 1,
        "{text}"
    );
    Ok(())
}
