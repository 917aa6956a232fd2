//! What stands on the settings topic, as far as it was read: records, and what preprocessors
//! announce.

use crate::stats::Breaker;
use frame::{
    Announcement, CameraId, ContractsRecord, Expiring, InvalidSetting, LessonsRecord, PerTier,
    SettingRecord, Timestamp, camera_of_regions_key,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Clocks of several machines differ a little: an announcement counts so much longer than it says.
const GRACE: Duration = Duration::from_secs(5);
/// No more announcements are kept than this; autoscalers stop far below.
const MAX_ANNOUNCED: usize = 256;

/// What was read of the settings topic.
#[derive(Debug, Default)]
pub(crate) struct SettingsBoard {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    records: BTreeMap<String, Record>,
    announced: BTreeMap<String, Announcement>,
    contracts: BTreeMap<String, ContractsRecord>,
    /// Keys of before that a client that began anew has not seen yet.
    unseen: HashSet<String>,
    /// Whether the topic is there; `None` while nobody knows.
    there: Option<bool>,
}

/// A record, or why it cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its offset: the later of two has the larger one.
    pub(crate) revision: i64,
    pub(crate) record: Result<SettingRecord, InvalidSetting>,
}

impl SettingsBoard {
    /// The topic is there, or it cannot be had, or nobody can say.
    pub(crate) fn topic_is_there(&self, there: Option<bool>) {
        self.lock().there = there;
    }

    pub(crate) fn is_there(&self) -> bool {
        self.lock().there == Some(true)
    }

    /// A client begins to read the whole topic. It is not told of what was removed meanwhile.
    pub(crate) fn read_anew(&self) {
        let mut contents = self.lock();
        let Contents { records, announced, contracts, .. } = &*contents;
        let keys = records.keys().chain(announced.keys()).chain(contracts.keys());
        contents.unseen = keys.cloned().collect();
    }

    /// The client has read everything that is there: what it has not seen is gone.
    pub(crate) fn caught_up(&self) {
        let mut contents = self.lock();
        for key in std::mem::take(&mut contents.unseen) {
            contents.records.remove(&key);
            contents.announced.remove(&key);
            contents.contracts.remove(&key);
        }
    }

    /// The cameras for whose masks and zones something is set.
    pub(crate) fn cameras_with_regions(&self) -> Vec<CameraId> {
        self.lock().records.keys().filter_map(|key| camera_of_regions_key(key)).collect()
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().records.len()
    }

    /// A message was read.
    pub(crate) fn take_in(&self, key: String, value: &[u8], revision: i64) {
        self.lock().unseen.remove(&key);
        if ContractsRecord::is_key(&key) {
            match ContractsRecord::from_json(value) {
                Ok(said) => self.contracts_stand(key, said),
                Err(error) => tracing::debug!(key, %error, "passed over a record of contracts"),
            }
            return;
        }
        if LessonsRecord::is_key(&key) {
            // the preprocessors' own
            return;
        }
        if Announcement::is_key(&key) {
            match Announcement::from_json(value) {
                Ok(said) => self.announced(key, said),
                Err(error) => tracing::debug!(key, %error, "passed over an announcement"),
            }
            return;
        }
        let record = SettingRecord::from_json(value);
        if let Err(problem) = &record {
            tracing::warn!(key, revision, error = %problem, "a settings record cannot be read");
        }
        self.lock().records.insert(key, Record { revision, record });
    }

    fn announced(&self, key: String, said: Announcement) {
        let mut contents = self.lock();
        let now = Timestamp::now();
        contents.announced.retain(|_, said| !said.is_expired(now, GRACE));
        if contents.announced.len() < MAX_ANNOUNCED || contents.announced.contains_key(&key) {
            contents.announced.insert(key, said);
        }
    }

    fn contracts_stand(&self, key: String, said: ContractsRecord) {
        let mut contents = self.lock();
        let now = Timestamp::now();
        contents.contracts.retain(|_, said| !said.is_expired(now, GRACE));
        if contents.contracts.len() < MAX_ANNOUNCED || contents.contracts.contains_key(&key) {
            contents.contracts.insert(key, said);
        }
    }

    /// How the contracts stand in the processes that are there.
    pub(crate) fn contracts(&self) -> Vec<ContractsRecord> {
        let now = Timestamp::now();
        let contents = self.lock();
        contents.contracts.values().filter(|said| !said.is_expired(now, GRACE)).cloned().collect()
    }

    /// A key was removed.
    pub(crate) fn remove(&self, key: &str) {
        let mut contents = self.lock();
        contents.records.remove(key);
        contents.announced.remove(key);
        contents.contracts.remove(key);
    }

    /// What is set.
    pub(crate) fn record(&self, key: &str) -> Option<Record> {
        self.lock().records.get(key).cloned()
    }

    /// What the processes say that are there, by their names.
    pub(crate) fn live(&self) -> Vec<Announcement> {
        let now = Timestamp::now();
        let contents = self.lock();
        contents.announced.values().filter(|said| !said.is_expired(now, GRACE)).cloned().collect()
    }

