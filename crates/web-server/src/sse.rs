//! Results as server-sent events.
//!
//! A stream is a position in the store's ring, and reads on as fast as its client takes: there is
//! no queue per client. A client that falls behind by more than the ring holds gets the event
//! `lagged`.

use crate::app::App;
use crate::jobs::{Finished, Slice};
use axum::response::sse::Event;
use frame::CameraId;
use futures_util::Stream;
use futures_util::stream::unfold;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How many results are taken from the store at once.
const BATCH: usize = 32;

/// One client's reading.
pub(crate) struct Reader {
    app: Arc<App>,
    camera: Option<CameraId>,
    clip: bool,
    position: u64,
    head: watch::Receiver<u64>,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
    _open: Open,
}

/// Counts a stream while it is open.
struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Reader {
    /// Reads on from `position`.
    pub(crate) fn new(
        app: Arc<App>,
        camera: Option<CameraId>,
        position: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let open = app.metrics.streams.clone();
        open.inc();
        let head = app.store.head();
        Self {
            app,
            camera,
            clip: false,
            position,
            head,
            ready: VecDeque::new(),
            _permit: permit,
            _open: Open(open),
        }
    }

    /// Says first that results may be missing and nobody knows how many.
    pub(crate) fn with_gap(mut self) -> Self {
        self.ready.push_back(lagged(None));
        self
    }

    /// With boxes cut to the picture, or as they are.
    pub(crate) fn clipping(self, clip: bool) -> Self {
        Self { clip, ..self }
    }

    /// The events; ends at shutdown.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(
            self,
            |mut reader| async move { reader.next().await.map(|event| (Ok(event), reader)) },
        )
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.app.shutdown.is_cancelled() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            // marked before reading, so that a result that comes in between wakes us again
            self.head.mark_unchanged();
            let Slice { missed, results, next } =
                self.app.store.read(self.position, self.camera.as_ref(), BATCH);
            let moved = next != self.position;
            self.position = next;
            if missed > 0 {
                self.app.metrics.lagged.inc_by(missed);
                self.ready.push_back(lagged(Some(missed)));
            }
            self.ready.extend(results.iter().map(|found| event(&found.clipped_if(self.clip))));
            if !moved {
                let shutdown = self.app.shutdown.clone();
                tokio::select! {
                    changed = self.head.changed() => changed.ok()?,
                    () = shutdown.cancelled() => return None,
                }
            }
        }
    }
}

/// A provisional result has no id: a client that comes back names the last final one, and misses
/// nothing behind it.
fn event(finished: &Finished) -> Event {
    let event = if finished.status.is_final() {
        Event::default().event("result").id(finished.frame_id.to_string())
    } else {
        Event::default().event("provisional")
    };
    event.data(&finished.json)
}

