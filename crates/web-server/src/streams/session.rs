//! Takes the frames of one stream: at most so many at once, and one more waits.
//!
//! Frames are handed to the bus one after the other, so they stay in order; the broker's
//! acknowledgements come meanwhile. A frame is in flight from then until its final result is there.

use crate::accept::{Accepted, accept};
use crate::app::App;
use crate::frame_trace::FrameTrace;
use crate::jobs::{Finished, Subscription};
use crate::problem::RequestError;
use crate::query::About;
use crate::streams::options::{DropPolicy, Options};
use crate::streams::tally::{Reason, Tally};
use crate::upload::Upload;
use bytes::Bytes;
use frame::{FrameId, Timestamp, TraceParent};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a client that keeps all frames has to wait for a queue to move; as long as the longest
/// that a result of a fast edge takes.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Of such frames several are sent at once: they are in the producer's queue when sending was begun.
/// Larger ones come there by way of another thread.
const MAX_TOGETHER: usize = 1 << 20;

/// Of the frames in flight a quarter may wait for the broker's acknowledgement: it takes a small part
/// of the time until the result. librdkafka sends nothing of a partition while five messages of it
/// are unacknowledged, and while further ones wait, its thread spins. A camera has one partition: up
/// to five of its frames make nothing spin, and fewer would hold it up where the broker is slow.
const UNACKNOWLEDGED_SHARE: usize = 4;
const FEWEST_UNACKNOWLEDGED: usize = 5;

/// A whole frame of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// Its number in the stream, from 0 on.
    pub(crate) number: u64,
    /// Its number at the camera, if its sender counts.
    pub(crate) sequence: Option<u64>,
    pub(crate) bytes: Bytes,
    /// When its first byte came in.
    pub(crate) received_at: Timestamp,
    /// The same moment by the clock that never jumps.
    pub(crate) started: Instant,
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is on the bus.
    Accepted { number: u64, frame_id: FrameId },
    /// It is not.
    Dropped { number: u64, reason: Reason },
    /// Its final result is there.
    Finished { number: u64, result: Arc<Finished> },
    /// Its result has not come for as long as results are kept.
    Lost { frame_id: FrameId },
}

/// A frame's number, and whether the broker has it.
type Sent = (u64, Result<Accepted, RequestError>);
/// A frame's number, its id, and its result if that came.
type Flown = (u64, FrameId, Option<Arc<Finished>>);

/// The frames of one stream that are not finished.
pub(crate) struct Session {
    app: Arc<App>,
    about: Arc<About>,
    trace: TraceParent,
    policy: DropPolicy,
    in_flight: usize,
    /// How many may wait for the broker's acknowledgement.
    unacknowledged: usize,
    /// The next one to be put on the bus.
    waiting: Option<Cut>,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    /// What is sent must be acknowledged before a further frame is: it is large, or was refused and
    /// is tried again.
    alone: Arc<AtomicBool>,
    flying: FuturesUnordered<BoxFuture<'static, Flown>>,
    tally: Tally,
}

impl Session {
    pub(crate) fn new(app: Arc<App>, options: Options, trace: TraceParent) -> Self {
        let Options { about, drop, in_flight, .. } = options;
        Self {
            app,
            about: Arc::new(about),
            trace,
            policy: drop,
            in_flight,
            unacknowledged: (in_flight / UNACKNOWLEDGED_SHARE).max(FEWEST_UNACKNOWLEDGED),
            waiting: None,
            sending: FuturesUnordered::new(),
            alone: Arc::default(),
            flying: FuturesUnordered::new(),
            tally: Tally::default(),
        }
    }

    /// Whether a further frame may be offered: with [`DropPolicy::None`], only when none waits.
    pub(crate) fn takes_more(&self) -> bool {
        self.policy != DropPolicy::None || self.waiting.is_none()
    }

    /// Takes a frame, and gives up one when that is one too many.
    pub(crate) fn offer(&mut self, cut: Cut) -> Option<Event> {
        let dropped = match (self.waiting.take(), self.policy) {
            (Some(waiting), DropPolicy::Newest) => {
                self.waiting = Some(waiting);
                Some((cut.number, Reason::OthersWait))
            }
            (waiting, _) => {
                self.waiting = Some(cut);
                waiting.map(|old| (old.number, Reason::Replaced))
            }
        };
        self.go_on();
        dropped.map(|(number, reason)| self.drop_frame(number, reason))
    }

    /// A frame is dropped, for a reason that the session does not know of.
    pub(crate) fn drop_frame(&mut self, number: u64, reason: Reason) -> Event {
        self.count_dropped(&reason);
        Event::Dropped { number, reason }
    }

