//! The clients of one bus, apart from its consumers and tails.

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

/// How many events of an asking client are thrown away at a time; more would have to come up within
/// two seconds.
const EVENTS: usize = 64;

pub(crate) struct Clients {
    pub(crate) producer: Arc<Producer>,
    pub(crate) inquirer: Arc<Inquirer>,
    pub(crate) reader: Reader,
    /// One client for each group whose lag was asked for: units ask for a handful of groups that
    /// they know by name.
    lag_inquirers: Mutex<HashMap<String, Arc<Inquirer>>>,
}

impl Clients {
    pub(crate) fn new(config: &BusConfig, link: &Arc<Link>) -> Result<Self, BusError> {
        let producer = Arc::new(Producer::new(config, link)?);
        let inquirer: Inquirer =
            client::create(&properties::inquirer(config, None), LogContext::new("inquirer", link))?;
        Ok(Self {
            producer,
            inquirer: Arc::new(inquirer),
            reader: Reader::default(),
            lag_inquirers: Mutex::default(),
        })
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
        asking.push((String::new(), Arc::clone(&self.inquirer)));
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
