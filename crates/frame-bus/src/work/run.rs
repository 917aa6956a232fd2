//! The loop that every working unit runs.

use crate::bus::Bus;
use crate::error::{BusError, SendError};
use crate::message::Message;
use crate::receive::consumer::{Consumer, ConsumerOptions};
use crate::receive::delivery::{Ack, Delivery};
use crate::takes::tracker::Followed;
use crate::work::control::{WorkControl, WorkError};
use crate::work::handle::Handle;
use crate::work::in_hand::InHand;
use crate::work::lanes::Lanes;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

/// How often the loop gives a sign of life while no message comes.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// What is left for the last flush when the whole drain time is used up.
const LAST_FLUSH: Duration = Duration::from_millis(500);

impl Bus {
    /// Handles messages in parallel, up to [`ConsumerOptions::max_in_flight`], until `shutdown` or
    /// `halt`; then drains, leaves the group and closes the bus. What is not finished by then
    /// is not committed and comes again. `beat` is called about once a second while the loop is
    /// alive.
    ///
    /// After a process has ended without leaving (a signal, no memory, an abort), what may have
    /// been in hand is taken up one by one, each noted before, and nothing else is in hand in
    /// this process meanwhile. So the count of a message that ends its process survives
    /// that, wherever it comes again, and at [`WorkControl::max_takes`] it is given up.
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
        let followed = if control.only_holds { Followed::Panics } else { Followed::UncleanEnds };
        let mut consumer = self.join(options, followed)?;
        let tasks = TaskTracker::new();
        let taking = Taking { handler, control, tasks: tasks.clone(), lanes: Lanes::new() };
        let outcome = taking.until_told(&mut consumer, beat).await;

        let told = Instant::now();
        let left = || control.drain.saturating_sub(told.elapsed()).max(LAST_FLUSH);
        tasks.close();
        if tokio::time::timeout(control.drain, tasks.wait()).await.is_err() {
            warn!(
                topic,
                frames = tasks.len(),
                drain_ms = control.drain.as_millis(),
                "not finished in time, will come again"
            );
            control.give_up.cancel();
            // a handler that is dropped lets go of its message at once; one that blocks its thread
            // is not waited for
            drop(tokio::time::timeout(LAST_FLUSH, tasks.wait()).await);
        }
        consumer.close().await;
        self.close(left()).await;
        outcome?;
        if control.halt.is_cancelled() { Err(WorkError::Halted) } else { Ok(()) }
    }
}

/// Does the work until the drain time is over, and not a step more: when a handler is dropped, the
/// next one of its key has its turn, and must not send its message before the one that comes again.
async fn unless_given_up<T>(
    give_up: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = give_up.cancelled() => None,
        outcome = work => Some(outcome),
    }
}

/// A handler that panics has left its message unfinished, and nobody would ever finish it: the unit
/// stops, so that it comes again.
struct StopsOnPanic<'a>(&'a CancellationToken, &'a Ack);

impl Drop for StopsOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("a handler panicked: stopping");
            self.1.blame();
            self.0.cancel();
        }
    }
}

/// Takes messages, a task each; the consumer bounds how many there are.
struct Taking<'a, H> {
    handler: Arc<H>,
    control: &'a WorkControl,
    tasks: TaskTracker,
    lanes: Lanes,
}

