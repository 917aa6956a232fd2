//! Sending through outages.

use crate::error::SendError;
use crate::health::outage::Outage;
use crate::health::unready::Readiness;
use crate::message::Sent;
use crate::send::producer::Producer;
use crate::send::record::Record;
use backoff::Backoff;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const FIRST_DELAY: Duration = Duration::from_millis(100);
/// An attempt notices a broker that is back by itself, so that a longer pause would win nothing.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What everyone who sends persistently on one bus shares.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    /// Shared, so that fifty frames in flight do not tell of one outage fifty times.
    outage: Mutex<Outage>,
}

impl Persistence {
    /// Tries until the broker acknowledges, the message turns out to be one that can never be sent,
    /// or shutdown comes. There is always one attempt: work that is drained during a shutdown
    /// must still get out. A running attempt is given up only when shutdown has come and the
    /// broker is known to be away.
    pub(crate) async fn send(
        &self,
        producer: &Arc<Producer>,
        record: &Arc<Record>,
        state: &watch::Receiver<Readiness>,
        shutdown: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        loop {
            let attempt = tokio::select! {
                biased;
                attempt = producer.send(record) => attempt,
                () = hopeless(state.clone(), shutdown) => return Err(SendError::ShuttingDown),
            };
            match attempt {
                Ok(sent) => {
                    self.goes_through(&record.topic);
                    return Ok(sent);
                }
                Err(
                    error @ (SendError::TooLarge { .. }
                    | SendError::Fatal(_)
                    | SendError::ShuttingDown),
                ) => return Err(error),
                Err(error) => self.waits(&record.topic, &error),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_delay()) => {}
                () = shutdown.cancelled() => return Err(SendError::ShuttingDown),
            }
        }
    }

    fn waits(&self, topic: &str, error: &SendError) {
        let since = self.outage.lock().unwrap_or_else(PoisonError::into_inner).failed();
        if let Some(since) = since {
            warn!(topic, %error, seconds = since.as_secs(), "sending waits and tries again");
        }
    }

    fn goes_through(&self, topic: &str) {
        let length = self.outage.lock().unwrap_or_else(PoisonError::into_inner).recovered();
        if let Some(length) = length {
            info!(topic, seconds = length.as_secs_f32(), "sending goes on");
        }
    }
}

/// Comes to its end when the process shuts down while the broker is away.
async fn hopeless(mut state: watch::Receiver<Readiness>, shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    // a monitor that has ended will not say any more that the broker is away: then the attempt's
    // own time limit counts
    if state.wait_for(Result::is_err).await.is_err() {
        std::future::pending::<()>().await;
    }
}
