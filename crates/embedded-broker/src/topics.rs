//! The topics of the broker, and the file that remembers them.

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::files::{self, lock};
use crate::log::{Partition, topic_id_of};
use crate::topic_config::TopicConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// First line of the file; another format would say another number.
const FORMAT: &str = "topics 2";
/// As older versions wrote it, without a checksum.
const FORMAT_1: &str = "topics 1";
/// Each partition has open files and memory: beyond this a request is a mistake.
pub(crate) const MAX_PARTITIONS: usize = 1000;
/// All topics together have no more than this: Kafka's own advice for one broker. Each partition is
/// opened when the broker starts, and retention reads each of them every time.
pub(crate) const MAX_ALL_PARTITIONS: usize = 4000;
/// Kafka's limit.
const MAX_NAME_LEN: usize = 249;

/// A topic and its logs. Never changes: a topic that gets more partitions is replaced.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

/// Why topics were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("a name has 1 to 249 characters out of A-Z a-z 0-9 . _ - and is neither '.' nor '..'")]
    InvalidName,
    #[error("the topic exists already")]
    Exists,
    #[error("there is no such topic")]
    Unknown,
    #[error("a topic has 1 to {MAX_PARTITIONS} partitions, and never fewer than before")]
    InvalidPartitions,
    #[error("all topics together have at most {MAX_ALL_PARTITIONS} partitions")]
    TooManyPartitions,
    #[error("cannot write: {0}")]
    Storage(#[from] io::Error),
}

/// All topics.
pub(crate) struct Topics {
    broker: BrokerConfig,
    by_name: Mutex<BTreeMap<String, Arc<Topic>>>,
    /// Held while topics change on disk, so that one change follows the other.
    changing: Mutex<()>,
}

impl Topics {
    /// Opens what the directory remembers. Blocks.
    pub(crate) fn open(broker: &BrokerConfig) -> Result<Self, BrokerError> {
        let topics =
            Self { broker: broker.clone(), by_name: Mutex::default(), changing: Mutex::default() };
        let path = topics.file();
        let logs = topics.logs_dir();
        fs::create_dir_all(&logs).map_err(BrokerError::storage(&logs))?;
        let text = match files::read_if_there(&path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
            read => read.map_err(BrokerError::storage(&path))?,
        };
        let Some(text) = text else {
            topics.find_again(false).map_err(BrokerError::storage(&logs))?;
            return Ok(topics);
        };
        let (sealed, listed) = parse(&text).map_err(|reason| damaged(&path, reason))?;
        for (name, id, partitions, config) in listed {
            let topic = topics
                .open_topic(name, id, config, 0..partitions)
                .map_err(BrokerError::storage(&logs))?;
            lock(&topics.by_name).insert(topic.name.clone(), Arc::new(topic));
        }
        // a list without a checksum may have lost topics, whose logs must not be lost for that
        let rest = if sealed { topics.remove_leftovers() } else { topics.find_again(true) };
        rest.map_err(BrokerError::storage(&logs))?;
        Ok(topics)
    }

    /// Of topics that are not on the list, the folders of the logs tell names and partitions.
    fn find_again(&self, only_with_messages: bool) -> io::Result<()> {
        let mut found = BTreeMap::<String, BTreeSet<usize>>::new();
        for entry in fs::read_dir(self.logs_dir())? {
            let path = entry?.path();
            if let Some((name, index)) = partition_of(&path)
                && self.get(&name).is_none()
                && (!only_with_messages || has_messages(&path)?)
            {
                found.entry(name).or_default().insert(index);
            }
        }
        if found.is_empty() && !only_with_messages {
            return Ok(());
        }
        let count = found.len();
        for (name, indexes) in found {
            let partitions = indexes.last().map_or(1, |last| last + 1).min(MAX_PARTITIONS);
            let id = indexes
                .iter()
                .find_map(|index| topic_id_of(&self.partition_dir(&name, *index)))
                .unwrap_or_else(Uuid::now_v7);
            let topic = self.open_topic(name.clone(), id, TopicConfig::default(), 0..partitions)?;
            tracing::warn!(topic = name, partitions, topic_id = %id, "found a topic again by its logs; it has \
                the default settings now");
            lock(&self.by_name).insert(name, Arc::new(topic));
        }
        let all = lock(&self.by_name).clone();
        self.save(&all)?;
        if count > 0 {
            tracing::warn!(path = %self.file().display(), topics = count, "the list of topics did \
                not name topics that have logs");
        }
        Ok(())
    }

