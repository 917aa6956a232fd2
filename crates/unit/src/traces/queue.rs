//! Spans that wait to be exported.

use super::span::Span;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// How many spans are sent together.
pub(super) const MAX_BATCH: usize = 512;

/// A queue of so many spans at most. Whoever puts one in never waits.
#[derive(Debug)]
pub(super) struct Queue {
    max: usize,
    spans: Mutex<Vec<Span>>,
    /// Told when a whole batch waits.
    pub(super) batch_waits: Notify,
}

impl Queue {
    pub(super) fn new(max: usize) -> Self {
        Self { max, spans: Mutex::default(), batch_waits: Notify::new() }
    }

    /// `false` when the queue is full, and the span is dropped.
    pub(super) fn push(&self, span: Span) -> bool {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() >= self.max {
            return false;
        }
        spans.push(span);
        if spans.len() == MAX_BATCH.min(self.max) {
            self.batch_waits.notify_one();
        }
        true
    }

    /// The oldest ones, a batch of them at most.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let count = spans.len().min(MAX_BATCH);
        spans.drain(..count).collect()
    }
}
