//! What decides now, out of what the unit was started with, the policy file, and the record of the
//! settings topic, which wins until it is taken back.

use crate::decisions::Decisions;
use crate::metrics::{Metrics, SettingEnd};
use crate::policy_file::PolicySource;
use frame::{
    AnnouncedError, Announcement, Expiring, PerTier, PolicyOrigin, SettingRecord, Timestamp,
};
use offload::{BreakerState, PolicyConfig, Prepared};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info};

/// Shared by whoever reads a source of policies; clones share it.
#[derive(Clone)]
pub(crate) struct PolicyInHand {
    decisions: Decisions,
    metrics: Metrics,
    source: Arc<PolicySource>,
    state: Arc<Mutex<State>>,
    changes: watch::Sender<()>,
}

struct State {
    /// What decides without a record.
    own: PolicyConfig,
    record: Option<Record>,
    since: Timestamp,
    file_error: Option<AnnouncedError>,
    record_error: Option<AnnouncedError>,
}

/// A record that counts.
struct Record {
    config: PolicyConfig,
    offset: i64,
    value: Vec<u8>,
}

/// What decides, as far as it is announced.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct InForce {
    policy: String,
    source: PolicyOrigin,
    revision: Option<i64>,
    settings: PolicyConfig,
    since: Timestamp,
    breakers: PerTier<BreakerState>,
    error: Option<AnnouncedError>,
}

impl PolicyInHand {
    /// As it is at the start, when `own` decides.
    pub(crate) fn new(
        source: PolicySource,
        own: PolicyConfig,
        decisions: Decisions,
        metrics: Metrics,
    ) -> Self {
        let state = State {
            own,
            record: None,
            since: Timestamp::now(),
            file_error: None,
            record_error: None,
        };
        let in_hand = Self {
            decisions,
            metrics,
            source: Arc::new(source),
            state: Arc::new(Mutex::new(state)),
            changes: watch::Sender::new(()),
        };
        in_hand.tell();
        in_hand
    }

    /// Told at each change of what is announced, but for the circuit breakers.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The policy file has changed: what it says, or why it cannot be used.
    pub(crate) fn file(&self, path: &str, read: Result<PolicyConfig, String>) {
        // before anybody has to wait for the lock
        let read = read.and_then(|config| {
            let config = self.source.filled_in(config);
            Ok((self.prepare(&config)?, config))
        });
        let mut state = self.lock();
        let kept = state.record.is_some();
        let outcome = read.map(|(prepared, config)| {
            if !kept {
                self.exchange(&mut state, prepared);
            }
            state.own = config;
        });
        self.metrics.policy_reloaded(outcome.is_ok());
        let policy = self.decisions.policy();
        state.file_error = match outcome {
            Ok(()) if kept => {
                info!(path, policy, "policy file has changed, but a settings record decides");
                None
            }
            Ok(()) => {
                info!(path, policy, "policy file has changed, its policy holds from now on");
                None
            }
            Err(problem) => {
                error!(
                    path,
                    error = problem,
                    policy,
                    "policy file cannot be used, the policy before it still holds"
                );
                Some(AnnouncedError::new(PolicyOrigin::File, &problem))
            }
        };
        drop(state);
        self.tell();
    }