    /// Removes partitions that belong to no topic: of one that was being created or deleted when
    /// the broker was interrupted.
    fn remove_leftovers(&self) -> io::Result<()> {
        let known: BTreeSet<_> =
            self.partitions().iter().map(|partition| partition.dir().to_owned()).collect();
        for entry in fs::read_dir(self.logs_dir())? {
            let path = entry?.path();
            if known.contains(&path) || partition_of(&path).is_none() {
                continue;
            }
            match remove_dir_if_there(path.clone()) {
                Ok(()) => {
                    tracing::info!(dir = %path.display(), "removed a partition that belongs to no \
                        topic")
                }
                Err(error) => {
                    tracing::warn!(dir = %path.display(), %error, "cannot remove a partition that \
                        belongs to no topic")
                }
            }
        }
        Ok(())
    }

    /// What a topic of the same name has left behind must not come back.
    fn clear(&self, name: &str, range: Range<usize>) -> io::Result<()> {
        range.map(|index| self.partition_dir(name, index)).try_for_each(remove_dir_if_there)
    }

    fn partition_dir(&self, name: &str, index: usize) -> PathBuf {
        self.logs_dir().join(format!("{name}-{index}"))
    }

    fn file(&self) -> PathBuf {
        self.broker.dir.join("topics")
    }

    fn logs_dir(&self) -> PathBuf {
        self.broker.dir.join("logs")
    }

    fn open_topic(
        &self,
        name: String,
        id: Uuid,
        config: TopicConfig,
        range: Range<usize>,
    ) -> io::Result<Topic> {
        let options = config.log_options(&self.broker, id);
        let open =
            |index: usize| Partition::open(self.partition_dir(&name, index), options).map(Arc::new);
        let partitions = range.map(open).collect::<io::Result<_>>()?;
        Ok(Topic { name, id, config, partitions })
    }

