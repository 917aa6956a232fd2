//! librdkafka's producer, and the thread that polls it for delivery reports.

use crate::client::{self, properties};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::send::delivery_report::DeliveryContext;
use rdkafka::producer::BaseProducer;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long one poll waits; a thread whose producer was dropped ends within it. The client spins
/// through the last millisecond of each, so that many short ones would cost an idle process more
/// than all else.
const POLL: Duration = Duration::from_millis(500);

/// A producer whose delivery reports are polled by a thread of the bus, so that whoever watches
/// over its threads sees that one, too: without it no message would ever be answered.
pub(crate) struct PolledProducer {
    producer: Arc<BaseProducer<DeliveryContext>>,
    dropped: Arc<AtomicBool>,
}

impl PolledProducer {
    pub(crate) fn start(config: &BusConfig, link: &Arc<Link>) -> Result<Self, BusError> {
        let context = DeliveryContext::new(link);
        let producer: BaseProducer<_> = client::create(&properties::producer(config), context)?;
        let (producer, dropped) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, end) = (Arc::clone(&producer), Arc::clone(&dropped));
        link.threads
            .start("bus-producer", move || {
                while !end.load(Ordering::Relaxed) {
                    polled.poll(POLL);
                }
            })
            .map_err(|error| BusError::Client(error.to_string()))?;
        Ok(Self { producer, dropped })
    }
}

impl Deref for PolledProducer {
    type Target = BaseProducer<DeliveryContext>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for PolledProducer {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}
