//! Consume → handle → acknowledge → commit: the loop that every working unit runs.

use crate::{Bus, BusError, Consumer, ConsumerOptions, Delivery, Lanes, Message, SendError, Turn};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

/// How often the loop gives a sign of life while no message comes.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// What is left for the last flush when the whole drain time is used up.
const LAST_FLUSH: Duration = Duration::from_millis(500);

/// What a unit does with a message.
pub trait Handle: Send + Sync + 'static {
    /// Sees one message through. `Ok` means that everything that follows from it is acknowledged by the broker; only then its
    /// offset may be committed. `turn` is its place among the messages of its key.
    fn handle(&self, message: Message, turn: Turn) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// How one piece of work is ended; not to be used for a second one.
#[derive(Clone, Debug)]
pub struct WorkControl {
    /// The unit is told to stop: no new message is taken, those in flight are finished.
    pub shutdown: CancellationToken,
    /// The unit cannot go on. The handler may cancel this too.
    pub halt: CancellationToken,
    /// The drain time is over: whoever still tries to send gives up, and handlers that have not ended are dropped. Cancelled by
    /// the loop.
    pub give_up: CancellationToken,
    /// How long messages in flight may take to finish.
    pub drain: Duration,
}

impl WorkControl {
    /// Ends at `shutdown`.
    #[must_use]
    pub fn new(shutdown: CancellationToken, drain: Duration) -> Self {
        Self { shutdown, halt: CancellationToken::new(), give_up: CancellationToken::new(), drain }
    }

    fn is_ending(&self) -> bool {
        [&self.shutdown, &self.halt, &self.give_up].into_iter().any(CancellationToken::is_cancelled)
    }
}

/// Why the work ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The client has failed for good.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The handler halted, or a result could not be sent for good; the log says why.
    #[error("the work could not go on; the log says why")]
    Halted,
}

impl Bus {
    /// Handles messages in parallel, up to [`ConsumerOptions::max_in_flight`], until `shutdown` or `halt`; then drains, leaves the
    /// group and closes the bus. What is not finished by then is not committed and comes again. `beat` is called about once a
    /// second while the loop is alive.
    ///
    /// # Errors
    /// When the work ended for another reason than `shutdown`.
    pub async fn work(
        &self,
        options: ConsumerOptions,
        handler: Arc<impl Handle>,
        control: &WorkControl,
        beat: impl FnMut(),
    ) -> Result<(), WorkError> {
        let topic = options.topic.clone();
        let mut consumer = self.consumer(options)?;
        let tasks = TaskTracker::new();
        let outcome = take_until_told(&mut consumer, &handler, control, &tasks, beat).await;

        let told = Instant::now();
        let left = || control.drain.saturating_sub(told.elapsed()).max(LAST_FLUSH);
        tasks.close();
        if tokio::time::timeout(control.drain, tasks.wait()).await.is_err() {
            warn!(topic, frames = tasks.len(), drain_ms = control.drain.as_millis(), "not finished in time, will come again");
            control.give_up.cancel();
            // a handler that is dropped lets go of its message at once; one that blocks its thread is not waited for
            drop(tokio::time::timeout(LAST_FLUSH, tasks.wait()).await);
        }
        consumer.close().await;
        self.close(left()).await;
        outcome?;
        if control.halt.is_cancelled() { Err(WorkError::Halted) } else { Ok(()) }
    }
}

/// A handler that panics has left its message unfinished, and nobody would ever finish it: the unit stops, so that it comes again.
struct StopsOnPanic<'a>(&'a CancellationToken);

impl Drop for StopsOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("a handler panicked: stopping");
            self.0.cancel();
        }
    }
}

/// Takes messages, a task each; the consumer bounds how many there are.
async fn take_until_told(
    consumer: &mut Consumer,
    handler: &Arc<impl Handle>,
    control: &WorkControl,
    tasks: &TaskTracker,
    mut beat: impl FnMut(),
) -> Result<(), BusError> {
    let lanes = Lanes::new();
    let mut ticks = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            // whoever is told to stop takes no message more
            biased;
            () = control.shutdown.cancelled() => return Ok(()),
            () = control.halt.cancelled() => return Ok(()),
            _ = ticks.tick() => beat(),
            delivery = consumer.recv() => {
                let Delivery { message, ack } = delivery?;
                let key = String::from_utf8_lossy(message.key.as_deref().unwrap_or_default());
                let turn = lanes.enter(&key);
                let (handler, control) = (Arc::clone(handler), control.clone());
                tasks.spawn(async move {
                    let _stops = StopsOnPanic(&control.halt);
                    match control.give_up.run_until_cancelled(handler.handle(message, turn)).await {
                        Some(Ok(())) => ack.done(),
                        // not committed, so it comes again
                        None => {}
                        Some(Err(SendError::ShuttingDown)) if control.is_ending() => {}
                        Some(Err(error)) => {
                            error!(%error, "a message cannot be seen through: stopping");
                            control.halt.cancel();
                        }
                    }
                });
            }
        }
    }
}
