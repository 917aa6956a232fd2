//! Committed offsets and logs after an interruption: a position never outlives its log.

use crate::error::BrokerError;
use crate::log::Partition;
use crate::node::Node;
use crate::offsets::Committed;
use crate::topics::Topic;
use std::sync::Arc;
use tracing::{info, warn};

/// A position that is further ahead of its log than this was never reached by reading.
const FURTHEST_AHEAD: i64 = 1 << 30;

/// Brings committed offsets and logs together. Where a log has become shorter than a group had
/// come, it goes on above that, so that new records are not behind the group. Positions of topics
/// that are gone, or were made again, are forgotten. Blocks.
pub(crate) fn reconcile(node: &Node) -> Result<(), BrokerError> {
    for topic in node.topics.all() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            advance(node, &topic, index, partition)
                .map_err(BrokerError::storage(partition.dir()))?;
        }
    }
    let changed = node
        .offsets
        .revise(|group, topic, index, committed| revised(node, (group, topic, index), committed));
    let changed = changed.map_err(BrokerError::storage(node.config.dir.join("offsets")))?;
    if changed > 0 {
        info!(positions = changed, "committed offsets were brought together with the logs");
    }
    Ok(())
}

fn advance(node: &Node, topic: &Topic, index: i32, partition: &Partition) -> std::io::Result<()> {
    let (_, end) = partition.offsets();
    let Some(furthest) =
        node.offsets.furthest(&topic.name, topic.id, index).filter(|furthest| *furthest > end)
    else {
        return Ok(());
    };
    if furthest - end > FURTHEST_AHEAD {
        return Ok(());
    }
    let lost = partition.advance_to(furthest)?;
    warn!(topic = topic.name, partition = index, lost_records = lost.end - lost.start, lost_offsets = ?lost, next_offset = lost.end,
        "a group has committed more than is left of a log; the log goes on there");
    Ok(())
}

/// What a committed offset should be; `None` when it is nobody's.
fn revised(
    node: &Node,
    (group, topic, index): (&str, &str, i32),
    committed: &Committed,
) -> Option<Committed> {
    let (id, partition) = find(node, topic, index)?;
    if !committed.topic_id.is_nil() && committed.topic_id != id {
        info!(
            group,
            topic,
            partition = index,
            "forgot an offset of a topic that has been deleted and made again"
        );
        return None;
    }
    let (_, end) = partition.offsets();
    if committed.offset > end {
        warn!(
            group,
            topic,
            partition = index,
            committed = committed.offset,
            end_offset = end,
            "a committed offset that the log never had is moved to its end"
        );
    }
    let settled = partition.settle(committed.offset.min(end));
    if settled > committed.offset {
        info!(
            group,
            topic,
            partition = index,
            committed = committed.offset,
            moved_to = settled,
            "moved a position over lost records"
        );
    }
    let leader_epoch =
        if committed.leader_epoch > partition.leader_epoch() { -1 } else { committed.leader_epoch };
    Some(Committed {
        offset: settled,
        leader_epoch,
        topic_id: id,
        metadata: committed.metadata.clone(),
    })
}

