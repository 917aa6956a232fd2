//! Cameras that send all the time, and someone who watches what comes of it.

use crate::{Client, Journey, Watch, Whereabouts, photo};
use frame::{FrameId, FrameResult, Status};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const MOMENT: Duration = Duration::from_millis(5);

/// Cameras at work. Dropping it stops them.
pub struct Traffic {
    state: Arc<State>,
    whereabouts: Whereabouts,
    cameras: Vec<JoinHandle<HashSet<FrameId>>>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    accepted: AtomicUsize,
    seen: Mutex<Vec<FrameResult>>,
}

/// What came of it.
pub struct Ended {
    /// Every frame that was accepted.
    pub accepted: HashSet<FrameId>,
    /// Every final result in the order in which it was seen; also of frames that were sent, not
    /// acknowledged, and there all the same.
    pub seen: Vec<FrameResult>,
}

impl State {
    fn seen(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn on_their_way(&self) -> usize {
        self.accepted.load(Ordering::Relaxed).saturating_sub(self.seen())
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Lets so many cameras send, each its frames in order, while fewer than `on_their_way` frames
    /// wait for their results. A frame that is not accepted is sent again.
    ///
    /// # Panics
    /// When the results cannot be watched.
    pub async fn start(journey: &Journey, cameras: usize, on_their_way: usize) -> Self {
        let (client, whereabouts) = (journey.client(), journey.whereabouts());
        let state = Arc::new(State::default());
        let opened = client.clone();
        let watch = tokio::task::spawn_blocking(move || opened.watch())
            .await
            .expect("no panic")
            .expect("the results' stream");
        let weak = Arc::downgrade(&state);
        std::thread::spawn(move || collect(&watch, &weak));
        let start = |camera| {
            let (client, state) = (client.clone(), Arc::clone(&state));
            std::thread::spawn(move || send(&client, &state, camera, on_their_way))
        };
        Self { cameras: (0..cameras).map(start).collect(), state, whereabouts }
    }

    /// Waits until a number of results has been seen.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn results(&self, count: usize) {
        self.until(&format!("{count} results"), |seen| seen.len() >= count).await;
    }

    /// Waits until so many more results have been seen than now.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn more_results(&self, count: usize) {
        self.results(self.state.seen() + count).await;
    }

    /// Waits until the results that have been seen show something.
    ///
    /// # Panics
    /// When they do not.
    pub async fn until(&self, what: &str, shows: impl Fn(&[FrameResult]) -> bool) {
        let started = Instant::now();
        while !shows(&self.state.seen.lock().unwrap_or_else(PoisonError::into_inner)) {
            let (accepted, seen) = (self.state.accepted.load(Ordering::Relaxed), self.state.seen());
            assert!(
                started.elapsed() < PATIENCE,
                "waiting for {what}: {accepted} frames accepted, {seen} results seen; {}",
                self.whereabouts.tell().await
            );
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// Which pod gave the latest result.
    #[must_use]
    pub fn latest_pod(&self) -> Option<String> {
        let seen = self.state.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last().and_then(|result| result.served_by.pod.clone())
    }

    /// Stops the cameras and waits until every accepted frame has its result.
    ///
    /// # Panics
    /// When a frame has no result, more than one, or another one than `done`; when a camera has
    /// failed.
    pub async fn end(mut self) -> Ended {
        self.state.stop.store(true, Ordering::Relaxed);
        let cameras = std::mem::take(&mut self.cameras);
        let join = move || {
            cameras.into_iter().flat_map(|camera| camera.join().expect("no camera fails")).collect()
        };
        let accepted: HashSet<FrameId> =
            tokio::task::spawn_blocking(join).await.expect("no camera fails");
        let missing = |seen: &[FrameResult]| {
            let seen: HashSet<FrameId> = seen.iter().map(|result| result.frame_id).collect();
            accepted.difference(&seen).count()
        };
        self.until("the results of all accepted frames", |seen| missing(seen) == 0).await;
        let seen = self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut ids = HashSet::new();
        for result in &seen {
            assert!(ids.insert(result.frame_id), "a second visible result: {result:?}");
            assert_eq!(result.status, Status::Done, "{result:?}");
        }
        Ended { accepted, seen }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}

/// Until nobody reads it any more.
fn collect(watch: &Watch, state: &Weak<State>) {
    while let Some(state) = state.upgrade() {
        if let Ok(results) = watch.take(1, Duration::from_millis(200)) {
            let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(results.into_iter().filter(|result| result.status.is_final()));
        }
    }
}

fn send(client: &Client, state: &State, camera: usize, on_their_way: usize) -> HashSet<FrameId> {
    let image = photo("camera.jpg");
    let mut accepted = HashSet::new();
    for sequence in 0.. {
        while state.on_their_way() >= on_their_way && !state.stopped() {
            std::thread::sleep(MOMENT);
        }
        if state.stopped() {
            break;
        }
        let path = format!("/cameras/cam-{camera}/frames?sequence={sequence}");
        accepted.insert(
            client.post_until_accepted(&path, &image, PATIENCE).expect("the frame is accepted"),
        );
        state.accepted.fetch_add(1, Ordering::Relaxed);
    }
    accepted
}

/// Checks that the accepted frames' results have come in the order of each camera.
///
/// # Panics
/// When they have not.
pub fn in_order_per_camera(ended: &Ended) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for result in ended.seen.iter().filter(|result| ended.accepted.contains(&result.frame_id)) {
        if let Some(before) = last.insert(result.camera.as_str(), result.sequence) {
            assert!(
                before < result.sequence,
                "{}: {before} came before {}",
                result.camera,
                result.sequence
            );
        }
    }
}
