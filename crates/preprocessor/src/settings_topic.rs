//! Follows the settings topic: the record of the policy, those of cameras' masks and zones, and
//! what other replicas announce, of which those that are long gone are removed.
//!
//! The unit works without the topic, on what it was started with: one that cannot be had is told by
//! a warning and a metric. One that is there must have been read before the first frame is
//! prepared, since masks may be set in it.

use crate::decisions::Decisions;
use crate::lessons;
use crate::metrics::{Metrics, SettingEnd};
use crate::policy_in_hand::PolicyInHand;
use frame::{Announcement, ContractsRecord, Expiring, LessonsRecord, POLICY_KEY, Timestamp};
use frame_bus::{Bus, BusError, Table, TableEvent, TopicSpec};
use regions::{Book, Known, RecordEnd, Records};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// How often those that are long gone are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So long after its end an announcement is removed that nobody has taken back.
const LONG_GONE: Duration = Duration::from_secs(600);

/// The settings topic is there, but could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the settings topic is there, but was not read within {} s: masks may be set in it, so no \
     frame is prepared", .0.as_secs()
)]
pub(crate) struct SettingsUnread(Duration);

/// The settings topic as this unit uses it; clones share whether it is there.
#[derive(Clone)]
pub(crate) struct SettingsTopic {
    pub(crate) bus: Bus,
    pub(crate) spec: TopicSpec,
    pub(crate) metrics: Metrics,
    pub(crate) regions: Arc<Book>,
    /// Whether it is there, as far as is known.
    pub(crate) is_there: Arc<AtomicBool>,
    pub(crate) decisions: Decisions,
}

impl SettingsTopic {
    /// Makes the topic if it is not there and this user may, again and again until shutdown.
    pub(crate) async fn look_after(self, shutdown: CancellationToken) {
        let report = |outcome: Result<(), &BusError>| {
            let is_there = outcome.is_ok();
            self.metrics.settings_topic_there(is_there);
            // any other error says nothing of the topic
            if matches!(outcome, Ok(()) | Err(BusError::Topic { .. } | BusError::NotAllowed { .. }))
            {
                self.is_there.store(is_there, Ordering::Relaxed);
                self.regions.topic_is_there(is_there);
            }
        };
        self.bus.keep_optional_topic(&self.spec, &shutdown, report).await;
    }

