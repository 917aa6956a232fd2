//! What stands on the settings topic, as far as it was read: records, and what preprocessors
//! announce.

use frame::{Announcement, InvalidSetting, SettingRecord, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
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
    there: AtomicBool,
}

#[derive(Debug, Default)]
struct Contents {
    records: BTreeMap<String, Record>,
    announced: BTreeMap<String, Announcement>,
}

/// A record, or why it cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its offset: the later of two has the larger one.
    pub(crate) revision: i64,
    pub(crate) record: Result<SettingRecord, InvalidSetting>,
}

impl SettingsBoard {
    /// The topic is there, or it cannot be had.
    pub(crate) fn topic_is_there(&self, there: bool) {
        self.there.store(there, Ordering::Release);
    }

    pub(crate) fn is_there(&self) -> bool {
        self.there.load(Ordering::Acquire)
    }

    /// A message was read.
    pub(crate) fn take_in(&self, key: String, value: &[u8], revision: i64) {
        if Announcement::is_key(&key) {
            match Announcement::from_json(value) {
                Ok(said) => self.announced(key, said),
                Err(error) => tracing::debug!(key, %error, "passed over an announcement"),
            }
            return;
        }
        let record = SettingRecord::from_json(value);
        if let Err(problem) = &record {
            tracing::warn!(key, revision, %problem, "a settings record cannot be read");
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

    /// A key was removed.
    pub(crate) fn remove(&self, key: &str) {
        let mut contents = self.lock();
        contents.records.remove(key);
        contents.announced.remove(key);
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

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use frame::{AnnouncedError, Announcement, PerTier, PolicyOrigin, Timestamp};
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