/// `missed` counts results of all cameras; `null` when nobody knows.
fn lagged(missed: Option<u64>) -> Event {
    Event::default().event("lagged").data(serde_json::json!({ "missed": missed }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;
    use crate::testing::{app, call};
    use axum::body::{Body, BodyDataStream};
    use axum::http::Request;
    use frame::{FrameId, Timestamp};
    use futures_util::StreamExt;

    struct Client(BodyDataStream);

    impl Client {
        async fn connect(app: &Arc<App>, query: &str, last_seen: Option<&str>) -> Self {
            let mut request = Request::get(format!("/results{query}"));
            if let Some(id) = last_seen {
                request = request.header("last-event-id", id);
            }
            let response =
                call(&crate::routes::router(app.clone()), request.body(Body::empty()).unwrap())
                    .await;
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            Self(response.into_body().into_data_stream())
        }

        /// The next event as text; `None` at the stream's end.
        async fn next(&mut self) -> Option<String> {
            let chunk = self.0.next().await?.unwrap();
            Some(String::from_utf8(chunk.to_vec()).unwrap())
        }

        async fn expect(&mut self, id: FrameId) {
            let event = self.next().await.unwrap();
            assert!(
                event.starts_with("event: result\n") && event.contains(&format!("\nid: {id}\n")),
                "{event}"
            );
        }
    }

    fn finish(app: &App, camera: &str, sequence: u64) -> FrameId {
        let result = samples::done(camera, sequence);
        app.store.finish(Finished::new(&result, None), Timestamp::now());
        result.frame_id
    }

    #[tokio::test]
    async fn a_stream_begins_with_what_comes_after_it_was_opened() {
        let app = app(&[]);
        finish(&app, "gate", 1);
        let (mut all, mut yard) = (
            Client::connect(&app, "", None).await,
            Client::connect(&app, "?camera=yard", None).await,
        );
        let ids = [finish(&app, "gate", 2), finish(&app, "yard", 1), finish(&app, "yard", 2)];
        for id in ids {
            all.expect(id).await;
        }
        yard.expect(ids[1]).await;
        yard.expect(ids[2]).await;
        assert_eq!(app.metrics.streams.get(), 2);
        drop((all, yard));
        assert_eq!(app.metrics.streams.get(), 0);
    }

    #[tokio::test]
    async fn an_event_is_one_line_of_json() {
        let app = app(&[]);
        let mut client = Client::connect(&app, "", None).await;
        let id = finish(&app, "gate", 3);
        let event = client.next().await.unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let result: frame::FrameResult = serde_json::from_str(data).unwrap();
        assert_eq!((result.frame_id, result.sequence), (id, 3));
        assert!(event.ends_with("\n\n"));
    }

    #[tokio::test]
    async fn a_provisional_result_is_an_event_of_its_own_without_an_id() {
        let app = app(&[]);
        let mut client = Client::connect(&app, "?camera=gate", None).await;
        let first = finish(&app, "gate", 1);
        client.expect(first).await;
        let id = FrameId::fresh();
        let provisional = samples::provisional_for(id, "gate", 2);
        app.store.hold(Finished::new(&provisional, None), Timestamp::now());
        let event = client.next().await.unwrap();
        assert!(event.starts_with("event: provisional\n") && !event.contains("\nid:"), "{event}");
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert_eq!(serde_json::from_str::<frame::FrameResult>(data).unwrap(), provisional);
        app.store.finish(Finished::new(&samples::done_for(id, "gate", 2), None), Timestamp::now());
        client.expect(id).await;

        // who comes back with the last final result gets everything behind it
        let mut resumed = Client::connect(&app, "", Some(&first.to_string())).await;
        assert!(resumed.next().await.unwrap().starts_with("event: provisional\n"));
        resumed.expect(id).await;
    }

    #[tokio::test]
    async fn a_stream_resumes_behind_the_last_event_that_was_seen() {
        let app = app(&[]);
        let ids = [finish(&app, "gate", 1), finish(&app, "gate", 2), finish(&app, "gate", 3)];
        let mut client = Client::connect(&app, "", Some(&ids[0].to_string())).await;
        client.expect(ids[1]).await;
        client.expect(ids[2]).await;
    }

    #[tokio::test]
    async fn resuming_behind_what_is_no_longer_held_says_so() {
        let app = app(&[("MLVI_MAX_JOBS", "10")]);
        let ids: Vec<FrameId> = (0..12).map(|n| finish(&app, "gate", n)).collect();
        for last_seen in [ids[0].to_string(), FrameId::fresh().to_string(), "no id".into()] {
            let mut client = Client::connect(&app, "", Some(&last_seen)).await;
            assert_eq!(client.next().await.unwrap(), "event: lagged\ndata: {\"missed\":null}\n\n");
            client.expect(ids[2]).await;
        }
    }

    #[tokio::test]
    async fn a_slow_client_is_told_how_many_it_missed() {
        let app = app(&[("MLVI_MAX_JOBS", "10")]);
        let mut client = Client::connect(&app, "", None).await;
        let ids: Vec<FrameId> = (0..25).map(|n| finish(&app, "gate", n)).collect();
        assert_eq!(client.next().await.unwrap(), "event: lagged\ndata: {\"missed\":15}\n\n");
        client.expect(ids[15]).await;
    }

    #[tokio::test]
    async fn streams_are_bounded_and_end_at_shutdown() {
        let app = app(&[("MLVI_MAX_STREAMS", "1")]);
        let mut client = Client::connect(&app, "", None).await;
        let router = crate::routes::router(app.clone());
        let refused = call(&router, Request::get("/results").body(Body::empty()).unwrap()).await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        app.shutdown.cancel();
        assert_eq!(client.next().await, None);
        drop(client);
        assert_eq!(
            call(&router, Request::get("/results").body(Body::empty()).unwrap()).await.status(),
            200
        );
    }
}