fn find(node: &Node, topic: &str, index: i32) -> Option<(uuid::Uuid, Arc<Partition>)> {
    let topic = node.topics.get(topic)?;
    let partition = topic.partitions.get(usize::try_from(index).ok()?)?;
    Some((topic.id, Arc::clone(partition)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::now_ms;
    use crate::log::testing::{Read, one, read_all};
    use crate::topic_config::TopicConfig;
    use crate::{BrokerConfig, FsyncPolicy};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::fs::{self, OpenOptions};
    use std::path::{Path, PathBuf};

    #[derive(Debug, Clone)]
    enum Step {
        Append,
        Commit,
        Flush,
    }

    fn open(dir: &Path, fsync: FsyncPolicy) -> Node {
        Node::open(BrokerConfig { segment_bytes: 1024, fsync, ..BrokerConfig::new(dir) }, 0)
            .unwrap()
    }

    fn commit(node: &Node, offset: i64) {
        let topic_id = node.topics.get("t").unwrap().id;
        let committed = Committed { offset, leader_epoch: 0, metadata: String::new(), topic_id };
        node.offsets.commit("g", vec![("t".into(), 0, committed)]).unwrap();
    }

    /// The files that are appended to, and their sizes.
    fn sizes(dir: &Path) -> BTreeMap<PathBuf, u64> {
        let logs = fs::read_dir(dir.join("logs/t-0")).unwrap().map(|entry| entry.unwrap().path());
        let logs = logs.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
        logs.chain([dir.join("offsets")])
            .map(|path| (path.clone(), fs::metadata(path).unwrap().len()))
            .collect()
    }

    /// What a power cut leaves: of each file all that was synced, and any part of the rest; the
    /// kernel writes files in any order.
    fn cut_power(dir: &Path, synced: &BTreeMap<PathBuf, u64>, part: &mut impl FnMut() -> f64) {
        for (path, size) in sizes(dir) {
            let safe = synced.get(&path).copied().unwrap_or(0);
            let left = safe + ((size - safe) as f64 * part()) as u64;
            OpenOptions::new().write(true).open(path).unwrap().set_len(left).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_power_cut_takes_nothing_that_was_synced(
            steps in prop::collection::vec(prop_oneof![4 => Just(Step::Append), 2 => Just(Step::Commit), 1 => Just(Step::Flush)], 1..40),
            every_append in any::<bool>(),
            parts in prop::collection::vec(0.0..=1.0_f64, 8),
        ) {
            // what is old would go by retention
            let now = now_ms();
            let fsync = if every_append { FsyncPolicy::EveryAppend } else { FsyncPolicy::Never };
            let dir = tempfile::tempdir().unwrap();
            let node = open(dir.path(), fsync);
            node.topics.create("t", 1, TopicConfig::default()).unwrap();
            let log = node.topics.partition("t", 0).unwrap();
            node.flush().unwrap();
            let (mut synced, mut safe_end, mut safe_position, mut position) = (sizes(dir.path()), 0, 0, 0);
            for step in steps {
                match step {
                    Step::Append => _ = log.append(&one(now + log.offsets().1, 100)).unwrap(),
                    Step::Commit => {
                        position = log.offsets().1;
                        commit(&node, position);
                    }
                    Step::Flush => node.flush().unwrap(),
                }
                if every_append || matches!(step, Step::Flush) {
                    (synced, safe_end, safe_position) = (sizes(dir.path()), log.offsets().1, position);
                }
            }
            let (given, before) = (log.offsets().1, read_all(&log, 0, usize::MAX));
            drop((log, node));
            let mut parts = parts.into_iter().cycle();
            cut_power(dir.path(), &synced, &mut || parts.next().unwrap());

            let node = open(dir.path(), fsync);
            let log = node.topics.partition("t", 0).unwrap();
            let after = read_all(&log, 0, usize::MAX);
            prop_assert!(before.iter().filter(|read| read.offset < safe_end).all(|read| after.contains(read)), "what was synced is there");
            prop_assert!(after.iter().all(|read| before.contains(read)), "what is there is what it \
                was");
            let next = log.append(&one(now, 1)).unwrap().base_offset;
            prop_assert!(next >= given, "no offset is given twice: {} after {}", next, given);
            let committed = node.offsets.get("g", "t", 0).map_or(0, |committed| committed.offset);
            prop_assert!(committed >= safe_position && committed <= next);
            let skipped = |read: &&Read| (position..committed).contains(&read.offset);
            prop_assert_eq!(after.iter().find(skipped), None, "a position moves only over what is \
                lost");
            let read: Vec<_> = read_all(&log, committed, usize::MAX);
            prop_assert_eq!(read.last().map(|read| read.offset), Some(next), "the new record is \
                before the group");
        }
    }

    #[test]
    fn positions_of_deleted_topics_go_and_absurd_ones_are_moved() {
        let dir = tempfile::tempdir().unwrap();
        let node = open(dir.path(), FsyncPolicy::Never);
        node.topics.create("t", 1, TopicConfig::default()).unwrap();
        commit(&node, i64::MAX - 5);
        let stranger = Committed {
            offset: 3,
            leader_epoch: 0,
            metadata: String::new(),
            topic_id: uuid::Uuid::nil(),
        };
        node.offsets.commit("g", vec![("gone".into(), 0, stranger)]).unwrap();
        drop(node);
        let node = open(dir.path(), FsyncPolicy::Never);
        assert_eq!(node.offsets.get("g", "gone", 0), None);
        assert_eq!(node.offsets.get("g", "t", 0).unwrap().offset, 0);
    }
}
