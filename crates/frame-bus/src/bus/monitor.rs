//! Whether the broker answers: asked at intervals, and at once when a client loses it.

use crate::bus::clients::Clients;
use crate::client::Inquirer;
use crate::error::codes::is_refused;
use crate::health::broker::{Link, Woken};
use crate::health::rejection::Rejection;
use crate::health::unready::{Readiness, Unready};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info, warn};

const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take: a slow uplink full of frames is no outage.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same when a client has just lost every broker, or while the broker is away.
const LITTLE_PATIENCE: Duration = Duration::from_millis(500);
/// Two questions are at least this far apart, however much trouble is reported.
const BREATH: Duration = Duration::from_millis(200);
/// The same while a client that has just started waits for its first answers: so soon is it ready.
const START_BREATH: Duration = Duration::from_millis(10);
/// How often a client that has just started is asked after so little time.
const START_PROBES: u32 = 200;

/// What the monitor tells: to the bus itself whether the broker answers, to everyone also whether
/// it allows what we need.
pub(crate) struct States {
    pub(crate) reachable: watch::Receiver<Readiness>,
    pub(crate) usable: watch::Receiver<Readiness>,
    pub(crate) topics: watch::Receiver<Readiness>,
    pub(crate) groups: watch::Receiver<Readiness>,
}

/// Starts the thread that asks. It ends when the link is stopped, and then waits to be the last
/// that holds the clients: dropping them blocks, which must not happen to whoever drops a bus.
pub(crate) fn start(
    link: &Arc<Link>,
    clients: &Arc<Clients>,
    brokers: &str,
) -> std::io::Result<States> {
    let unknown = || watch::Sender::new(Err(Unready::Unknown));
    let (reachable, usable, topics, groups) = (unknown(), unknown(), unknown(), unknown());
    let states = States {
        reachable: reachable.subscribe(),
        usable: usable.subscribe(),
        topics: topics.subscribe(),
        groups: groups.subscribe(),
    };
    let threads = link.threads.clone();
    let (link, brokers) = (Arc::clone(link), brokers.to_owned());
    let monitor = Monitor {
        link,
        brokers,
        reachable,
        usable,
        topics,
        groups,
        answered: None,
        doubts: None,
        told: HashSet::new(),
    };
    let mut clients = Arc::clone(clients);
    threads.start("bus-monitor", move || {
        monitor.run(&clients);
        while Arc::get_mut(&mut clients).is_none() {
            std::thread::sleep(BREATH);
        }
    })?;
    Ok(states)
}

struct Monitor {
    link: Arc<Link>,
    brokers: String,
    reachable: watch::Sender<Readiness>,
    usable: watch::Sender<Readiness>,
    topics: watch::Sender<Readiness>,
    groups: watch::Sender<Readiness>,
    /// What the log was told last.
    answered: Option<bool>,
    /// A refusal that is not certain, seen once.
    doubts: Option<String>,
    /// The refusals that the log was told of since the broker answered last.
    told: HashSet<String>,
}

impl Monitor {
    fn run(mut self, clients: &Clients) {
        let mut patience = PATIENCE;
        let mut start_probes = START_PROBES;
        loop {
            let needs = self.link.needs();
            let answer = self.probe(&clients.inquirer(), &needs, patience);
            clients.discard_events();
            clients.replace_lost();
            // a bus that needs no topic is that of a person who asks, and need not be able to send
            let producer = match &answer {
                Ok(topics) if !needs.is_empty() => {
                    let there = topics.as_ref().ok().and(needs.first());
                    clients.producer.check(there.map(String::as_str))
                }
                Ok(_) | Err(_) => Ok(()),
            };
            clients.producer.drop_retired();
            let reachable = answer.is_ok();
            let groups = self.link.groups();
            let settled = groups.is_ok() && producer.is_ok() && matches!(answer, Ok(Ok(())));
            tell(&self.groups, groups);
            self.announce(answer.clone().map(drop), producer);
            // last: whoever sees that the topics are there can rely on the rest
            if let (Ok(topics), false) = (answer, needs.is_empty()) {
                tell(&self.topics, topics);
            }
            start_probes = if settled { 0 } else { start_probes.saturating_sub(1) };
            let pause = match reachable {
                true if start_probes > 0 => START_BREATH,
                true => PROBE_EVERY,
                false => BREATH,
            };
            match self.link.wait(pause) {
                Woken::Stopped => return,
                Woken::Trouble => {
                    patience = LITTLE_PATIENCE;
                    std::thread::sleep(if start_probes > 0 { START_BREATH } else { BREATH });
                }
                Woken::Time => patience = if reachable { PATIENCE } else { LITTLE_PATIENCE },
            }
        }
    }

