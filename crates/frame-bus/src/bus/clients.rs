//! The clients of one bus, apart from its consumers and tails.

use crate::client::brokers::retire;
use crate::client::log::LogContext;
use crate::client::{self, Inquirer, properties};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::receive::message_at::Reader;
use crate::send::producer::Producer;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::warn;

/// How many events of an asking client are thrown away at a time; more would have to come up within
/// two seconds.
const EVENTS: usize = 64;

pub(crate) struct Clients {
    pub(crate) producer: Arc<Producer>,
    config: BusConfig,
    link: Arc<Link>,
    inquirer: Mutex<Arc<Inquirer>>,
    pub(crate) reader: Reader,
    /// One client for each group whose lag was asked for: units ask for a handful of groups that
    /// they know by name.
    lag_inquirers: Mutex<HashMap<String, Arc<Inquirer>>>,
}

impl Clients {
    pub(crate) fn new(config: &BusConfig, link: &Arc<Link>) -> Result<Self, BusError> {
        let producer = Arc::new(Producer::new(config, link)?);
        Ok(Self {
            producer,
            config: config.clone(),
            link: Arc::clone(link),
            inquirer: Mutex::new(inquirer(config, link)?),
            reader: Reader::default(),
            lag_inquirers: Mutex::default(),
        })
    }

    /// The client that asks about topics.
    pub(crate) fn inquirer(&self) -> Arc<Inquirer> {
        Arc::clone(&self.inquirer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the clients that ask and will find no broker any more.
    pub(crate) fn replace_lost(&self) {
        let is_lost = |client: &Arc<Inquirer>| client.client().context().brokers().are_lost();
        let known = self.inquirer();
        if is_lost(&known) {
            match inquirer(&self.config, &self.link) {
                Ok(fresh) => {
                    warn!("the client has lost every broker that it knew: asking with a fresh one");
                    *self.inquirer.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
                }
                Err(error) => warn!(%error, "no client to ask with"),
            }
            retire(&self.link.threads, known);
        }
        // made again when it is needed
        let lost: Vec<_> = self.lag_inquirers().extract_if(|_, client| is_lost(client)).collect();
        if !lost.is_empty() {
            retire(&self.link.threads, lost);
        }
    }

    /// The client that can ask for this group's offsets.
    pub(crate) fn lag_inquirer(
        &self,
        config: &BusConfig,
        link: &Arc<Link>,
        group: &str,
    ) -> Result<Arc<Inquirer>, BusError> {
        let mut known = self.lag_inquirers();
        if let Some(inquirer) = known.get(group) {
            return Ok(Arc::clone(inquirer));
        }
        let inquirer: Inquirer = client::create(
            &properties::inquirer(config, Some(group)),
            LogContext::new("lag", link),
        )?;
        let inquirer = Arc::new(inquirer);
        known.insert(group.to_owned(), Arc::clone(&inquirer));
        Ok(inquirer)
    }

    /// Errors and the like pile up in a client unless somebody fetches them. One of them tells
    /// something.
    pub(crate) fn discard_events(&self) {
        let mut asking: Vec<(String, Arc<Inquirer>)> = self
            .lag_inquirers()
            .iter()
            .map(|(group, client)| (group.clone(), Arc::clone(client)))
            .collect();
        asking.push((String::new(), self.inquirer()));
        for (group, client) in asking {
            for _ in 0..EVENTS {
                let Some(Err(error)) = client.poll(Duration::ZERO) else { continue };
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
                    client.client().context().link().group_is_closed(&group);
                }
            }
        }
    }

    fn lag_inquirers(&self) -> MutexGuard<'_, HashMap<String, Arc<Inquirer>>> {
        self.lag_inquirers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inquirer(config: &BusConfig, link: &Arc<Link>) -> Result<Arc<Inquirer>, BusError> {
    let context = LogContext::new("inquirer", link);
    Ok(Arc::new(client::create(&properties::inquirer(config, None), context)?))
}