    /// A record of the policy was read. Its rule may take a while to compile: not for an async
    /// thread.
    pub(crate) fn record(&self, value: &[u8], offset: i64) {
        // before anybody has to wait for the lock
        let read = SettingRecord::from_json(value).map_err(|error| error.to_string());
        let read = read.and_then(|read| {
            let config = PolicyConfig::from_toml(&read.value).map_err(|error| error.to_string())?;
            let config = self.source.filled_in(config);
            Ok((read, self.prepare(&config)?, config))
        });
        let mut state = self.lock();
        if let Some(record) = state.record.as_mut().filter(|record| record.value == value) {
            // read once more, by a client that began anew
            record.offset = offset;
            state.record_error = None;
            drop(state);
            self.tell();
            return;
        }
        let used = read.map(|(read, prepared, config)| {
            self.exchange(&mut state, prepared);
            state.record = Some(Record { config, offset, value: value.to_vec() });
            read
        });
        let policy = self.decisions.policy();
        state.record_error = match used {
            Ok(SettingRecord { changed_by, changed_at, note, .. }) => {
                let (changed_at, note) = (changed_at.as_micros(), note.unwrap_or_default());
                info!(
                    policy,
                    revision = offset,
                    changed_by,
                    changed_at,
                    note,
                    "the policy was changed by a settings record, which holds from now on"
                );
                self.metrics.setting(SettingEnd::Used);
                None
            }
            Err(problem) => {
                error!(
                    revision = offset,
                    error = problem,
                    policy,
                    "settings record 'policy' cannot be used, the policy before it still holds"
                );
                self.metrics.setting(SettingEnd::Refused);
                let error = AnnouncedError::new(PolicyOrigin::Topic, &problem);
                Some(AnnouncedError { revision: Some(offset), ..error })
            }
        };
        drop(state);
        self.tell();
    }

    /// The record of the policy is gone: what the unit was started with, or the policy file,
    /// decides.
    pub(crate) fn record_removed(&self) {
        let mut state = self.lock();
        let (was, own) = (state.record.take(), state.own.clone());
        state.record_error = match was {
            // a broken one has changed nothing
            None => None,
            Some(_) => match self.prepare(&own) {
                Ok(prepared) => {
                    self.exchange(&mut state, prepared);
                    let policy = self.decisions.policy();
                    info!(policy, "the settings record is gone: back to what was configured");
                    None
                }
                Err(problem) => {
                    error!(error = problem, "what was configured cannot be used");
                    state.record = was;
                    Some(AnnouncedError::new(PolicyOrigin::File, &problem))
                }
            },
        };
        drop(state);
        self.metrics.setting(SettingEnd::Removed);
        self.tell();
    }

    /// What decides now.
    pub(crate) fn in_force(&self) -> InForce {
        let state = self.lock();
        let own = match &*self.source {
            PolicySource { file: Some(_), .. } => PolicyOrigin::File,
            PolicySource { is_chosen: true, .. } => PolicyOrigin::Variables,
            PolicySource { .. } => PolicyOrigin::Default,
        };
        InForce {
            policy: self.decisions.policy(),
            source: state.record.as_ref().map_or(own, |_| PolicyOrigin::Topic),
            revision: state.record.as_ref().map(|record| record.offset),
            settings: state.record.as_ref().map_or(&state.own, |record| &record.config).clone(),
            since: state.since,
            breakers: self.decisions.breakers(),
            error: state.record_error.clone().or_else(|| state.file_error.clone()),
        }
    }

    fn tell(&self) {
        let now = self.in_force();
        self.metrics.policy_in_force(now.policy, now.source);
        self.changes.send_replace(());
    }

    fn prepare(&self, config: &PolicyConfig) -> Result<Prepared, String> {
        self.decisions.prepare(config).map_err(|error| error.to_string())
    }

