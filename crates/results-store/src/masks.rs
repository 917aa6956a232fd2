//! Follows the settings topic, for cameras' masks: no picture is made before they are known.

use frame::Topics;
use frame_bus::{Bus, BusError, Table, TableEvent};
use regions::{Book, Records};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);

/// What is masked, and how it is learned; clones share it.
#[derive(Clone)]
pub(crate) struct Masks {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) book: Arc<Book>,
}

impl Masks {
    /// Makes the topic if it is not there and this user may, again and again until shutdown.
    pub(crate) async fn look_after(self, stop: CancellationToken) {
        let spec = frame_bus::settings_spec(&self.topics);
        let report = |outcome: Result<(), &BusError>| {
            // any other error says nothing of the topic
            if matches!(outcome, Ok(()) | Err(BusError::Topic { .. } | BusError::NotAllowed { .. }))
            {
                self.book.topic_is_there(outcome.is_ok());
            }
        };
        self.bus.keep_optional_topic(&spec, &stop, report).await;
    }

    /// Follows it until shutdown.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        loop {
            let error = match self.bus.table(&self.topics.settings) {
                Ok(mut table) => tokio::select! {
                    error = read(&self.book, &mut table) => error,
                    () = stop.cancelled() => return,
                },
                Err(error) => error,
            };
            tracing::error!(%error, "settings cannot be read, starting again");
            if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    }
}

async fn read(book: &Arc<Book>, table: &mut Table) -> BusError {
    let mut records = Records::new(Arc::clone(book));
    loop {
        match table.recv().await {
            Ok(TableEvent::Set { key, value, offset }) => {
                records.set(&key, &value, offset);
            }
            Ok(TableEvent::Removed { key }) => {
                records.removed(&key);
            }
            Ok(TableEvent::CaughtUp) => {
                records.caught_up().await;
            }
            Err(error) => return error,
        }
    }
}
