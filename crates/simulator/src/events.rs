//! What will happen, in the order in which it will.

use crate::Micros;
use frame::Destination;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something that happens at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A frame's last byte has come to the cloud.
    Arrives { frame: usize, answer_by: Option<Micros> },
    /// A worker has finished a frame.
    Finished { tier: Destination, frame: usize },
    /// A result is seen at the edge; `worked` tells whether a worker ran the detection.
    Seen { tier: Destination, frame: usize, worked: bool },
    /// The edge hears that the cloud passed a frame over.
    PassedOver,
    /// The time for a frame's answer is up.
    AnswerBy { frame: usize },
    /// The deadline of a frame that has a provisional answer.
    Promote { frame: usize },
    /// The lag of both tiers is read.
    Lag,
    /// The autoscalers are evaluated: the edge's, and with the first site the cloud's.
    Scale,
    /// A tier's new workers have started.
    Started { tier: Destination, workers: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Due {
    at: Micros,
    /// Events of one moment happen in the order in which they were foreseen.
    number: u64,
    /// At which site.
    site: usize,
    event: Event,
}

impl Ord for Due {
    /// The heap's greatest is what comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Events that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Events {
    heap: BinaryHeap<Due>,
    foreseen: u64,
}

impl Events {
    pub(crate) fn at(&mut self, at: Micros, site: usize, event: Event) {
        self.heap.push(Due { at, number: self.foreseen, site, event });
        self.foreseen += 1;
    }

    /// The next one and its site, if it comes by `end`.
    pub(crate) fn next_by(&mut self, end: Micros) -> Option<(Micros, usize, Event)> {
        if self.heap.peek()?.at > end {
            return None;
        }
        self.heap.pop().map(|due| (due.at, due.site, due.event))
    }
}
