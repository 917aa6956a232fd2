//! Follows the settings topic: the record of the policy, and what other replicas announce, of which
//! those that are long gone are removed.
//!
//! The unit works without the topic, on what it was started with: one that cannot be had is told by
//! a warning and a metric.

use crate::metrics::Metrics;
use crate::policy_in_hand::PolicyInHand;
use frame::{Announcement, ContractsRecord, POLICY_KEY, Timestamp};
use frame_bus::{Bus, BusError, Table, TableEvent, TopicSpec};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// How often those that are long gone are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So long after its end an announcement is removed that nobody has taken back.
const LONG_GONE: Duration = Duration::from_secs(600);

/// The settings topic as this unit uses it; clones share whether it is there.
#[derive(Clone)]
pub(crate) struct SettingsTopic {
    pub(crate) bus: Bus,
    pub(crate) spec: TopicSpec,
    pub(crate) metrics: Metrics,
    pub(crate) there: Arc<AtomicBool>,
}

impl SettingsTopic {
    /// Makes the topic if it is not there and this user may, again and again until shutdown.
    pub(crate) async fn look_after(self, shutdown: CancellationToken) {
        let report = |there| {
            self.there.store(there, Ordering::Release);
            self.metrics.settings_topic_there(there);
        };
        self.bus.keep_optional_topic(&self.spec, &shutdown, report).await;
    }

    /// Whether messages can be sent to it, as far as is known.
    pub(crate) fn is_there(&self) -> bool {
        self.there.load(Ordering::Acquire)
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
                    if let Some(said) = ContractsRecord::from_json(&value) {
                        announced.insert(key, said.expires_at);
                    }
                }
                Ok(TableEvent::Set { key, value, .. }) if Announcement::is_key(&key) => {
                    match Announcement::from_json(&value) {
                        Ok(said) => drop(announced.insert(key, said.expires_at)),
                        Err(error) => debug!(key, %error, "passed over an announcement"),
                    }
                }
                Ok(TableEvent::Set { key, .. }) => debug!(key, "passed over a setting"),
                Ok(TableEvent::Removed { key }) if key == POLICY_KEY => match &mut early {
                    Some(last) => *last = None,
                    None => use_record(in_hand, None).await?,
                },
                Ok(TableEvent::Removed { key }) => drop(announced.remove(&key)),
                Ok(TableEvent::CaughtUp) => {
                    // a client that began anew is not told of a record that has gone meanwhile
                    if let Some(last) = early.take()
                        && (last.is_some() || caught_up.is_cancelled())
                    {
                        use_record(in_hand, last).await?;
                    }
                    caught_up.cancel();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes back what processes announced that had no time to do so themselves; each key with the
    /// moment at which it expires. Several replicas may do so at once, which does no harm.
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
