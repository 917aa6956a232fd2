//! The task that keeps the views going.

use super::views::Due;
use super::{Purpose, Subject, make};
use crate::app::App;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::pending;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// How many pictures are on the way at once: one is read while others are drawn.
pub(super) const AT_ONCE: usize = 4;

/// Has pictures made of what is watched, as results come, until shutdown.
pub(crate) async fn drive(app: Arc<App>) {
    let views = app.pictures.views.clone();
    let (mut head, mut masks) = (app.store.head(), app.regions.changes());
    let (mut making, mut was_watched) = (FuturesUnordered::new(), false);
    loop {
        // marked before looking, so that a result that comes in between wakes us again
        head.mark_unchanged();
        let free = AT_ONCE - making.len();
        let (due, next) = views.due(&app.store, Instant::now(), free);
        making.extend(due.into_iter().map(|due| made(&app, due)));
        let (count, viewers) = views.count();
        app.metrics.watched(count, viewers);
        if was_watched && count == 0 {
            app.pictures.recent.clear();
        }
        was_watched = count > 0;
        let alarm = async {
            match next {
                Some(moment) => sleep_until(moment).await,
                None => pending().await,
            }
        };
        tokio::select! {
            // without a view it does not matter what comes
            changed = head.changed(), if count > 0 => if changed.is_err() { return },
            () = views.changed() => {}
            changed = masks.changed() => {
                if changed.is_err() {
                    return;
                }
                views.forget();
            }
            Some(()) = making.next(), if !making.is_empty() => {}
            () = alarm => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

async fn made(app: &Arc<App>, Due { key, position, result, generation }: Due) {
    let subject = Subject { id: result.frame_id, origin: result.origin(), result: Some(result) };
    let outcome = make(app, subject, key.1, Purpose::Camera).await;
    if let Err(refusal) = &outcome {
        tracing::debug!(camera = %key.0, %refusal, "no picture of a watched camera");
    }
    app.pictures.views.made(&key, (position, generation), outcome, Instant::now());
}
