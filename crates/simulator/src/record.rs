//! What became of the frames of a simulation.

use crate::Micros;
use frame::{ContractStanding, Destination, PerTier};
use offload::BreakerState;

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Record {
    /// When it came in, in microseconds from the start.
    pub arrival: Micros,
    /// Which camera sent it, from 0 on.
    pub camera: u32,
    /// How late its answer was allowed to be.
    pub deadline: Option<Micros>,
    /// Which image it showed.
    pub image: u32,
    /// Where it was sent first; `None` when no tier got it.
    pub destination: Option<Destination>,
    /// Why.
    pub reason: &'static str,
    /// In how many milliseconds that tier was expected to answer.
    pub predicted_ms: Option<f64>,
    /// How it ended, and when that was seen; `None`: never, the frame is lost.
    pub answer: Option<(Answer, Micros)>,
    /// Whether it was sent to the edge because the cloud did not answer in time.
    pub redispatched: bool,
    /// Whether it was sent on to the cloud because it was hard for the edge.
    pub escalated: bool,
    /// Bytes that it cost on the uplink.
    pub bytes_up: u64,
    /// How many times each tier ran the detection.
    pub inferences: PerTier<u8>,
}

/// How a frame ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A tier ran the detection.
    Done(Destination),
    /// Its deadline went by first.
    Expired,
    /// It equalled the last one.
    Skipped,
    /// A newer frame of its camera was served in its place.
    Overtaken,
}

impl Record {
    /// From coming in to the answer of a tier, in milliseconds; `None` when there is none.
    #[must_use]
    pub fn latency_ms(&self) -> Option<f64> {
        match self.answer {
            Some((Answer::Done(_), at)) => Some((at - self.arrival) as f64 / 1000.0),
            _ => None,
        }
    }

    /// Whether its deadline was missed: it was answered later, expired, or never answered. A frame
    /// without a deadline never is.
    #[must_use]
    pub fn missed(&self) -> bool {
        let Some(deadline) = self.deadline else { return false };
        !matches!(self.answer, Some((Answer::Done(_) | Answer::Skipped, at)) if at <= deadline)
    }
}

/// A circuit breaker changed its state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Transition {
    /// When, in microseconds from the start.
    pub at: Micros,
    /// Whose.
    pub tier: Destination,
    /// To what.
    pub to: BreakerState,
}

/// A tier got another number of workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scaling {
    /// When, in microseconds from the start.
    pub at: Micros,
    /// Which.
    pub tier: Destination,
    /// How many it has now.
    pub workers: u32,
}

/// Everything that happened in one run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// The frames, in the order in which they came in.
    pub frames: Vec<Record>,
    /// What the circuit breakers did.
    pub transitions: Vec<Transition>,
    /// What the autoscalers did.
    pub scalings: Vec<Scaling>,
    /// How the contracts stand at the end, since the beginning.
    pub contracts: Vec<ContractStanding>,
    /// How many frames should have been judged hard or easy and could not, because their
    /// detections are not known.
    pub unjudged: u64,
}

impl History {
    /// The frames of several sites as if they were one, each site's cameras being others: with this
    /// many cameras at each.
    #[must_use]
    pub fn together<'a>(sites: impl IntoIterator<Item = (&'a Self, u32)>) -> Self {
        let (mut all, mut cameras) = (Self::default(), 0);
        for (site, more) in sites {
            all.frames.extend(
                site.frames.iter().map(|frame| Record { camera: cameras + frame.camera, ..*frame }),
            );
            all.unjudged += site.unjudged;
            cameras += more;
        }
        all
    }
}