    fn exchange(&self, state: &mut State, prepared: Prepared) {
        self.decisions.exchange(prepared);
        state.since = Timestamp::now();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    /// Said by this process, to count for so long.
    pub(crate) fn announced(self, instance: &str, valid: Duration) -> Announcement {
        let state = |state| {
            Some(match state {
                BreakerState::Closed => "closed".to_owned(),
                BreakerState::HalfOpen => "half-open".to_owned(),
                BreakerState::Open => "open".to_owned(),
            })
        };
        let sent_at = Timestamp::now();
        Announcement {
            version: Announcement::VERSION,
            instance: instance.to_owned(),
            policy: self.policy,
            source: self.source,
            revision: self.revision,
            settings: self.settings.to_toml(),
            since: self.since,
            breakers: PerTier {
                edge: state(self.breakers.edge),
                cloud: state(self.breakers.cloud),
            },
            error: self.error,
            agreement: None,
            sent_at,
            expires_at: sent_at + valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offload::PolicyConfig;

    fn in_hand() -> (PolicyInHand, unit::Metrics) {
        in_hand_of(Some("policy.toml"), false)
    }

    fn in_hand_of(file: Option<&str>, is_chosen: bool) -> (PolicyInHand, unit::Metrics) {
        let exported = unit::Metrics::default();
        let metrics = Metrics::register(&exported);
        let config = PolicyConfig::named("edge-only").unwrap();
        let decisions = Decisions::new(&config, None, metrics.clone()).unwrap();
        let source = PolicySource {
            config: config.clone(),
            is_chosen,
            file: file.map(Into::into),
            text: None,
            reload: Duration::from_secs(1),
            workers: PerTier { edge: Some(3), cloud: None },
        };
        let own = source.filled_in(config);
        (PolicyInHand::new(source, own, decisions, metrics), exported)
    }

    fn record(text: &str) -> Vec<u8> {
        SettingRecord::new(text.into(), "a test".into(), None).to_json()
    }

    fn told(in_hand: &PolicyInHand) -> (String, PolicyOrigin, Option<i64>, Option<String>) {
        let said = in_hand.in_force().announced("pod", Duration::from_secs(30));
        (said.policy, said.source, said.revision, said.error.map(|error| error.problem))
    }

    #[test]
    fn it_is_told_where_the_policy_comes_from() {
        for (file, is_chosen, source) in [
            (None, false, PolicyOrigin::Default),
            (None, true, PolicyOrigin::Variables),
            (Some("policy.toml"), true, PolicyOrigin::File),
        ] {
            let (in_hand, _metrics) = in_hand_of(file, is_chosen);
            assert_eq!(told(&in_hand).1, source);
            in_hand.record(&record("policy = 'cloud-only'"), 4);
            assert_eq!(told(&in_hand).1, PolicyOrigin::Topic);
        }
    }

    #[test]
    fn a_record_wins_until_it_is_gone_and_a_broken_one_changes_nothing() {
        let (in_hand, _metrics) = in_hand();
        assert_eq!(told(&in_hand), ("edge-only".into(), PolicyOrigin::File, None, None));
        in_hand.record(&record("policy = 'cloud-only'"), 4);
        let of_record = ("cloud-only".into(), PolicyOrigin::Topic, Some(4), None);
        assert_eq!(told(&in_hand), of_record);
        let settings = in_hand.in_force().announced("pod", Duration::ZERO).settings;
        let settings = PolicyConfig::from_toml(&settings).unwrap();
        assert_eq!(settings.prior.edge.workers, Some(3), "what the variables say is filled in");

        for (offset, broken) in (5..).zip([b"{}".to_vec(), record("policy = 'coin'")]) {
            in_hand.record(&broken, offset);
            let (policy, source, revision, problem) = told(&in_hand);
            assert_eq!(
                (policy.as_str(), source, revision),
                ("cloud-only", PolicyOrigin::Topic, Some(4))
            );
            assert!(problem.is_some_and(|problem| !problem.is_empty()));
        }
        in_hand.file("policy.toml", Ok(PolicyConfig::named("ratio").unwrap()));
        assert_eq!(told(&in_hand).0, "cloud-only", "the record still decides");
        in_hand.record_removed();
        assert_eq!(told(&in_hand), ("ratio".into(), PolicyOrigin::File, None, None));
        in_hand.file("policy.toml", Err("it is broken".into()));
        assert_eq!(
            told(&in_hand),
            ("ratio".into(), PolicyOrigin::File, None, Some("it is broken".into()))
        );
    }

    #[test]
    fn a_record_that_is_read_again_changes_nothing() {
        let (in_hand, _metrics) = in_hand();
        let value = record("policy = 'cloud-only'");
        in_hand.record(&value, 4);
        let since = in_hand.in_force().since;
        in_hand.record(&value, 0);
        let again = in_hand.in_force();
        assert_eq!((again.since, again.revision), (since, Some(0)));
    }
}