    /// Whether the broker answers, and if so, whether the topics that are needed are there.
    fn probe(
        &mut self,
        inquirer: &Inquirer,
        needs: &[String],
        patience: Duration,
    ) -> Result<Readiness, Unready> {
        match ask(inquirer, needs, patience) {
            Ok(topics) => {
                match self.link.refusal() {
                    // another of several brokers, which a client came to after all
                    Some(refusal) if refusal.certain => self.tell(refusal.text),
                    _ => self.told.clear(),
                }
                self.doubts = None;
                self.link.forget_reason();
                Ok(topics)
            }
            Err(error) => match self.link.refusal() {
                Some(refusal) if self.is_sure(&refusal) => {
                    self.link.confirm(&refusal);
                    Err(Unready::Rejected { reason: refusal.text })
                }
                Some(_) | None => Err(Unready::BrokerAway {
                    reason: self.link.last_reason().unwrap_or_else(|| error.to_string()),
                }),
            },
        }
    }

    /// Tells everyone, and the log at each change.
    fn announce(&mut self, answer: Readiness, producer: Readiness) {
        let refused = answer.is_err() && self.is_refused();
        let brokers = &self.brokers;
        if self.answered.replace(answer.is_ok()) != Some(answer.is_ok()) {
            match &answer {
                Ok(()) => info!(brokers, "the broker answers"),
                Err(_) if refused => {}
                Err(reason) => warn!(brokers, %reason, "the broker is away"),
            }
        }
        let usable = match (&answer, self.link.missing_rights()) {
            (Ok(()), Some(what)) => Err(Unready::NotAllowed { what }),
            (Ok(()), None) if producer.is_ok() && self.link.is_without_space() => {
                Err(Unready::NoSpace)
            }
            (Ok(()), None) => producer,
            (Err(_), _) => answer.clone(),
        };
        tell(&self.reachable, answer);
        tell(&self.usable, usable);
    }

    /// Whether a listener refuses us; says so once for each way in which it does.
    fn is_refused(&mut self) -> bool {
        let Some(refusal) = self.link.refusal() else { return false };
        let sure = self.is_sure(&refusal);
        if sure {
            self.tell(refusal.text.clone());
        }
        self.doubts = Some(refusal.text);
        sure
    }

    fn is_sure(&self, refusal: &Rejection) -> bool {
        refusal.certain || self.doubts.as_ref() == Some(&refusal.text)
    }

    fn tell(&mut self, refusal: String) {
        if !self.told.contains(&refusal) {
            error!(brokers = self.brokers, "{refusal}");
            self.told.insert(refusal);
        }
    }
}

fn tell(sender: &watch::Sender<Readiness>, value: Readiness) {
    sender.send_if_modified(|known| {
        let changed = *known != value;
        *known = value;
        changed
    });
}

/// Asks for each topic that is needed: those, this user may see, and a broker's log is not filled
/// with denials. Nothing is made by that: consumers do not ask for it. While none is needed, it
/// asks for all that this user may see.
fn ask(inquirer: &Inquirer, needs: &[String], patience: Duration) -> Result<Readiness, KafkaError> {
    if needs.is_empty() {
        return inquirer.fetch_metadata(None, patience).map(|_| Ok(()));
    }
    let mut reasons = Vec::new();
    for topic in needs {
        reasons.extend(is_missing(&inquirer.fetch_metadata(Some(topic), patience)?, topic));
    }
    Ok(if reasons.is_empty() { Ok(()) } else { Err(Unready::Topics { reasons }) })
}

/// Why nobody can use this topic, in words.
fn is_missing(metadata: &Metadata, topic: &str) -> Option<String> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found
        .map(|found| (found.error().map(RDKafkaErrorCode::from), found.partitions().is_empty()))
    {
        Some((None, false)) => None,
        None
        | Some((
            None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic),
            _,
        )) => Some(format!("topic '{topic}' is not there: make it with `mlvi topics create`")),
        Some((Some(code), _)) if is_refused(code) => {
            Some(format!("topic '{topic}': the broker does not let this user see it"))
        }
        Some((Some(code), _)) => Some(format!("topic '{topic}': {code}")),
    }
}
