//! Reads every result, so that decisions learn from them and frames that are waited for are known
//! to be answered.

use crate::answered::Answered;
use crate::decisions::Decisions;
use crate::forms::Forms;
use frame::{FrameResult, Timestamp};
use frame_bus::{Bus, BusError, Tail, TailEvent};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use unit::Traces;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// How far back it begins: frames that another process left behind may have been answered already.
const SINCE: Duration = Duration::from_secs(600);

/// Follows the results topic until shutdown.
pub(crate) struct Results {
    pub(crate) bus: Bus,
    pub(crate) topic: String,
    pub(crate) own_unit: String,
    pub(crate) decisions: Decisions,
    pub(crate) forms: Arc<Forms>,
    pub(crate) answered: Answered,
    pub(crate) traces: Traces,
}

impl Results {
    /// `caught_up` is cancelled when everything older has been read.
    pub(crate) async fn follow(self, caught_up: CancellationToken, shutdown: CancellationToken) {
        loop {
            let since = Timestamp::from_micros(
                Timestamp::now()
                    .as_micros()
                    .saturating_sub(u64::try_from(SINCE.as_micros()).unwrap_or(u64::MAX)),
            );
            let error = match self.bus.tail(&self.topic, since) {
                Ok(mut tail) => tokio::select! {
                    error = self.read(&mut tail, &caught_up) => error,
                    () = shutdown.cancelled() => return,
                },
                Err(error) => error,
            };
            tracing::error!(%error, "results cannot be read, starting again");
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn read(&self, tail: &mut Tail, caught_up: &CancellationToken) -> BusError {
        // a tail that begins anew reads again what was read before
        let mut live = false;
        loop {
            match tail.recv().await {
                Ok(TailEvent::Message(message)) => {
                    match serde_json::from_slice::<FrameResult>(&message.payload) {
                        Ok(result) => {
                            self.forms.result(&result, Instant::now());
                            // what is from before says nothing of how the tiers are now, but for
                            // frames that were sent since
                            if live || self.decisions.knows(result.frame_id) {
                                let edge = self.answered.ended_by(&result);
                                self.decisions.result(&result, edge.as_ref(), &self.own_unit);
                            }
                            self.traces.outcome(&result);
                            self.answered.take_in(result);
                        }
                        Err(error) => {
                            tracing::debug!(%error, "passed over a message that is no result")
                        }
                    }
                }
                Ok(TailEvent::CaughtUp) => {
                    live = true;
                    caught_up.cancel();
                }
                Err(error) => return error,
            }
        }
    }
}