    fn count_dropped(&mut self, reason: &Reason) {
        self.tally.dropped(reason);
        self.app.metrics.stream_frame(reason.as_str());
    }

    /// The stream is over, and so is the time for its last frames: what is not on the bus yet is
    /// dropped.
    pub(crate) fn give_up(&mut self) {
        let left = usize::from(self.waiting.take().is_some()) + self.sending.len();
        self.sending.clear();
        for _ in 0..left {
            self.count_dropped(&Reason::TimeOver);
        }
    }

    /// How many bytes wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |cut| cut.bytes.len())
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_none() && self.sending.is_empty() && self.flying.is_empty()
    }

    /// What happens next; never ready while the session is idle. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Event {
        self.go_on();
        let Self { sending, flying, .. } = self;
        let sent = async {
            match sending.next().await {
                Some(sent) => sent,
                None => std::future::pending().await,
            }
        };
        let finished = async {
            match flying.next().await {
                Some(finished) => finished,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (number, outcome) = sent => match outcome {
                Ok(accepted) => self.accepted(number, &accepted),
                Err(refusal) => self.drop_frame(number, Reason::of(&refusal)),
            },
            (number, frame_id, result) = finished => match result {
                Some(result) => {
                    self.tally.finished(&result);
                    Event::Finished { number, result }
                }
                None => Event::Lost { frame_id },
            },
        }
    }

    /// What became of the frames so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn accepted(&mut self, number: u64, accepted: &Accepted) -> Event {
        let frame_id = accepted.frame_id;
        self.tally.accepted();
        self.app.metrics.stream_frame("accepted");
        let app = self.app.clone();
        let result = async move {
            let result = match app.store.subscribe(frame_id) {
                Subscription::Finished(result) => Some(result),
                // it expires long before
                Subscription::Waiting(mut waiter) => {
                    tokio::time::timeout(app.limits.job_ttl, waiter.told()).await.ok()
                }
            };
            (number, frame_id, result)
        };
        self.flying.push(result.boxed());
        Event::Accepted { number, frame_id }
    }

    /// Sends the frame that waits, if it may be sent.
    fn go_on(&mut self) {
        let sent_at_once = match self.alone.load(Ordering::Relaxed) {
            true => 1,
            false => self.unacknowledged,
        };
        let in_flight = self.sending.len() + self.flying.len();
        if self.sending.len() >= sent_at_once || in_flight >= self.in_flight {
            return;
        }
        let is_large = |cut: &Cut| cut.bytes.len() > MAX_TOGETHER;
        if self.waiting.as_ref().is_some_and(is_large) && !self.sending.is_empty() {
            return;
        }
        let Some(cut) = self.waiting.take() else { return };
        self.alone.store(is_large(&cut), Ordering::Relaxed);
        let trace = FrameTrace::of_streamed(&self.app.traces, self.trace);
        let (app, about) = (self.app.clone(), self.about.clone());
        let (keeps_all, alone) = (self.policy == DropPolicy::None, self.alone.clone());
        let sending = async move {
            loop {
                let outcome = send(&app, &about, cut.clone(), trace).await;
                match outcome {
                    Err(refusal) if keeps_all && refusal.may_pass() => {
                        alone.store(true, Ordering::Relaxed);
                        let pause = tokio::time::sleep(RETRY_AFTER);
                        if app.shutdown.run_until_cancelled(pause).await.is_none() {
                            return (cut.number, Err(refusal));
                        }
                    }
                    outcome => return (cut.number, outcome),
                }
            }
        };
        let mut sending = sending.boxed();
        // begun here, it comes into the producer's queue before those that follow
        let sending = match (&mut sending).now_or_never() {
            Some(sent) => std::future::ready(sent).boxed(),
            None => sending,
        };
        self.sending.push(sending);
    }
}

/// Takes a frame as an upload is taken.
async fn send(
    app: &Arc<App>,
    about: &About,
    cut: Cut,
    trace: FrameTrace,
) -> Result<Accepted, RequestError> {
    app.check_bus()?;
    let Cut { sequence, bytes, received_at, started, .. } = cut;
    let mut place = app.room.enter()?;
    place.grow(bytes.len())?;
    // once there is room: a frame that is tried again counts once
    if let Some(camera) = &about.camera {
        app.access.count_frame(camera)?;
    }
    let upload = Upload { bytes, place, received_at, started };
    let numbered = sequence.map(|number| About { sequence: Some(number), ..about.clone() });
    accept(app, numbered.as_ref().unwrap_or(about), upload, trace).await
}
