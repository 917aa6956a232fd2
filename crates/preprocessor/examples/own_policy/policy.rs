//! A policy of your own: one type with the trait `offload::Policy`.
//!
//! What a policy can see is described at `offload::FrameFacts` and `offload::Snapshot`.

use frame::Destination::{Cloud, Edge};
use offload::{Choice, FrameFacts, Outcome, Policy, Snapshot};

/// From this backlog on the edge is busy, frames.
const BUSY_FROM: u64 = 3;
/// After so many more answers of the cloud that were late than were in time, it gets few frames.
const MAX_DISAPPOINTMENTS: u32 = 5;
/// Few is one frame in so many, so that a cloud that has become faster is noticed.
const TRIED_EVERY: u64 = 16;

/// Frames go to the edge until it is busy, then to the cloud, unless that has disappointed lately.
#[derive(Default)]
pub(crate) struct EdgeUntilBusy {
    disappointments: u32,
}

impl Policy for EdgeUntilBusy {
    fn name(&self) -> &str {
        "edge-until-busy"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let is_disappointing = self.disappointments >= MAX_DISAPPOINTMENTS;
        match load.edge.backlog_frames {
            None => Choice::send(Edge, "edge-load-unknown"),
            Some(frames) if frames < BUSY_FROM => Choice::send(Edge, "edge-free"),
            Some(_) if is_disappointing && !frame.ordinal.is_multiple_of(TRIED_EVERY) => {
                Choice::send(Edge, "cloud-disappoints")
            }
            Some(_) => Choice::send(Cloud, "edge-busy"),
        }
    }

    fn learn(&mut self, outcome: &Outcome) {
        if outcome.tier == Cloud {
            self.disappointments = if outcome.in_time() {
                self.disappointments.saturating_sub(1)
            } else {
                (self.disappointments + 1).min(2 * MAX_DISAPPOINTMENTS)
            };
        }
    }
}
