//! Whether a connection is at work on a request, from its head to the last byte of the answer's
//! body.

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// The requests of one connection that are worked on; clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<AtomicUsize>);

/// A request that is worked on, until this is dropped.
#[derive(Debug)]
pub(super) struct Work(Phase);

impl Phase {
    pub(super) fn begin(&self) -> Work {
        self.0.fetch_add(1, Ordering::AcqRel);
        Work(self.clone())
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The response, whose body keeps the work going while it is sent.
pub(super) fn until_sent(response: Response, work: Work) -> Response {
    response.map(|body| Body::new(Sending { body, _work: work }))
}

struct Sending {
    body: Body,
    _work: Work,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
