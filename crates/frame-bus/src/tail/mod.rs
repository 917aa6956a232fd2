//! Reading every partition of a topic, without a group.

pub(crate) mod event;
mod start;
pub(crate) mod table;
pub(crate) mod thread;

use crate::client::handoff::{Handoff, LeavingThread};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::tail::event::{Step, TailEvent};
use crate::tail::thread::Follower;
use frame::Timestamp;
use std::sync::Arc;

/// How many events lie ready: results are a few kilobytes each.
const READY: usize = 64;

/// Reads a topic from some moment on and then follows it for ever, through outages, and through
/// partitions that are added.
///
/// "Was there when the tail began" means: when it first reached the broker. A topic that was not
/// there then has nothing to catch up with. Messages of one partition come in order. Dropping a
/// tail ends it.
#[derive(Debug)]
pub struct Tail {
    handoff: Arc<Handoff<Step>>,
}

impl Tail {
    pub(crate) fn start(
        config: &BusConfig,
        link: &Arc<Link>,
        topic: &str,
        since: Timestamp,
    ) -> Result<Self, BusError> {
        Ok(Self { handoff: follow("bus-tail", config, link, (topic, Some(since)))? })
    }

    /// The next event. A broker that is away and a topic that is not there yet are waited for.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Only when the client has failed for good.
    pub async fn recv(&mut self) -> Result<TailEvent, BusError> {
        loop {
            match self.handoff.take().await? {
                Step::Message(message) => return Ok(TailEvent::Message(message)),
                Step::CaughtUp => return Ok(TailEvent::CaughtUp),
                Step::Anew => {}
            }
        }
    }
}

/// Starts the thread that reads a topic, from its start when there is no `since`.
fn follow(
    thread: &'static str,
    config: &BusConfig,
    link: &Arc<Link>,
    (topic, since): (&str, Option<Timestamp>),
) -> Result<Arc<Handoff<Step>>, BusError> {
    let handoff = Arc::new(Handoff::new(READY));
    let follower = Follower::new(config, link, topic, since, Arc::clone(&handoff))?;
    let leaving = LeavingThread::of(&handoff);
    link.threads
        .start(thread, move || {
            follower.run();
            leaving.finish();
        })
        .map_err(|error| BusError::Client(error.to_string()))?;
    Ok(handoff)
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.handoff.close();
    }
}