    /// The topic of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        lock(&self.by_name).get(name).cloned()
    }

    /// The topic of this id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        lock(&self.by_name).values().find(|topic| topic.id == id).cloned()
    }

    /// A partition, if there is one of this index.
    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        let index = usize::try_from(index).ok()?;
        lock(&self.by_name).get(topic)?.partitions.get(index).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        lock(&self.by_name).values().cloned().collect()
    }

    /// All partitions of all topics.
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        lock(&self.by_name).values().flat_map(|topic| topic.partitions.iter().cloned()).collect()
    }

    /// Whether a topic of this name and size could be created.
    pub(crate) fn check_new(&self, name: &str, partitions: usize) -> Result<(), TopicError> {
        if !is_valid_name(name) {
            return Err(TopicError::InvalidName);
        }
        if self.get(name).is_some() {
            return Err(TopicError::Exists);
        }
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(TopicError::InvalidPartitions);
        }
        self.check_room(partitions)
    }

    /// Whether there may be this many partitions more.
    fn check_room(&self, more: usize) -> Result<(), TopicError> {
        let all: usize = lock(&self.by_name).values().map(|topic| topic.partitions.len()).sum();
        if all + more <= MAX_ALL_PARTITIONS { Ok(()) } else { Err(TopicError::TooManyPartitions) }
    }

    /// Creates a topic; it survives a crash once this has returned. Blocks.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: usize,
        config: TopicConfig,
    ) -> Result<Arc<Topic>, TopicError> {
        let _changing = lock(&self.changing);
        self.check_new(name, partitions)?;
        self.clear(name, 0..partitions)?;
        self.put(self.open_topic(name.into(), Uuid::now_v7(), config, 0..partitions)?)
    }

    /// Gives a topic more partitions. Blocks.
    pub(crate) fn grow(
        &self,
        name: &str,
        partitions: usize,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let _changing = lock(&self.changing);
        let old = self.get(name).ok_or(TopicError::Unknown)?;
        if partitions <= old.partitions.len() || partitions > MAX_PARTITIONS {
            return Err(TopicError::InvalidPartitions);
        }
        let new = old.partitions.len()..partitions;
        self.check_room(new.len())?;
        if !validate_only {
            self.clear(name, new.clone())?;
            let mut topic = self.open_topic(name.into(), old.id, old.config.clone(), new)?;
            topic.partitions.splice(0..0, old.partitions.iter().cloned());
            self.put(topic)?;
        }
        Ok(())
    }

    /// Writes a new or changed topic down, then makes it visible.
    fn put(&self, topic: Topic) -> Result<Arc<Topic>, TopicError> {
        let topic = Arc::new(topic);
        let mut next = lock(&self.by_name).clone();
        next.insert(topic.name.clone(), Arc::clone(&topic));
        self.save(&next)?;
        *lock(&self.by_name) = next;
        Ok(topic)
    }

    /// Deletes a topic with its messages. Blocks. Files that cannot be removed are an error, but
    /// the topic is gone all the same.
    pub(crate) fn delete(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        let _changing = lock(&self.changing);
        let mut next = lock(&self.by_name).clone();
        let topic = next.remove(name).ok_or(TopicError::Unknown)?;
        self.save(&next)?;
        *lock(&self.by_name) = next;
        topic.partitions.iter().for_each(|partition| partition.close_deleted());
        // every one of them, whatever becomes of the first
        let removed: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| remove_dir_if_there(partition.dir().to_owned()))
            .collect();
        removed.into_iter().collect::<io::Result<()>>()?;
        Ok(topic)
    }

    fn save(&self, topics: &BTreeMap<String, Arc<Topic>>) -> io::Result<()> {
        let mut text = format!("{FORMAT}\n");
        for topic in topics.values() {
            text += &format!("{}\t{}\t{}", topic.name, topic.id, topic.partitions.len());
            for (name, value) in topic.config.overrides() {
                text += &format!("\t{name}={value}");
            }
            text.push('\n');
        }
        files::replace(&self.file(), files::seal(text).as_bytes())
    }
}

fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME_LEN).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(allowed)
}

/// The topic and partition whose directory this is; anything else under the logs is somebody
/// else's.
fn partition_of(path: &Path) -> Option<(String, usize)> {
    let (name, index) = path.file_name()?.to_str()?.rsplit_once('-')?;
    let index = index.parse::<u16>().ok()?;
    (is_valid_name(name) && path.is_dir()).then(|| (name.to_owned(), usize::from(index)))
}

/// Whether there is anything in the files of a partition.
fn has_messages(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|kind| kind == "log") && entry.metadata()?.len() > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn damaged(path: &Path, reason: String) -> BrokerError {
    let advice = "put a copy of it back, or move it away: the topics are then found again by the \
        folders in logs/, with all that is in \
                  them and with the default settings";
    BrokerError::Unreadable { path: path.to_owned(), reason, advice: advice.into() }
}

/// The topics that a file lists, and whether a checksum says that these are all.
fn parse(text: &str) -> Result<(bool, Vec<Listed>), String> {
    let (sealed, contents, format) = match files::unseal(text) {
        Some(contents) => (true, contents, FORMAT),
        None => (false, text, FORMAT_1),
    };
    let mut lines = contents.lines();
    if lines.next() != Some(format) {
        return Err(format!(
            "is damaged, or written by another version: it should begin with '{FORMAT}' and end \
             with its checksum"
        ));
    }
    let topics: Vec<Listed> = lines
        .map(parse_line)
        .collect::<Option<_>>()
        .ok_or("is damaged: it has a line that is not a topic")?;
    if !sealed && !contents.ends_with('\n') {
        return Err("is damaged: its last line is not whole".into());
    }
    Ok((sealed, topics))
}

type Listed = (String, Uuid, usize, TopicConfig);

