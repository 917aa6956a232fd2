//! Clients of librdkafka: how each is configured, what it logs, and how its threads meet async
//! code.

pub(crate) mod brokers;
pub(crate) mod handoff;
pub(crate) mod log;
pub(crate) mod metadata;
pub(crate) mod process;
pub(crate) mod properties;

use crate::client::log::LogContext;
use crate::config::security::in_our_words;
use crate::error::BusError;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;

/// A client that belongs to no group's members: it asks for metadata, watermarks and committed
/// offsets.
pub(crate) type Inquirer = BaseConsumer<LogContext>;

/// Makes a client.
pub(crate) fn create<C, T>(properties: &ClientConfig, context: C) -> Result<T, BusError>
where
    C: rdkafka::ClientContext,
    T: FromClientConfigAndContext<C>,
{
    properties
        .create_with_context(context)
        .map_err(|error| BusError::Client(in_our_words(&error.to_string())))
}

/// Runs a blocking call on a thread for such.
pub(crate) async fn blocking<T, F>(call: F) -> Result<T, BusError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, BusError> + Send + 'static,
{
    tokio::task::spawn_blocking(call)
        .await
        .unwrap_or_else(|error| Err(BusError::Fatal(error.to_string())))
}
