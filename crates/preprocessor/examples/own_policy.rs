//! A policy of your own, in one file: a preprocessor that sends large frames to the cloud while the
//! edge has something to do.
//!
//! ```sh
//! cargo run --release -p preprocessor --example own_policy -- --help
//! ```
//!
//! It takes the place of the preprocessor: the same settings, topics, guards and metrics; only the
//! decision is yours. What a policy can see is described at `offload::FrameFacts` and
//! `offload::Snapshot`.

use frame::Destination::{Cloud, Edge};
use offload::{Choice, FrameFacts, Outcome, Policy, Snapshot};
use std::process::ExitCode;

/// Frames with more pixels than this are large.
const LARGE_PIXELS: u64 = 1280 * 720;

/// Large frames go to the cloud unless the edge is idle, or the cloud has disappointed lately.
#[derive(Default)]
struct LargeToCloud {
    /// How many of the cloud's latest answers were late, less those that were not.
    disappointments: u32,
}

impl Policy for LargeToCloud {
    fn name(&self) -> &str {
        "large-to-cloud"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let pixels = u64::from(frame.image.width) * u64::from(frame.image.height);
        match load.edge.backlog_frames {
            None => Choice::send(Edge, "edge-load-unknown"),
            Some(0) => Choice::send(Edge, "edge-idle"),
            Some(_) if pixels > LARGE_PIXELS && self.disappointments < 5 => {
                Choice::send(Cloud, "large")
            }
            Some(_) => Choice::send(Edge, "small"),
        }
    }

    fn learn(&mut self, outcome: &Outcome) {
        if outcome.tier == Cloud {
            self.disappointments = if outcome.in_time() {
                self.disappointments.saturating_sub(1)
            } else {
                self.disappointments.saturating_add(1)
            };
        }
    }
}

fn main() -> ExitCode {
    unit::main_with(
        "own-policy-preprocessor",
        "sharpens frames and decides by a policy of its own where they are looked at",
        preprocessor::Config::from_settings,
        |config, shutdown| preprocessor::run_with(config, Box::<LargeToCloud>::default(), shutdown),
    )
}
