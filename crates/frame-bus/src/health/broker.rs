//! What all clients of one bus know about the way to the broker.

use crate::config::security::Security;
use crate::error::BusError;
use crate::error::codes::{is_transient, unanswered};
use crate::health::membership::{Groups, Seat};
use crate::health::rejection::Rejection;
use crate::health::rights::{Right, Rights};
use crate::health::unready::{NO_SPACE, Readiness};
use crate::threads::Threads;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::ConsumerGroup;
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// Shared by the clients, which report trouble, and by the monitor, which then asks at once.
#[derive(Debug, Default)]
pub(crate) struct Link {
    security: Security,
    /// Starts the threads of this bus.
    pub(crate) threads: Threads,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    last_reason: Option<String>,
    /// The last reason, if it is not transient.
    refusal: Option<Rejection>,
    rights: Rights,
    /// Topics that the unit can do without, and what is not allowed of those.
    optional: BTreeSet<String>,
    optional_rights: Rights,
    /// Groups about whose offsets the broker gives no answer.
    closed_groups: BTreeSet<String>,
    groups: Groups,
    /// The topics without which the unit can do nothing; it also sends.
    needs: Vec<String>,
    /// When the broker last could not write for want of space.
    no_space: Option<Instant>,
    trouble: bool,
    stopped: bool,
}

impl State {
    fn refused(&mut self, refusal: Rejection) {
        // what is only a guess is no reason until the monitor has seen it twice
        if refusal.certain {
            self.last_reason = Some(refusal.text.clone());
        }
        self.refusal = Some(refusal);
    }
}

/// So long a refusal for want of space counts; then it is worth trying again.
const NO_SPACE_FOR: Duration = Duration::from_secs(3);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is over.
    Time,
    /// A client lost every broker.
    Trouble,
    /// The bus is gone.
    Stopped,
}

impl Link {
    pub(crate) fn new(security: Security, threads: Threads) -> Self {
        Self { security, threads, ..Self::default() }
    }

    /// Remembers what a client says about a failed connection, for error messages. `false` when it
    /// means nothing of that kind.
    pub(crate) fn note_reason(&self, code: RDKafkaErrorCode, reason: &str) -> bool {
        let refusal = Rejection::of(&self.security, code, reason);
        let transient = is_transient(code);
        let mut state = self.lock();
        if let Some(refusal) = refusal {
            state.refused(refusal);
            return true;
        }
        // whoever refuses us also hangs up; only one that is not there any more refuses nothing
        let gone = code == RDKafkaErrorCode::Resolve || reason.contains("Connect to ");
        if transient && (gone || state.refusal.is_none()) {
            // librdkafka adds times and counts that change with every attempt: "... (after 3ms in
            // state CONNECT)"
            let lasting = reason.split(" (after ").next().unwrap_or(reason);
            state.last_reason = Some(lasting.to_owned());
            state.refusal = None;
        }
        transient
    }

    /// That a broker hangs up stands only in the client's log; the state in which it did tells
    /// something.
    pub(crate) fn note_hint(&self, line: &str) {
        let words = line.split_once("]: ").map_or(line, |(_, words)| words);
        if let Some(refusal) =
            Rejection::of(&self.security, RDKafkaErrorCode::BrokerTransportFailure, words)
        {
            self.lock().refused(refusal);
        }
    }

    /// What was said last, if anything was since the broker answered.
    pub(crate) fn last_reason(&self) -> Option<String> {
        self.lock().last_reason.clone()
    }

    /// A refusal was only a guess, and has turned out to be right: it is the reason from now on.
    pub(crate) fn confirm(&self, refusal: &Rejection) {
        self.lock().last_reason = Some(refusal.text.clone());
    }

    /// What was said last, if a person must mend it.
    pub(crate) fn refusal(&self) -> Option<Rejection> {
        self.lock().refusal.clone()
    }

    /// The broker answered.
    pub(crate) fn forget_reason(&self) {
        let mut state = self.lock();
        (state.last_reason, state.refusal) = (None, None);
    }

    /// The broker does not let us do this. Gives the words for it, and says them once.
    pub(crate) fn lacks(&self, right: Right) -> String {
        let text = right.is_missing(&self.security);
        let now = Instant::now();
        let (news, was_told) = {
            let mut state = self.lock();
            if right.topic().is_some_and(|topic| state.optional.contains(topic)) {
                if state.optional_rights.lacks(right, &text, now) {
                    warn!("{text}; the unit goes on without it");
                }
                return text;
            }
            let before = state.rights.missing(now);
            let news = state.rights.lacks(right, &text, now);
            (news, before == state.rights.missing(now))
        };
        if news {
            error!("{text}");
        }
        if !was_told {
            // the monitor tells everyone
            self.report_trouble();
        }
        text
    }

    /// The broker does not say where this group is. It says so once; the question itself gets no
    /// answer.
    pub(crate) fn group_is_closed(&self, group: &str) {
        self.lock().closed_groups.insert(group.to_owned());
    }

