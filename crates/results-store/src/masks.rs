//! Follows the settings topic, for cameras' masks: no picture is made before they are known.

use frame::Topics;
use frame_bus::{Bus, BusError, Table, TableEvent};
use regions::{Book, Records};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// A topic that cannot be had may be made meanwhile; then the file alone says what is masked.
const ABSENT_AFTER: Duration = Duration::from_secs(10);

/// What is masked, and how it is learned; clones share it.
#[derive(Clone)]
pub(crate) struct Masks {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) book: Arc<Book>,
    /// Whether the topic is there; `None` while nobody knows.
    pub(crate) there: watch::Sender<Option<bool>>,
}

impl Masks {
    /// Makes the topic if it is not there and this user may, again and again until shutdown.
    pub(crate) async fn look_after(self, stop: CancellationToken) {
        let spec = frame_bus::settings_spec(&self.topics);
        let report = |outcome: Result<(), &BusError>| {
            // any other error says nothing of the topic
            if matches!(outcome, Ok(()) | Err(BusError::Topic { .. } | BusError::NotAllowed { .. }))
            {
                self.there.send_replace(Some(outcome.is_ok()));
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

    /// Waits until what was set before has been read, or until it is known that there is no such
    /// topic.
    pub(crate) async fn known(&self) {
        known(&self.book, self.there.subscribe(), ABSENT_AFTER).await;
    }
}

async fn known(book: &Book, mut there: watch::Receiver<Option<bool>>, absent_after: Duration) {
    let mut changes = book.changes();
    let read = async {
        while !book.is_read() {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let absent = async {
        while there.wait_for(|there| *there == Some(false)).await.is_ok() {
            tokio::time::sleep(absent_after).await;
            if *there.borrow() == Some(false) {
                return;
            }
        }
        // whoever looked after it has ended
        std::future::pending().await
    };
    tokio::select! {
        biased;
        () = read => {}
        () = absent => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use regions::RegionsFile;
    use tokio::time::timeout;

    #[tokio::test]
    async fn pictures_wait_for_what_is_set_unless_there_is_no_topic() {
        let book = Book::new(RegionsFile::default());
        let (there, soon) = (watch::Sender::new(None), Duration::from_millis(5));
        let is_known = async || timeout(20 * soon, known(&book, there.subscribe(), soon)).await;
        assert!(is_known().await.is_err(), "nobody knows");
        there.send_replace(Some(true));
        assert!(is_known().await.is_err(), "it is unread");
        there.send_replace(Some(false));
        known(&book, there.subscribe(), soon).await;
        // it is made after all
        there.send_replace(Some(true));
        assert!(is_known().await.is_err());
        book.has_been_read();
        known(&book, there.subscribe(), soon).await;
    }
}