    /// Whether messages can be sent to it, as far as is known.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Relaxed)
    }

    /// Follows it until shutdown. `caught_up` is cancelled when what was there has been read.
    pub(crate) async fn follow(
        self,
        in_hand: PolicyInHand,
        caught_up: CancellationToken,
        shutdown: CancellationToken,
    ) {
        loop {
            let error = match self.bus.table(&self.spec.name) {
                Ok(mut table) => tokio::select! {
                    Err(error) = self.read(&mut table, &in_hand, &caught_up) => error,
                    () = shutdown.cancelled() => return,
                },
                Err(error) => error,
            };
            tracing::error!(%error, "settings cannot be read, starting again");
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn read(
        &self,
        table: &mut Table,
        in_hand: &PolicyInHand,
        caught_up: &CancellationToken,
    ) -> Result<Infallible, BusError> {
        // the table bounds how many
        let mut announced = HashMap::new();
        let mut records = Records::new(Arc::clone(&self.regions));
        let tell = |end: Option<RecordEnd>| {
            if let Some(end) = end {
                self.metrics.setting(SettingEnd::from(end));
            }
        };
        // while the topic is read: the policy's last record, which alone is acted upon
        let mut early = Some(None);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let event = tokio::select! {
                event = table.recv() => event,
                _ = look.tick() => {
                    self.remove_long_gone(&mut announced).await;
                    continue;
                }
            };
            match event {
                Ok(TableEvent::Set { key, value, offset }) if key == POLICY_KEY => match &mut early
                {
                    Some(last) => *last = Some((value, offset)),
                    None => use_record(in_hand, Some((value, offset))).await?,
                },
                Ok(TableEvent::Set { key, value, .. }) if ContractsRecord::is_key(&key) => {
                    if let Ok(said) = ContractsRecord::from_json(&value) {
                        announced.insert(key, said.expires_at);
                    }
                }
                Ok(TableEvent::Set { key, value, offset }) if LessonsRecord::is_key(&key) => {
                    if let Some(expires_at) = self.found_again(&key, &value, offset) {
                        announced.insert(key, expires_at);
                    }
                }
                Ok(TableEvent::Set { key, value, .. }) if Announcement::is_key(&key) => {
                    match Announcement::from_json(&value) {
                        Ok(said) => drop(announced.insert(key, said.expires_at)),
                        Err(error) => debug!(key, %error, "passed over an announcement"),
                    }
                }
                Ok(TableEvent::Set { key, value, offset }) => {
                    tell(records.set(&key, &value, offset));
                }
                Ok(TableEvent::Removed { key }) if key == POLICY_KEY => match &mut early {
                    Some(last) => *last = None,
                    None => use_record(in_hand, None).await?,
                },
                Ok(TableEvent::Removed { key }) => {
                    announced.remove(&key);
                    if let Some(camera) = LessonsRecord::camera_of_key(&key) {
                        self.decisions.keep_no_more(&camera);
                    }
                    tell(records.removed(&key));
                }
                Ok(TableEvent::CaughtUp) => {
                    // a client that began anew is not told of a record that has gone meanwhile
                    if let Some(last) = early.take()
                        && (last.is_some() || caught_up.is_cancelled())
                    {
                        use_record(in_hand, last).await?;
                    }
                    for end in records.caught_up().await {
                        tell(Some(end));
                    }
                    // otherwise nobody knows what is masked
                    if self.regions.is_read() {
                        caught_up.cancel();
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What was learned of a camera before, or elsewhere; until when it counts. One that cannot be
    /// used changes nothing.
    fn found_again(&self, key: &str, value: &[u8], offset: i64) -> Option<Timestamp> {
        match lessons::read(key, value) {
            Ok((kept, record)) => {
                if !record.is_expired(Timestamp::now(), LONG_GONE) {
                    self.decisions.keep(kept);
                }
                Some(record.expires_at)
            }
            Err(problem) => {
                warn!(
                    key,
                    offset,
                    %problem,
                    "the record of a camera's lessons cannot be used: what was learned without it \
                     still decides; it is replaced by the next one, or may be removed"
                );
                self.metrics.setting(SettingEnd::Refused);
                None
            }
        }
    }

    /// Takes back what processes announced that had no time to do so themselves, and what was
    /// learned of cameras that are gone; each key with the moment at which it expires. Several replicas may do so at once, which does no harm.
    async fn remove_long_gone(&self, announced: &mut HashMap<String, Timestamp>) {
        let now = Timestamp::now();
        let gone = announced.iter().filter(|(_, expires_at)| now > **expires_at + LONG_GONE);
        let gone: Vec<String> = gone.map(|(key, _)| key.clone()).collect();
        for key in gone {
            if let Err(error) = self.bus.delete_key(&self.spec.name, &key).await {
                debug!(key, %error, "an announcement of a process that is gone stays for now");
                return;
            }
            announced.remove(&key);
        }
    }
}

/// Waits until what was set before has been read, so that no frame goes without its masks; or until
/// it is known that there is no such topic. Frames wait in theirs, and a process that begins anew
/// after `within` may fare better.
///
/// # Errors
/// When it is there, or may be, and is not read in time.
pub(crate) async fn known(book: &Book, within: Duration) -> Result<Known, SettingsUnread> {
    tokio::time::timeout(within, book.known()).await.map_err(|_| SettingsUnread(within))
}

/// Acts upon the policy's record, or upon its removal. A rule of thousands of bytes takes
/// milliseconds to compile.
async fn use_record(
    in_hand: &PolicyInHand,
    record: Option<(Vec<u8>, i64)>,
) -> Result<(), BusError> {
    let in_hand = in_hand.clone();
    let using = tokio::task::spawn_blocking(move || match record {
        Some((value, offset)) => in_hand.record(&value, offset),
        None => in_hand.record_removed(),
    });
    using.await.map_err(|error| BusError::Fatal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regions::RegionsFile;

    #[tokio::test]
    async fn a_topic_that_is_not_read_in_time_is_an_error() {
        let book = Book::new(RegionsFile::default());
        book.topic_is_there(true);
        let refusal = known(&book, Duration::from_millis(1)).await.unwrap_err();
        assert!(refusal.to_string().contains("masks may be set in it"), "{refusal}");
        book.has_been_read();
        assert_eq!(known(&book, Duration::from_secs(3600)).await.unwrap(), Known::Read);
    }
}