    /// It does.
    pub(crate) fn group_is_open(&self, group: &str) {
        self.lock().closed_groups.remove(group);
    }

    /// Why a question was not answered, when it needs this right.
    pub(crate) fn explain(&self, error: KafkaError, right: &Right) -> BusError {
        let closed =
            matches!(&right, Right::Group(group) if self.lock().closed_groups.contains(group));
        match unanswered(error) {
            BusError::BrokerAway { .. } if closed => {
                BusError::NotAllowed { what: right.is_missing(&self.security) }
            }
            BusError::NotAllowed { .. } => {
                BusError::NotAllowed { what: right.is_missing(&self.security) }
            }
            error => error,
        }
    }

    /// A message was read.
    pub(crate) fn has_read(&self, topic: &str) {
        self.has(|| Right::Read(topic.to_owned()));
    }

    /// A message was written.
    pub(crate) fn has_written(&self, topic: &str) {
        self.has(|| Right::Write(topic.to_owned()));
    }

    /// The broker cannot write: its disk is full, or broken. Gives the reason in words.
    pub(crate) fn lacks_space(&self) -> String {
        let mut state = self.lock();
        if state.no_space.replace(Instant::now()).is_none() {
            error!("{NO_SPACE}");
            state.trouble = true;
            self.changed.notify_all();
        }
        NO_SPACE.to_owned()
    }

    /// The broker has written.
    pub(crate) fn has_space(&self) {
        let mut state = self.lock();
        if state.no_space.take().is_some() {
            info!("the broker can write again");
            state.trouble = true;
            self.changed.notify_all();
        }
    }

    /// Whether the broker could not write a moment ago. Whoever asks again after that moment may
    /// try.
    pub(crate) fn is_without_space(&self) -> bool {
        self.lock().no_space.is_some_and(|since| since.elapsed() < NO_SPACE_FOR)
    }

    /// A group was joined.
    pub(crate) fn has_joined(&self, group: &str) {
        self.has(|| Right::Group(group.to_owned()));
    }

    fn has(&self, right: impl FnOnce() -> Right) {
        let mut state = self.lock();
        if state.rights.are_complete() && state.optional_rights.are_complete() {
            return;
        }
        let right = right();
        if state.optional_rights.has(&right) {
            info!("the broker allows it now: {right}");
        } else if state.rights.has(&right) {
            info!("the broker allows it now: {right}");
            state.trouble = true;
            self.changed.notify_all();
        }
    }

    /// The broker has given the producer its number.
    pub(crate) fn may_produce(&self) {
        self.has(|| Right::Produce);
    }

    /// The unit can do without this topic: what is not allowed of it is told and nothing else.
    pub(crate) fn can_do_without(&self, topic: &str) {
        self.lock().optional.insert(topic.to_owned());
    }

    /// From now on the monitor asks for these topics, and for a producer that can send.
    pub(crate) fn need(&self, topics: impl Iterator<Item = String>) {
        let mut state = self.lock();
        for topic in topics {
            if !state.needs.contains(&topic) {
                state.needs.push(topic);
            }
        }
        drop(state);
        self.report_trouble();
    }

    /// Which topics are needed.
    pub(crate) fn needs(&self) -> Vec<String> {
        self.lock().needs.clone()
    }

    /// A consumer begins to join its group.
    pub(crate) fn joins(&self, seat: Seat) {
        self.lock().groups.joins(seat);
    }

    /// A consumer is closed.
    pub(crate) fn leaves(&self, seat: &Seat) {
        self.lock().groups.leaves(seat);
    }

    /// A consumer tells how it stands with its group.
    pub(crate) fn group_tells(&self, seat: &Seat, group: &ConsumerGroup) {
        let news = self.lock().groups.tells(seat, group);
        if news {
            self.report_trouble();
        }
    }

    /// A consumer has been given its partitions.
    pub(crate) fn group_gives(&self, seat: &Seat) {
        let news = self.lock().groups.is_given(seat);
        if news {
            self.report_trouble();
        }
    }

    /// Whether every consumer belongs to its group.
    pub(crate) fn groups(&self) -> Readiness {
        self.lock().groups.state()
    }

    /// What the broker does not let us do, in words.
    pub(crate) fn missing_rights(&self) -> Option<String> {
        self.lock().rights.missing(Instant::now())
    }

    /// Whom the broker takes us for, in words.
    pub(crate) fn who(&self) -> String {
        self.security.who()
    }

    /// A client lost every broker.
    pub(crate) fn report_trouble(&self) {
        self.lock().trouble = true;
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until the time is over or something happens.
    pub(crate) fn wait(&self, limit: Duration) -> Woken {
        let quiet = |state: &mut State| !state.stopped && !state.trouble;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), limit, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        let trouble = std::mem::take(&mut state.trouble);
        match (state.stopped, trouble) {
            (true, _) => Woken::Stopped,
            (false, true) => Woken::Trouble,
            (false, false) => Woken::Time,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
