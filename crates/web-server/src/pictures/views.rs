//! What is watched: each camera in each variant that somebody looks at.

use super::{Picture, Variant};
use crate::jobs::{Finished, Store};
use crate::problem::RequestError;
use frame::CameraId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// At most ten pictures a second of a view: people see no more of a camera that is watched.
const EVERY: Duration = Duration::from_millis(100);
/// How soon a picture that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a view that nobody looks at keeps its picture, for those who ask again and again.
const LINGER: Duration = Duration::from_secs(10);

/// A camera in a variant.
pub(crate) type Key = (CameraId, Variant);

/// The views; their number is bounded as that of the viewers is.
#[derive(Debug)]
pub(crate) struct Views {
    max_viewers: usize,
    table: Mutex<Table>,
    /// Somebody has come or gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    views: HashMap<Key, View>,
    viewers: usize,
}

#[derive(Debug)]
struct View {
    latest: watch::Sender<Latest>,
    viewers: usize,
    /// Since when nobody looks, or somebody does.
    since: Instant,
    /// The result whose picture was made last, or is being made.
    position: Option<u64>,
    is_busy: bool,
    /// Not before this moment is the next picture made.
    due: Instant,
    /// Pictures that were begun before this one's time are not shown.
    generation: u64,
}

/// A view's newest picture, or why there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latest {
    /// Of the result that it shows.
    pub(crate) position: Option<u64>,
    pub(crate) picture: Option<Arc<Picture>>,
    refusal: Option<RequestError>,
}

/// Somebody who looks; the view is let go of when this is dropped.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) latest: watch::Receiver<Latest>,
    key: Key,
    views: Arc<Views>,
}

/// A picture that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) key: Key,
    pub(super) position: u64,
    pub(super) result: Arc<Finished>,
    pub(super) generation: u64,
}

impl Views {
    pub(super) fn new(max_viewers: usize) -> Self {
        Self { max_viewers, table: Mutex::default(), changed: Notify::new() }
    }

    /// Looks at a view, which is made if there is none.
    pub(crate) fn join(self: &Arc<Self>, key: Key) -> Result<Viewer, RequestError> {
        let now = Instant::now();
        let latest = {
            let mut table = self.lock();
            if table.viewers >= self.max_viewers {
                return Err(RequestError::TooManyViewers(self.max_viewers));
            }
            if !table.views.contains_key(&key) && table.views.len() >= self.max_viewers {
                table.drop_idle();
            }
            table.viewers += 1;
            let view = table.views.entry(key.clone()).or_insert_with(|| View::new(now));
            view.viewers += 1;
            view.since = now;
            if view.latest.borrow().refusal.is_some() {
                // whoever comes anew has another try
                view.latest.send_replace(Latest::default());
                view.position = None;
                view.due = now;
            }
            view.latest.subscribe()
        };
        self.changed.notify_one();
        Ok(Viewer { latest, key, views: self.clone() })
    }

    /// Masks have changed: what was made before is not shown any more, and made anew.
    pub(super) fn forget(&self) {
        let mut table = self.lock();
        for view in table.views.values_mut() {
            view.generation += 1;
            view.position = None;
            view.due = Instant::now();
            view.latest.send_replace(Latest::default());
        }
        drop(table);
        self.changed.notify_one();
    }

    pub(super) fn is_watched(&self, camera: &CameraId) -> bool {
        self.lock().views.keys().any(|(watched, _)| watched == camera)
    }

    /// How many there are, and how many look at them.
    pub(super) fn count(&self) -> (usize, usize) {
        let table = self.lock();
        (table.views.len(), table.viewers)
    }

    /// Waits until somebody has come or gone.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Up to `limit` pictures that are to be made now, those that wait for longest first, each of
    /// the newest result of its camera; and when to look again, should nothing else happen.
    pub(super) fn due(
        &self,
        store: &Store,
        now: Instant,
        limit: usize,
    ) -> (Vec<Due>, Option<Instant>) {
        let mut table = self.lock();
        table.views.retain(|_, view| !view.is_over(now));
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        let mut at_latest = |moment| next = Some(next.map_or(moment, |next| next.min(moment)));
        for (key, view) in &table.views {
            // when a picture that is being made is there, we come here again
            if view.viewers == 0 && !view.is_busy {
                at_latest(view.since + LINGER);
            }
            if view.viewers == 0 || view.is_busy {
                continue;
            }
            let Some((position, result)) = store.shown(&key.0) else { continue };
            if view.position == Some(position) {
                continue;
            }
            if view.due > now {
                at_latest(view.due);
            } else {
                let (key, generation) = (key.clone(), view.generation);
                due.push((view.due, Due { key, position, result, generation }));
            }
        }
        due.sort_by_key(|(since, _)| *since);
        let due: Vec<Due> = due.into_iter().take(limit).map(|(_, due)| due).collect();
        for Due { key, position, .. } in &due {
            if let Some(view) = table.views.get_mut(key) {
                view.is_busy = true;
                view.position = Some(*position);
                view.due = now + EVERY;
            }
        }
        (due, next)
    }

    /// A picture was made, or could not be: then the last one stays.
    pub(super) fn made(
        &self,
        key: &Key,
        (position, generation): (u64, u64),
        outcome: Result<Picture, RequestError>,
        now: Instant,
    ) {
        let mut table = self.lock();
        let Some(view) = table.views.get_mut(key) else { return };
        view.is_busy = false;
        if view.generation != generation {
            (view.position, view.due) = (None, now);
            return;
        }
        if outcome.as_ref().is_err_and(RequestError::may_pass) {
            view.position = None;
            view.due = now + AGAIN;
        }
        view.latest.send_modify(|latest| {
            latest.position = Some(position);
            match outcome {
                Ok(picture) => (latest.picture, latest.refusal) = (Some(Arc::new(picture)), None),
                Err(refusal) => latest.refusal = Some(refusal),
            }
        });
    }

    fn left(&self, key: &Key) {
        let mut table = self.lock();
        table.viewers -= 1;
        if let Some(view) = table.views.get_mut(key) {
            view.viewers -= 1;
            view.since = Instant::now();
        }
        drop(table);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Makes room: the view that nobody has looked at for longest goes. As there are fewer viewers
    /// than views, there is one.
    fn drop_idle(&mut self) {
        let idle = self.views.iter().filter(|(_, view)| view.viewers == 0 && !view.is_busy);
        let longest = idle.min_by_key(|(_, view)| view.since).map(|(key, _)| key.clone());
        if let Some(longest) = longest {
            self.views.remove(&longest);
        }
    }
}

impl View {
    fn new(now: Instant) -> Self {
        let latest = watch::Sender::new(Latest::default());
        Self {
            latest,
            viewers: 0,
            since: now,
            position: None,
            is_busy: false,
            due: now,
            generation: 0,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.viewers == 0 && !self.is_busy && self.since + LINGER <= now
    }
}

impl Viewer {
    /// The picture of the result at this position or of a newer one, as soon as it is made.
    pub(crate) async fn newest(&mut self, position: u64) -> Result<Arc<Picture>, RequestError> {
        let made = self.latest.wait_for(|latest| latest.position >= Some(position)).await;
        let Latest { picture, refusal, .. } = made.map_err(|_| RequestError::ShuttingDown)?.clone();
        match (refusal, picture) {
            (Some(refusal), _) => Err(refusal),
            (None, picture) => picture.ok_or(RequestError::ShuttingDown),
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.views.left(&self.key);
    }
}