impl<H: Handle> Taking<'_, H> {
    async fn until_told(
        &self,
        consumer: &mut Consumer,
        mut beat: impl FnMut(),
    ) -> Result<(), BusError> {
        let mut ticks = tokio::time::interval(BEAT_EVERY);
        loop {
            let delivery = tokio::select! {
                // whoever is told to stop takes no message more
                biased;
                () = self.told_to_stop() => return Ok(()),
                _ = ticks.tick() => {
                    beat();
                    continue;
                }
                delivery = consumer.recv() => delivery?,
            };
            let mut taking_up = pin!(self.take_up(consumer, delivery));
            loop {
                tokio::select! {
                    biased;
                    () = self.told_to_stop() => return Ok(()),
                    _ = ticks.tick() => beat(),
                    () = &mut taking_up => break,
                }
            }
        }
    }

    async fn told_to_stop(&self) {
        tokio::select! {
            () = self.control.shutdown.cancelled() => {}
            () = self.control.halt.cancelled() => {}
        }
    }

    /// Begins with a message; returns when the next one may be taken.
    async fn take_up(&self, consumer: &Consumer, Delivery { message, ack }: Delivery) {
        if !consumer.learn(&ack).await {
            return;
        }
        let take = consumer.takes.with(|takes| takes.take(ack.partition, ack.offset));
        if take.earlier >= self.control.max_takes {
            self.begin(message, ack, InHand::Nothing, Some(take.earlier));
        } else if take.alone {
            let alone = InHand::alone().await;
            if !consumer.note_alone(&ack).await {
                return;
            }
            let Message { topic, partition, offset, .. } = &message;
            warn!(
                topic,
                partition,
                offset,
                earlier = take.earlier,
                "taken up alone, since a process ended that may have had it in hand"
            );
            self.handler.taken_alone();
            // nothing of this loop is to be in hand until it has ended; the drain waits for it,
            // should the loop be told to stop
            drop(self.begin(message, ack, alone, None).await);
        } else {
            let in_hand =
                if self.control.only_holds { InHand::Nothing } else { InHand::with_others().await };
            consumer.announce(&ack).await;
            self.begin(message, ack, in_hand, None);
        }
    }

    /// Handles a message in a task of its own, or gives it up after so many takes.
    fn begin(
        &self,
        message: Message,
        ack: Ack,
        in_hand: InHand,
        given_up: Option<u32>,
    ) -> JoinHandle<()> {
        let key = String::from_utf8_lossy(message.key.as_deref().unwrap_or_default());
        let turn = self.lanes.enter(&key);
        let (handler, control) = (Arc::clone(&self.handler), self.control.clone());
        self.tasks.spawn(async move {
            let _in_hand = in_hand;
            let stops = StopsOnPanic(&control.halt, &ack);
            let outcome = match given_up {
                None => unless_given_up(&control.give_up, handler.handle(message, turn)).await,
                Some(takes) => {
                    let Message { topic, partition, offset, .. } = &message;
                    error!(
                        topic,
                        partition,
                        offset,
                        takes,
                        "given up: each time that it was taken up, the process ended"
                    );
                    let giving_up = handler.give_up(message, turn, takes);
                    unless_given_up(&control.give_up, giving_up).await
                }
            };
            drop(stops);
            match outcome {
                Some(Ok(())) => ack.done(),
                // not committed, so it comes again
                None => {}
                Some(Err(SendError::ShuttingDown)) if control.is_ending() => {}
                Some(Err(error)) => {
                    error!(%error, "a message cannot be processed: stopping");
                    if matches!(error, SendError::TooLarge { .. }) {
                        // it will be the next time, too
                        ack.blame();
                    }
                    control.halt.cancel();
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn what_is_given_up_lets_nobody_behind_it_send_first() {
        let (lanes, give_up) = (Lanes::new(), CancellationToken::new());
        let (first, mut second) = (lanes.enter("gate"), lanes.enter("gate"));
        let sent = Arc::new(AtomicBool::new(false));
        let (token, sends) = (give_up.clone(), Arc::clone(&sent));
        let hangs = tokio::spawn({
            let token = give_up.clone();
            async move {
                let work = async {
                    let _turn = first;
                    std::future::pending::<()>().await;
                };
                unless_given_up(&token, work).await
            }
        });
        let behind = tokio::spawn(async move {
            let work = async {
                second.wait().await;
                sends.store(true, Ordering::Release);
            };
            unless_given_up(&token, work).await
        });
        // both wait now
        tokio::task::yield_now().await;
        give_up.cancel();
        assert_eq!((hangs.await.unwrap(), behind.await.unwrap()), (None, None));
        assert!(!sent.load(Ordering::Acquire), "it overtook the one that comes again");
    }
}