    /// The worst state of each tier's circuit breaker, over all preprocessors that are there.
    pub(crate) fn breakers(&self) -> PerTier<Option<Breaker>> {
        let now = Timestamp::now();
        let contents = self.lock();
        let live = contents.announced.values().filter(|said| !said.is_expired(now, GRACE));
        live.fold(PerTier::default(), |worst: PerTier<Option<Breaker>>, said| {
            let of = |name: &Option<String>| name.as_deref().and_then(Breaker::named);
            PerTier {
                edge: worst.edge.max(of(&said.breakers.edge)),
                cloud: worst.cloud.max(of(&said.breakers.cloud)),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use frame::{AnnouncedError, Announcement, Expiring as _, PerTier, PolicyOrigin, Timestamp};
    use std::time::Duration;

    /// A preprocessor that has something to say of everything.
    pub(crate) fn announcement(instance: &str, valid: Duration) -> Announcement {
        let now = Timestamp::now();
        Announcement {
            version: Announcement::VERSION,
            instance: instance.into(),
            policy: "ratio".into(),
            source: PolicyOrigin::Topic,
            revision: Some(7),
            settings: "policy = \"ratio\"\n".into(),
            since: now,
            breakers: PerTier { edge: Some("closed".into()), cloud: Some("open".into()) },
            agreement: None,
            error: Some(AnnouncedError {
                revision: Some(6),
                ..AnnouncedError::new(PolicyOrigin::Topic, "it is broken")
            }),
            sent_at: now,
            expires_at: now + valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_gone_are_not_shown_and_do_not_pile_up() {
        let board = SettingsBoard::default();
        let say = |instance: &str, valid| {
            let said = samples::announcement(instance, valid);
            board.take_in(Announcement::key_of(instance), &said.to_json(), 0);
        };
        for number in 0..2 * MAX_ANNOUNCED {
            say(&number.to_string(), Duration::from_secs(60));
        }
        assert_eq!(board.live().len(), MAX_ANNOUNCED);
        board.remove(&Announcement::key_of("0"));
        assert_eq!(board.live().len(), MAX_ANNOUNCED - 1);
        let old = Announcement {
            expires_at: Timestamp::from_micros(1),
            ..samples::announcement("old", Duration::ZERO)
        };
        board.take_in(Announcement::key_of("old"), &old.to_json(), 0);
        assert!(board.live().iter().all(|said| said.instance != "old"));
    }

    #[test]
    fn a_client_that_begins_anew_drops_what_has_gone_meanwhile() {
        let board = SettingsBoard::default();
        let record = SettingRecord::new("policy = 'ratio'".into(), "x".into(), None);
        let say = |instance: &str| {
            let said = samples::announcement(instance, Duration::from_secs(60));
            board.take_in(Announcement::key_of(instance), &said.to_json(), 0);
        };
        board.take_in("policy".into(), &record.to_json(), 1);
        board.take_in("camera/gate/regions".into(), &record.to_json(), 2);
        say("gone");
        say("here");
        board.read_anew();
        assert!(board.record("policy").is_some(), "it stands until everything is read");
        board.take_in("camera/gate/regions".into(), &record.to_json(), 0);
        say("here");
        board.caught_up();
        assert!(board.record("policy").is_none() && board.count() == 1);
        assert_eq!(board.record("camera/gate/regions").unwrap().revision, 0);
        let live: Vec<String> = board.live().into_iter().map(|said| said.instance).collect();
        assert_eq!(live, ["here"]);
        // nothing is unseen any more
        board.caught_up();
        assert_eq!(board.count(), 1);
    }

    #[test]
    fn contracts_expire_and_do_not_pile_up() {
        let board = SettingsBoard::default();
        let say = |instance: String, valid| {
            let record = ContractsRecord::new(instance.clone(), Vec::new(), valid);
            board.take_in(ContractsRecord::key_of(&instance), &record.to_json(), 0);
        };
        (0..2 * MAX_ANNOUNCED).for_each(|n| say(n.to_string(), Duration::from_secs(60)));
        assert_eq!((board.contracts().len(), board.live().len()), (MAX_ANNOUNCED, 0));
        board.remove(&ContractsRecord::key_of("0"));
        assert_eq!(board.contracts().len(), MAX_ANNOUNCED - 1);
        let gone = ContractsRecord {
            expires_at: Timestamp::from_micros(1),
            ..ContractsRecord::new("gone".into(), Vec::new(), Duration::ZERO)
        };
        board.take_in(ContractsRecord::key_of("gone"), &gone.to_json(), 0);
        assert!(board.contracts().iter().all(|said| said.instance != "gone"));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_kept_with_what_is_wrong() {
        let board = SettingsBoard::default();
        let record = SettingRecord::new("policy = 'ratio'".into(), "x".into(), None);
        board.take_in("policy".into(), &record.to_json(), 3);
        assert_eq!(board.record("policy").unwrap().record, Ok(record));
        board.take_in("policy".into(), b"nonsense", 4);
        let broken = board.record("policy").unwrap();
        assert!(broken.revision == 4 && broken.record.is_err());
        board.remove("policy");
        assert!(board.record("policy").is_none());
    }
}