/// `name <tab> id <tab> partitions { <tab> setting=value }`
fn parse_line(line: &str) -> Option<Listed> {
    let mut fields = line.split('\t');
    let name = fields.next().filter(|name| is_valid_name(name))?.to_owned();
    let id = fields.next()?.parse().ok()?;
    let partitions =
        fields.next()?.parse().ok().filter(|count| (1..=MAX_PARTITIONS).contains(count))?;
    let mut config = TopicConfig::default();
    for field in fields {
        let (name, value) = field.split_once('=')?;
        config.set(name, Some(value)).ok()?;
    }
    Some((name, id, partitions, config))
}

fn remove_dir_if_there(dir: PathBuf) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::AppendError;
    use crate::log::testing::one;

    fn open(dir: &tempfile::TempDir) -> Topics {
        Topics::open(&BrokerConfig::new(dir.path())).unwrap()
    }

    #[test]
    fn topics_and_their_settings_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = TopicConfig::default();
        config.set("retention.bytes", Some("12345")).unwrap();
        config.set("cleanup.policy", Some("compact")).unwrap();
        let id = open(&dir).create("a.topic", 3, config.clone()).unwrap().id;
        let again = open(&dir).get("a.topic").unwrap();
        assert_eq!((again.id, again.partitions.len(), &again.config), (id, 3, &config));
    }

    #[test]
    fn a_topic_grows_and_never_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        topics.create("t", 2, TopicConfig::default()).unwrap();
        topics.grow("t", 5, false).unwrap();
        assert!(matches!(topics.grow("t", 4, false), Err(TopicError::InvalidPartitions)));
        assert_eq!(open(&dir).get("t").unwrap().partitions.len(), 5);
    }

    #[test]
    fn a_partition_that_cannot_be_removed_does_not_keep_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        let topic = topics.create("t", 3, TopicConfig::default()).unwrap();
        let obstacle = topic.partitions[0].dir();
        fs::remove_dir_all(obstacle).unwrap();
        fs::write(obstacle, "not a directory").unwrap();
        assert!(matches!(topics.delete("t"), Err(TopicError::Storage(_))));
        for partition in &topic.partitions {
            assert!(matches!(partition.append(&one(1, 1)), Err(AppendError::Deleted)));
        }
        assert!(!topic.partitions[1].dir().exists() && !topic.partitions[2].dir().exists());
    }

    #[test]
    fn only_partitions_without_a_topic_go_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir).create("t", 2, TopicConfig::default()).unwrap();
        let topic = open(&dir).get("t").unwrap();
        topic.partitions[0].append(&one(1, 1)).unwrap();
        topic.partitions[0].close().unwrap();
        let logs = dir.path().join("logs");
        for name in ["t-2", "gone-0", "notes", "a b-0"] {
            fs::create_dir(logs.join(name)).unwrap();
        }
        let topics = open(&dir);
        let mut left: Vec<_> = fs::read_dir(&logs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["a b-0", "notes", "t-0", "t-1"]);
        assert_eq!(topics.get("t").unwrap().partitions[0].offsets(), (0, 1));
    }

    #[test]
    fn a_topic_that_grows_does_not_bring_old_messages_back() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        topics.create("t", 1, TopicConfig::default()).unwrap();
        let options = TopicConfig::default().log_options(&topics.broker, Uuid::nil());
        Partition::open(topics.partition_dir("t", 1), options).unwrap().append(&one(1, 1)).unwrap();
        topics.grow("t", 2, false).unwrap();
        assert_eq!(topics.get("t").unwrap().partitions[1].offsets(), (0, 0));
    }

    #[test]
    fn all_topics_together_have_a_bounded_number_of_partitions() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        let small = topics.create("small", 1, TopicConfig::default()).unwrap();
        // many partitions, but few files
        let large = |index: usize| Topic {
            name: format!("large-{index}"),
            id: Uuid::now_v7(),
            config: TopicConfig::default(),
            partitions: vec![Arc::clone(&small.partitions[0]); MAX_PARTITIONS],
        };
        let count = MAX_ALL_PARTITIONS / MAX_PARTITIONS - 1;
        lock(&topics.by_name)
            .extend((0..count).map(|index| (index.to_string(), Arc::new(large(index)))));
        let left = MAX_ALL_PARTITIONS - count * MAX_PARTITIONS - 1;
        topics.check_new("t", left).unwrap();
        assert!(matches!(
            topics.create("t", left + 1, TopicConfig::default()),
            Err(TopicError::TooManyPartitions)
        ));
        lock(&topics.by_name).insert("last".into(), Arc::new(large(count)));
        assert!(matches!(topics.grow("small", 2, false), Err(TopicError::TooManyPartitions)));
        assert!(matches!(topics.grow("small", 2, true), Err(TopicError::TooManyPartitions)));
    }

    #[test]
    fn names_that_kafka_refuses_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        for name in ["", ".", "..", "a/b", "ä", "a\tb", &"x".repeat(250)] {
            assert!(matches!(topics.check_new(name, 1), Err(TopicError::InvalidName)), "{name:?}");
        }
        topics.create("t", 1, TopicConfig::default()).unwrap();
        assert!(matches!(topics.create("t", 1, TopicConfig::default()), Err(TopicError::Exists)));
        assert!(matches!(topics.check_new("u", 0), Err(TopicError::InvalidPartitions)));
    }

    #[test]
    fn any_damage_to_the_list_is_named_with_advice_and_costs_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = TopicConfig::default();
        config.set("retention.bytes", Some("12345")).unwrap();
        let topics = open(&dir);
        for name in ["a", "b", "c"] {
            topics.create(name, 2, config.clone()).unwrap().partitions[1]
                .append(&one(1, 1))
                .unwrap();
        }
        drop(topics);
        let path = dir.path().join("topics");
        let good = fs::read(&path).unwrap();
        for index in 0..good.len() {
            let flipped = {
                let mut bad = good.clone();
                bad[index] ^= 0x84 >> (index % 3);
                bad
            };
            for bad in [&flipped[..], &good[..index]] {
                fs::write(&path, bad).unwrap();
                let error = Topics::open(&BrokerConfig::new(dir.path()))
                    .err()
                    .expect("damaged")
                    .to_string();
                assert!(
                    error.contains(path.to_str().unwrap()) && error.contains("move it away"),
                    "{error}"
                );
                assert_eq!(fs::read(&path).unwrap(), bad);
            }
        }
        fs::write(&path, "something else").unwrap();
        assert!(matches!(
            Topics::open(&BrokerConfig::new(dir.path())),
            Err(BrokerError::Unreadable { .. })
        ));
        assert_eq!(fs::read_dir(dir.path().join("logs")).unwrap().count(), 6);
        fs::write(&path, good).unwrap();
        assert_eq!(open(&dir).partitions().len(), 6);
    }

    #[test]
    fn without_a_list_topics_are_found_again_by_their_logs() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(&dir);
        let topic = topics.create("with-a-dash", 3, TopicConfig::default()).unwrap();
        topic.partitions[1].append(&one(1, 1)).unwrap();
        topic.partitions[1].close().unwrap();
        drop(topics);
        fs::remove_file(dir.path().join("topics")).unwrap();
        for _ in 0..2 {
            let again = open(&dir).get("with-a-dash").expect("found again");
            assert_eq!(
                (again.id, again.partitions.len(), again.partitions[1].offsets()),
                (topic.id, 3, (0, 1))
            );
        }
    }

    #[test]
    fn the_list_of_an_older_version_is_read_and_deletes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        fs::create_dir_all(dir.path().join("logs/forgotten-0")).unwrap();
        fs::write(dir.path().join("topics"), format!("topics 1\nt\t{id}\t2\tretention.bytes=5\n"))
            .unwrap();
        let topics = open(&dir);
        let topic = topics.get("t").unwrap();
        assert_eq!(
            (topic.id, topic.partitions.len(), topic.config.overrides().collect::<Vec<_>>()),
            (id, 2, vec![("retention.bytes", "5".to_owned())])
        );
        assert!(dir.path().join("logs/forgotten-0").exists());
        topics.create("u", 1, TopicConfig::default()).unwrap();
        assert!(fs::read_to_string(dir.path().join("topics")).unwrap().starts_with("topics 2\n"));
        assert_eq!(open(&dir).get("t").unwrap().id, id);
    }
}
