//! Sending through a bus.

use crate::bus::Bus;
use crate::client::blocking;
use crate::error::{BusError, SendError};
use crate::message::{Message, Outgoing, Sent};
use crate::send::dead_letter;
use crate::send::record::Record;
use bytes::Bytes;
use frame::ResultMessage;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

impl Bus {
    /// Sends once; `Ok` only after the acknowledgement of all in-sync replicas, at the latest after
    /// [`send_timeout`](crate::BusConfig::send_timeout). Dropping the future does not take the
    /// message back.
    ///
    /// # Errors
    /// Each case of [`SendError`]; after [`SendError::BrokerAway`] the message may have arrived all
    /// the same.
    pub async fn send<P: Into<Bytes>>(&self, out: Outgoing<P>) -> Result<Sent, SendError> {
        self.inner.clients.producer.send(&Arc::new(out.into())).await
    }

    /// Deletes a key from a compacted topic: sends a message without a value, once, as
    /// [`Bus::send`] does.
    ///
    /// # Errors
    /// Each case of [`SendError`].
    pub async fn delete_key(&self, topic: &str, key: &str) -> Result<Sent, SendError> {
        let (topic, key) = (topic.to_owned(), Some(key.as_bytes().to_vec()));
        let record = Record { topic, key, headers: Vec::new(), payload: None };
        self.inner.clients.producer.send(&Arc::new(record)).await
    }

    /// Sends, and tries again with growing pauses until the broker acknowledges or shutdown comes.
    /// A message may arrive more than once when an acknowledgement was lost. After shutdown
    /// there is still one attempt, unless the broker is known to be away.
    ///
    /// # Errors
    /// [`SendError::ShuttingDown`], or what makes every attempt useless: [`SendError::TooLarge`],
    /// [`SendError::Fatal`].
    pub async fn send_persistently(
        &self,
        out: Outgoing,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        self.persist(out.into(), shutdown).await
    }

    /// Sends a message that cannot be processed to a topic of such, persistently: the original key,
    /// bytes and headers, plus the reason ([`frame::headers::ERROR`]) and where it was read. A
    /// foreign message with such large headers that the reason does not fit any more is logged
    /// and dropped (`None`), because it must not come again for ever.
    ///
    /// # Errors
    /// [`SendError::ShuttingDown`] and [`SendError::Fatal`].
    pub async fn dead_letter(
        &self,
        topic: &str,
        message: &Message,
        reason: &str,
        shutdown: &CancellationToken,
    ) -> Result<Option<Sent>, SendError> {
        let Message { key, payload, .. } = message;
        let headers = dead_letter::headers_of(message, reason);
        let record = Record {
            topic: topic.to_owned(),
            key: key.clone(),
            headers,
            payload: Some(payload.clone().into()),
        };
        match self.persist(record, shutdown).await {
            Err(error @ SendError::TooLarge { .. }) => {
                let Message { topic, partition, offset, .. } = message;
                tracing::error!(topic, partition, offset, %error, reason, "dead letter dropped");
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Sends a frame's result, persistently.
    ///
    /// # Errors
    /// Those of [`Bus::send_persistently`].
    pub async fn send_result(
        &self,
        topic: &str,
        message: ResultMessage,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let ResultMessage { key, headers, result, .. } = message;
        self.send_persistently(
            Outgoing { topic: topic.into(), key, headers, payload: result.to_json() },
            shutdown,
        )
        .await
    }

    /// Waits until everything that was handed to [`Bus::send`] is acknowledged or has failed, at
    /// most this long.
    pub async fn close(&self, timeout: Duration) {
        let inner = Arc::clone(&self.inner);
        let flushed = blocking(move || {
            inner
                .clients
                .producer
                .flush(timeout)
                .map_err(|error| BusError::Fatal(error.to_string()))
        })
        .await;
        if let Err(error) = flushed {
            warn!(%error, "not every message was acknowledged before the end");
        }
    }

    async fn persist(
        &self,
        record: Record,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let inner = &self.inner;
        inner
            .persistence
            .send(&inner.clients.producer, &Arc::new(record), &inner.states.reachable, shutdown)
            .await
    }
}
