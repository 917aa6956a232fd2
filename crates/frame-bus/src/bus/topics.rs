//! Topics and groups as a bus sees them.

use crate::admin::create_topics::Maker;
use crate::admin::lag::{self, Lag};
use crate::admin::topics::{self, TopicState};
use crate::bus::Bus;
use crate::client::blocking;
use crate::config::topics::TopicSpec;
use crate::error::BusError;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Topics that cannot be made are tried again after this time: somebody may be mending the broker.
const TOPICS_AGAIN: Duration = Duration::from_secs(5);
/// How long each question for a lag may take.
const LAG_PATIENCE: Duration = Duration::from_secs(5);
/// A topic that the unit can do without is looked after so often.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(30);

impl Bus {
    /// Makes the topics that are missing, and waits for the broker as long as it takes. Topics that
    /// are there stay as they are; one with too few partitions is named in a warning.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the broker refuses a topic for good, [`BusError::ShuttingDown`]
    /// when shutdown comes first.
    pub async fn ensure_topics(
        &self,
        specs: &[TopicSpec],
        shutdown: &CancellationToken,
    ) -> Result<(), BusError> {
        let inner = &self.inner;
        let (config, link, clients) =
            (inner.config.clone(), Arc::clone(&inner.link), Arc::clone(&inner.clients));
        let inquirer = Box::new(move || clients.inquirer());
        Maker { config, link, inquirer, state: inner.states.reachable.clone() }
            .ensure(specs, shutdown)
            .await
    }

    /// Those of these topics that are there and that the broker lets us see, by name.
    ///
    /// # Errors
    /// [`BusError::BrokerAway`] when the broker does not answer.
    pub async fn topics(&self, names: &[String]) -> Result<Vec<TopicState>, BusError> {
        self.reachable().await?;
        topics::find(&self.inner.config, &self.inner.link, &self.inner.clients.inquirer(), names)
            .await
    }

    /// Gives a topic that has fewer partitions than `spec` wants as many. Messages of one key go to
    /// another partition from then on.
    ///
    /// # Errors
    /// [`BusError::NotAllowed`], [`BusError::Topic`] when the broker refuses,
    /// [`BusError::BrokerAway`] when it does not answer.
    pub async fn grow_topic(&self, spec: &TopicSpec) -> Result<(), BusError> {
        self.reachable().await?;
        topics::grow(&self.inner.config, &self.inner.link, spec).await
    }

    /// The same as [`Bus::ensure_topics`] until it succeeds: a topic that the broker refuses may be
    /// mended while the unit waits. Each outcome is reported. `false` when shutdown came first.
    /// From then on [`Bus::topics_state`] watches over them, and [`Bus::state`] also says whether
    /// the producer can send.
    pub async fn topics_in_place(
        &self,
        specs: &[TopicSpec],
        shutdown: &CancellationToken,
        report: impl Fn(Result<(), BusError>),
    ) -> bool {
        let mut told = None;
        loop {
            match self.ensure_topics(specs, shutdown).await {
                Ok(()) => {
                    self.inner.link.need(specs.iter().map(|spec| spec.name.clone()));
                    if self.topics_were_seen(shutdown).await {
                        report(Ok(()));
                        return true;
                    }
                }
                Err(BusError::ShuttingDown) => return false,
                Err(error) => {
                    if told.replace(error.clone()).as_ref() != Some(&error) {
                        error!(%error, "the topics are not as they should be, trying again");
                    }
                    report(Err(error));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TOPICS_AGAIN) => {}
                () = shutdown.cancelled() => return false,
            }
        }
    }

    /// Looks after a topic that the unit can do without, until shutdown: makes it when it is not
    /// there and this user may. Each look is reported; what is wrong is told once by a warning, and
    /// changes neither [`Bus::state`] nor [`Bus::topics_state`].
    pub async fn keep_optional_topic(
        &self,
        spec: &TopicSpec,
        shutdown: &CancellationToken,
        report: impl Fn(Result<(), &BusError>),
    ) {
        let mut told = None;
        loop {
            match self.ensure_topics(std::slice::from_ref(spec), shutdown).await {
                Ok(()) => {
                    told = None;
                    report(Ok(()));
                }
                Err(BusError::ShuttingDown) => return,
                Err(error) => {
                    report(Err(&error));
                    if told.replace(error.clone()).as_ref() != Some(&error) {
                        warn!(topic = spec.name, %error, "the unit goes on without this topic");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AFTER_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Whether the monitor has checked the needed topics, and at the producer, within a while.
    async fn topics_were_seen(&self, shutdown: &CancellationToken) -> bool {
        let mut seen = self.topics_state();
        let seen = tokio::time::timeout(TOPICS_AGAIN, seen.wait_for(Result::is_ok));
        shutdown
            .run_until_cancelled(seen)
            .await
            .is_some_and(|seen| seen.is_ok_and(|seen| seen.is_ok()))
    }

    /// How far a group is behind, from its committed offsets and the partitions' ends.
    ///
    /// # Errors
    /// [`BusError::Topic`] when the topic is not there, [`BusError::BrokerAway`] when the broker
    /// does not answer within five seconds.
    pub async fn lag(&self, group: &str, topic: &str) -> Result<Lag, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let (group, topic) = (group.to_owned(), topic.to_owned());
        blocking(move || {
            let inquirer = inner.clients.lag_inquirer(&inner.config, &inner.link, &group)?;
            lag::measure(&inquirer, &group, &topic, LAG_PATIENCE)
        })
        .await
    }
}
