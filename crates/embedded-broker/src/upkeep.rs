//! What the broker does by itself: moves groups on, forces data to the disk, gives disk space back.

use crate::config::FsyncPolicy;
use crate::log::now_ms;
use crate::node::Node;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Runs until `stop`, or until a job of it has panicked.
pub(crate) async fn run(node: Arc<Node>, stop: CancellationToken) {
    let flush_every = match node.config.fsync {
        FsyncPolicy::Interval(interval) => Some(interval),
        // appends sync for themselves, or nobody does
        FsyncPolicy::EveryAppend | FsyncPolicy::Never => None,
    };
    let work = async {
        // none of them ends but by a job that panicked: then the others do not go on as if nothing
        // had happened
        tokio::select! {
            () = node.groups.run() => {}
            () = repeat(&node, Some(node.config.retention_interval), retain) => {}
            () = repeat(&node, flush_every, flush) => {}
        }
    };
    stop.run_until_cancelled(work).await;
}

fn flush(node: &Node) {
    if let Err(error) = node.flush() {
        tracing::error!(%error, "cannot force data to the disk");
    }
}

/// Returns when the job has panicked, or the runtime ends.
async fn repeat(node: &Arc<Node>, interval: Option<Duration>, job: fn(&Node)) {
    let Some(interval) = interval else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if node.blocking(job).await.is_err() {
            return;
        }
    }
}

/// Applies each topic's retention, then the limit on everything together: while that is exceeded,
/// the oldest segment among the partitions of average size or more goes.
fn retain(node: &Node) {
    let partitions = node.topics.partitions();
    for partition in &partitions {
        log_failure("retention", partition.dir(), partition.enforce_retention(now_ms()));
    }
    if node.disk.was_full() {
        make_room(node);
    }
    loop {
        let sizes: Vec<u64> = partitions.iter().map(|partition| partition.bytes()).collect();
        let total: u64 = sizes.iter().sum();
        if total <= node.config.total_bytes {
            return;
        }
        // a flood in some partitions must not cost the others what little they hold: only those of
        // average size or more give, of those that can
        let giving = partitions.iter().zip(&sizes);
        let giving = giving.filter(|(partition, _)| partition.oldest_ms().is_some());
        let (count, bytes) =
            giving.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes));
        let Some(share) = u64::checked_div(bytes, count) else { return };
        let large = partitions.iter().zip(sizes).filter(|(_, bytes)| *bytes >= share);
        let oldest =
            large.filter_map(|(partition, bytes)| Some((partition.oldest_ms()?, partition, bytes)));
        let Some((_, partition, before)) = oldest.min_by_key(|(age, ..)| *age) else { return };
        log_failure("retention", partition.dir(), partition.shrink());
        let freed = before.saturating_sub(partition.bytes());
        tracing::warn!(dir = %partition.dir().display(), freed, limit = node.config.total_bytes, "all topics together are too large: dropped the oldest messages");
        if freed == 0 {
            return;
        }
    }
}

/// On a full disk, what every group has finished makes room for what is new.
fn make_room(node: &Node) {
    for topic in node.topics.all().iter().filter(|topic| !topic.config.is_compacted()) {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let Some(finished) = node
                .offsets
                .nearest(&topic.name, index)
                .filter(|finished| *finished > partition.offsets().0)
            else {
                continue;
            };
            let before = partition.bytes();
            log_failure("making room", partition.dir(), partition.free_before(finished));
            let freed = before.saturating_sub(partition.bytes());
            if freed > 0 {
                tracing::warn!(dir = %partition.dir().display(), freed, "the disk is full: dropped \
                    messages that every group has finished");
            }
        }
    }
}

/// Logs what goes wrong in the background, where nobody waits for an answer.
fn log_failure(what: &'static str, partition: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(dir = %partition.display(), %error, "{what} failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::one;
    use crate::topic_config::TopicConfig;
    use crate::{Broker, BrokerConfig};

    #[tokio::test]
    async fn a_job_that_panics_ends_its_repetition() {
        let dir = tempfile::tempdir().unwrap();
        let node = Arc::new(Node::open(BrokerConfig::new(dir.path()), 0).unwrap());
        let repetition = repeat(&node, Some(Duration::from_millis(1)), |_| panic!("on purpose"));
        tokio::time::timeout(Duration::from_secs(20), repetition).await.expect("it goes on");
        let never = repeat(&node, None, |_| ());
        assert!(tokio::time::timeout(Duration::from_millis(20), never).await.is_err());
    }

    #[tokio::test]
    async fn tasks_end_when_the_broker_stops_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut handles = Vec::new();
        let broker = Broker::start_with(BrokerConfig::new(dir.path()), |name, stop, task| {
            handles.push((name, stop, tokio::spawn(task)));
        });
        let broker = broker.await.unwrap();
        assert_eq!(
            handles.iter().map(|(name, ..)| *name).collect::<Vec<_>>(),
            ["connections", "upkeep"]
        );
        assert!(handles.iter().all(|(_, stop, task)| !stop.is_cancelled() && !task.is_finished()));
        broker.shutdown().await.unwrap();
        for (name, stop, task) in handles {
            assert!(stop.is_cancelled(), "{name}");
            task.await.unwrap();
        }
    }

    #[test]
    fn the_oldest_segments_go_above_the_total_limit() {
        let dir = tempfile::tempdir().unwrap();
        let config = BrokerConfig {
            total_bytes: 5000,
            segment_bytes: 1024,
            ..BrokerConfig::new(dir.path())
        };
        let node = Node::open(config, 0).unwrap();
        let topic = node.topics.create("t", 2, TopicConfig::default()).unwrap();
        let now = now_ms();
        for index in 0..10 {
            topic.partitions[0].append(&one(now - 10_000 + index, 900)).unwrap();
            topic.partitions[1].append(&one(now - 5000 + index, 200)).unwrap();
        }
        retain(&node);
        let total: u64 = topic.partitions.iter().map(|partition| partition.bytes()).sum();
        assert!((3000..=5000).contains(&total), "{total}");
        assert!(topic.partitions[0].offsets().0 > 0);
        assert_eq!(topic.partitions[1].offsets(), (0, 10), "what is newer stays");
    }

    #[test]
    fn a_flood_takes_nothing_from_a_small_older_partition() {
        let dir = tempfile::tempdir().unwrap();
        let config = BrokerConfig {
            total_bytes: 5000,
            segment_bytes: 1024,
            ..BrokerConfig::new(dir.path())
        };
        let node = Node::open(config, 0).unwrap();
        let flood = node.topics.create("frames", 1, TopicConfig::default()).unwrap();
        let small = node.topics.create("dead-letters", 1, TopicConfig::default()).unwrap();
        let now = now_ms();
        for index in 0..10 {
            small.partitions[0].append(&one(now - 10_000 + index, 100)).unwrap();
            flood.partitions[0].append(&one(now - 5000 + index, 900)).unwrap();
        }
        retain(&node);
        assert!(flood.partitions[0].bytes() + small.partitions[0].bytes() <= 5000);
        assert!(flood.partitions[0].bytes() > 0);
        assert_eq!(small.partitions[0].offsets(), (0, 10));
    }
}
