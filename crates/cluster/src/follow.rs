//! Follows the objects of one kind: list, watch, and start over when that breaks.

use crate::api_error::ApiError;
use crate::board::{Board, Feed, View};
use crate::{ClusterState, Pacing};
use backoff::Backoff;
use futures_util::{Stream, StreamExt, TryFutureExt};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, debug};

/// One kind of object, the part of it that matters, and where on the board that goes.
pub(crate) struct Follower<K, T> {
    pub(crate) api: Api<K>,
    /// Only the object of this name; `None` is all of the namespace.
    pub(crate) name: Option<String>,
    pub(crate) read: fn(&K) -> T,
    pub(crate) feed: fn(&mut View) -> &mut Feed<T>,
    pub(crate) board: Arc<Board>,
    pub(crate) pacing: Pacing,
}

/// What is there, and up to which version of the cluster's state that is true.
struct Listed<T> {
    objects: BTreeMap<String, T>,
    version: String,
}

impl<K, T> Follower<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug,
    T: Clone,
{
    /// Follows until it is dropped.
    pub(crate) async fn follow(self) -> Infallible {
        let mut backoff = Backoff::new(self.pacing.first_retry, self.pacing.longest_retry);
        let mut lost = None;
        loop {
            let error = self.round(&mut backoff, &mut lost).await;
            debug!(
                name = self.name,
                kind = std::any::type_name::<K>(),
                ?error,
                "the watch starts over"
            );
            if let Some(state) = error.state() {
                let since = *lost.get_or_insert_with(Instant::now);
                self.report_loss(state, since.elapsed());
            }
            sleep(backoff.next_delay()).await;
        }
    }

    /// One list and the watches that follow from it.
    async fn round(&self, backoff: &mut Backoff, lost: &mut Option<Instant>) -> ApiError {
        let mut listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => return error,
        };
        loop {
            let params = self.watch_params();
            let opening =
                self.api.watch(&params, &listed.version).map_err(|error| ApiError::asking(&error));
            let events = match self.answer(opening).await {
                Ok(events) => events,
                Err(error) => return error,
            };
            // only now: a list that may not be watched would be stale at once
            self.publish(&listed.objects);
            backoff.reset();
            *lost = None;
            if let Err(error) = self.take_in(events, &mut listed).await {
                return error;
            }
            sleep(backoff.next_delay()).await;
        }
    }

    async fn list(&self) -> Result<Listed<T>, ApiError> {
        let params = ListParams { field_selector: self.selector(), ..ListParams::default() };
        let list =
            self.answer(self.api.list(&params).map_err(|error| ApiError::asking(&error))).await?;
        let objects =
            list.items.iter().map(|object| (object.name_any(), (self.read)(object))).collect();
        match list.metadata.resource_version {
            Some(version) => Ok(Listed { objects, version }),
            None => {
                Err(ApiError::Unreachable("the API server's list has no resource version".into()))
            }
        }
    }

    /// Takes in changes until the watch ends; an `Err` says that it has broken.
    async fn take_in(
        &self,
        events: impl Stream<Item = kube::Result<WatchEvent<K>>>,
        listed: &mut Listed<T>,
    ) -> Result<(), ApiError> {
        let mut events = pin!(events);
        loop {
            // the API server ends a quiet watch by itself: longer silence is a connection that
            // nobody has closed
            let Ok(event) =
                timeout(self.pacing.watch + self.pacing.answer, quietly(events.next())).await
            else {
                return Err(ApiError::Broken("the watch is silent".into()));
            };
            match event {
                None => return Ok(()),
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    listed.objects.insert(object.name_any(), (self.read)(&object));
                    listed.advance(&object);
                    self.publish(&listed.objects);
                }
                Some(Ok(WatchEvent::Deleted(object))) => {
                    listed.objects.remove(&object.name_any());
                    listed.advance(&object);
                    self.publish(&listed.objects);
                }
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    listed.version = bookmark.metadata.resource_version
                }
                Some(Ok(WatchEvent::Error(status))) => {
                    return Err(ApiError::watching(&kube::Error::Api(status)));
                }
                Some(Err(error)) => return Err(ApiError::watching(&error)),
            }
        }
    }

    /// Waits for an answer as long as the pacing allows.
    async fn answer<A>(
        &self,
        asked: impl Future<Output = Result<A, ApiError>>,
    ) -> Result<A, ApiError> {
        let silent =
            |_| Err(ApiError::Unreachable("the API server takes too long to answer".into()));
        timeout(self.pacing.answer, quietly(asked)).await.unwrap_or_else(silent)
    }

    fn selector(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("metadata.name={name}"))
    }

    fn watch_params(&self) -> WatchParams {
        let seconds = u32::try_from(self.pacing.watch.as_secs()).unwrap_or(u32::MAX).max(1);
        WatchParams {
            field_selector: self.selector(),
            timeout: Some(seconds),
            ..WatchParams::default()
        }
    }

    fn publish(&self, objects: &BTreeMap<String, T>) {
        self.board.update(|view| {
            *(self.feed)(view) =
                Feed { state: ClusterState::Watching, objects: Some(objects.clone()) }
        });
    }

    /// Says that there is no watch, and forgets what was known when it may no longer be true.
    fn report_loss(&self, state: ClusterState, age: Duration) {
        let keep = matches!(state, ClusterState::Unreachable { .. }) && age < self.pacing.keep;
        self.board.update(|view| {
            let feed = (self.feed)(view);
            feed.state = state;
            if !keep {
                feed.objects = None;
            }
        });
    }
}

/// Without what kube itself logs: it tells of every failed try as an error, where the board tells
/// of each change once.
fn quietly<F: Future>(asked: F) -> impl Future<Output = F::Output> {
    asked.with_subscriber(Dispatch::none())
}

impl<T> Listed<T> {
    fn advance<K: Resource>(&mut self, object: &K) {
        if let Some(version) = object.resource_version() {
            self.version = version;
        }
    }
}
