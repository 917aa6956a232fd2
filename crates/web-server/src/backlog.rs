//! What waits at the broker, whoever took it: after a restart nobody else remembers, and other
//! replicas' frames wait in the same queues.

use crate::app::App;
use crate::stats::Backlog;
use frame_bus::{Lag, PartitionLag};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Between two measurements; in between, what is taken and answered is counted.
const EVERY: Duration = Duration::from_secs(2);
/// After a measurement that failed: it will probably fail again.
const AGAIN: Duration = Duration::from_secs(30);

/// The consumer groups of the units that work on frames: their committed offsets tell what is not
/// finished.
#[derive(Clone, Debug)]
pub struct Groups {
    /// Of all preprocessors.
    pub preprocessor: String,
    /// Of all edge-inference replicas.
    pub edge: String,
    /// Of all cloud-inference replicas.
    pub cloud: String,
}

/// What the last measurement gave.
#[derive(Debug, Default)]
struct Measured {
    /// The sum of each group's committed offsets.
    committed: [Option<i64>; 3],
    results: u64,
}

/// So many results without a commit of a group: it is not the one that works on the frames.
const RESULTS_WITHOUT_COMMIT: u64 = 20;

/// Measures from the moment on at which the topics are found, until shutdown.
pub(crate) async fn watch(app: Arc<App>, groups: Groups, found: CancellationToken) {
    let measuring = async {
        found.cancelled().await;
        let mut measured = Measured::default();
        let mut answered = measure(&app, &groups, &mut measured).await;
        // what waits from before is known before a frame is taken
        app.topics_are_there();
        loop {
            tokio::time::sleep(if answered { EVERY } else { AGAIN }).await;
            answered = measure(&app, &groups, &mut measured).await;
        }
    };
    tokio::select! {
        () = measuring => {}
        () = app.shutdown.cancelled() => {}
    }
}

/// Measures once; says whether the broker answered.
async fn measure(app: &App, groups: &Groups, measured: &mut Measured) -> bool {
    let topics = &app.topics;
    let (frames, edge, cloud) = tokio::join!(
        app.bus.lag(&groups.preprocessor, &topics.frames),
        app.bus.lag(&groups.edge, &topics.frames_edge),
        app.bus.lag(&groups.cloud, &topics.frames_cloud)
    );
    let lags = [frames, edge, cloud].into_iter().collect::<Result<Vec<_>, _>>();
    if let Err(error) = &lags {
        debug!(%error, "what waits at the broker is not known");
    }
    let known = lags.is_ok();
    app.stats.waits(lags.as_ref().ok().and_then(|lags| waiting(lags)));
    app.stats.breakers(app.settings.breakers());
    app.room
        .behind(lags.ok().map(|lags| measured.behind(&lags, app.room.results())), Instant::now());
    known
}

/// What waits for each group that has ever committed, to be shown.
fn waiting(lags: &[Lag]) -> Option<Backlog> {
    let of = |lag: &Lag| {
        let known = lag.partitions.iter().filter(|of| of.committed.is_some());
        known.map(PartitionLag::messages).sum()
    };
    match lags {
        [frames, edge, cloud] => {
            Some(Backlog { frames: of(frames), edge: of(edge), cloud: of(cloud) })
        }
        _ => None,
    }
}

impl Measured {
    /// How many frames wait in topics whose group is at work. A group of another name never
    /// commits, and its backlog would never end.
    fn behind(&mut self, lags: &[Lag], results: u64) -> u64 {
        let many_results = results.saturating_sub(self.results) >= RESULTS_WITHOUT_COMMIT;
        let mut waiting = 0;
        for (lag, before) in lags.iter().zip(&mut self.committed) {
            let committed: Option<i64> = lag
                .partitions
                .iter()
                .filter_map(|partition| partition.committed)
                .reduce(|a, b| a + b);
            let is_at_work = committed.is_some() && !(many_results && committed == *before);
            if is_at_work {
                waiting += lag
                    .partitions
                    .iter()
                    .filter(|of| of.committed.is_some())
                    .map(PartitionLag::messages)
                    .sum::<u64>();
            }
            if many_results || before.is_none() {
                *before = committed;
            }
        }
        if many_results {
            self.results = results;
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(committed: Option<i64>, high: i64) -> Lag {
        let partition = PartitionLag { partition: 0, committed, low: 0, high };
        Lag { messages: partition.messages(), partitions: vec![partition] }
    }

    #[test]
    fn only_the_backlog_of_groups_at_work_counts() {
        let mut measured = Measured::default();
        let lags = |committed| [lag(Some(committed), 400), lag(None, 5000), lag(Some(7), 9000)];
        // at the start each group that ever committed is believed
        assert_eq!(measured.behind(&lags(100), 0), 300 + 8993);
        assert_eq!(measured.behind(&lags(105), 5), 295 + 8993);
        // results come, and one group has not moved
        assert_eq!(measured.behind(&lags(130), 30), 270);
        assert_eq!(measured.behind(&lags(160), 60), 240);
    }
}
