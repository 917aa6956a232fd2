//! A message that was handed to the caller, and how the caller says that it is finished.

use crate::message::Message;
use crate::receive::offsets::{Epoch, OffsetTracker};
use crate::takes::tracker::SharedTakes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// A message with the means to say that its work is done.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// To be called when everything that follows from the message is safe.
    pub ack: Ack,
}

/// The duty to finish one message.
///
/// Dropping it without [`Ack::done`] means "not finished": the offset is never committed, and
/// whoever gets the partition next gets the message again. Either way its place among the messages
/// in flight becomes free.
#[derive(Debug)]
#[must_use = "a message whose ack is dropped comes again"]
pub struct Ack {
    pub(crate) tracker: SharedTracker,
    pub(crate) takes: SharedTakes,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) epoch: Epoch,
    pub(crate) _place: OwnedSemaphorePermit,
    /// Room for its bytes.
    pub(crate) _room: OwnedSemaphorePermit,
}

impl Ack {
    /// The message is finished. Its offset is committed as soon as every earlier one of the
    /// partition is finished too.
    pub fn done(self) {
        self.takes.with(|takes| takes.ended(self.partition, self.offset));
        self.tracker.with(|tracker| tracker.finished(self.partition, self.epoch, self.offset));
    }

    /// Whether the partition is still ours.
    pub(crate) fn is_current(&self) -> bool {
        self.tracker.with(|tracker| tracker.is_current(self.partition, self.epoch))
    }

    /// The message ends the work, by itself: that counts as often as it happens.
    pub(crate) fn blame(&self) {
        self.takes.with(|takes| takes.blame(self.partition, self.offset));
    }
}

/// The tracker that a consumer's thread and the acks share.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedTracker(Arc<Mutex<OffsetTracker>>);

impl SharedTracker {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut OffsetTracker) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
