//! Joining a consumer group, once more if need be.

use crate::client::log::LogContext;
use crate::client::{self, properties};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::health::membership::Seat;
use crate::position::log_watch::LogWatch;
use crate::receive::delivery::SharedTracker;
use crate::receive::marks::Lowered;
use crate::receive::rebalance::MemberContext;
use crate::takes::tracker::SharedTakes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The client that is a member now. Whoever borrows it gives it back at once, so that the member's
/// thread is the one that closes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client(Arc<Mutex<Weak<BaseConsumer<MemberContext>>>>);

impl Client {
    /// `None` when the group is left.
    pub(crate) fn borrow(&self) -> Option<Arc<BaseConsumer<MemberContext>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn is_now(&self, client: &Arc<BaseConsumer<MemberContext>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(client);
    }
}

/// What it takes to join, once more if need be.
pub(crate) struct Seating {
    pub(crate) config: BusConfig,
    pub(crate) link: Arc<Link>,
    pub(crate) logs: LogWatch,
    pub(crate) tracker: SharedTracker,
    pub(crate) takes: SharedTakes,
    pub(crate) lowered: Lowered,
    pub(crate) client: Client,
}

impl Seating {
    /// Makes a client that joins the group.
    pub(crate) fn join(
        &self,
        (group, topic): &Seat,
    ) -> Result<Arc<BaseConsumer<MemberContext>>, BusError> {
        let context = MemberContext {
            log: LogContext::watching("consumer", &self.link, self.logs.clone()),
            group: group.clone(),
            topic: topic.clone(),
            tracker: self.tracker.clone(),
            takes: self.takes.clone(),
            lowered: self.lowered.clone(),
            retired: AtomicBool::new(false),
        };
        let consumer: BaseConsumer<MemberContext> =
            client::create(&properties::member(&self.config, group), context)?;
        consumer.subscribe(&[topic]).map_err(|error| BusError::Client(error.to_string()))?;
        let consumer = Arc::new(consumer);
        self.client.is_now(&consumer);
        Ok(consumer)
    }
}
