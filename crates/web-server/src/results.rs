//! Reads every partition of the results topic into the store.
//!
//! Every replica does so by itself, without a group: whichever replica a client asks, it knows the
//! result.

use crate::app::App;
use crate::config::Limits;
use crate::jobs::{Finished, Stored};
use frame::{FrameId, FrameResult, Origin, Status, Timestamp, TraceParent, headers};
use frame_bus::{Message, Tail, TailEvent};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::Condition;
use unit::traces::Span;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);

/// Follows the topic, from the moment on at which the topics are `found`, until shutdown.
/// `caught_up` holds as soon as everything older has been read.
pub(crate) async fn follow(app: Arc<App>, found: CancellationToken, caught_up: Condition) {
    tokio::select! {
        () = found.cancelled() => {}
        () = app.shutdown.cancelled() => return,
    }
    while !app.shutdown.is_cancelled() {
        let since = Timestamp::from_micros(
            Timestamp::now().as_micros().saturating_sub(window_us(&app.limits)),
        );
        let error = match app.bus.tail(&app.topics.results, since) {
            Ok(mut tail) => tokio::select! {
                error = read(&app, &mut tail, &caught_up) => error,
                () = app.shutdown.cancelled() => return,
            },
            Err(error) => error,
        };
        tracing::error!(%error, "results cannot be read, starting again");
        caught_up.not_ready(error.to_string());
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

/// How far back is read, in microseconds: as long as results are kept, and as long again as a final
/// result may come behind its provisional one, so that both are read or none.
fn window_us(limits: &Limits) -> u64 {
    u64::try_from(limits.job_ttl.saturating_add(limits.job_timeout).as_micros()).unwrap_or(u64::MAX)
}

async fn read(app: &App, tail: &mut Tail, caught_up: &Condition) -> frame_bus::BusError {
    loop {
        match tail.recv().await {
            Ok(TailEvent::Message(message)) => take_in(app, &message),
            Ok(TailEvent::CaughtUp) => {
                tracing::info!(results = app.store.len(), "older results are read");
                app.has_caught_up();
                caught_up.ready();
            }
            Err(error) => return error,
        }
    }
}

fn take_in(app: &App, message: &Message) {
    let began = Timestamp::now();
    let result: FrameResult = match serde_json::from_slice(&message.payload) {
        Ok(result) => result,
        Err(error) => {
            let (partition, offset) = (message.partition, message.offset);
            tracing::warn!(partition, offset, %error, "passed over a message that is no result");
            app.metrics.unreadable_results.inc();
            return;
        }
    };
    let made_at = message.timestamp_ms.and_then(|ms| u64::try_from(ms).ok());
    let made_at =
        made_at.map_or_else(Timestamp::now, |ms| Timestamp::from_micros(ms.saturating_mul(1000)));
    let trace: Option<TraceParent> = header(message, headers::TRACEPARENT);
    let held = Finished::new(&result, origin(message)).traced(trace);
    let before = app.store.newest(&result.camera);
    let outcome = if result.status.is_final() {
        app.store.finish(held, made_at)
    } else {
        app.store.hold(held, made_at)
    };
    match outcome {
        Stored::Duplicate => {
            app.metrics.duplicates.inc();
        }
        Stored::TooOld => {}
        Stored::First { status, received_at } => {
            if status == Status::Provisional {
                app.metrics.provisional.inc();
            } else if status != result.status {
                app.metrics.promoted.inc();
            }
            if status != Status::Provisional {
                app.answered(received_at.is_some());
            }
            app.stats.count(&result, status, made_at);
            if app.check_caught_up().is_ok()
                && let Some(age_ms) = peak_age_ms(&result, before, made_at)
            {
                app.metrics.age_of_information.observe(age_ms / 1000.0);
            }
            if let Some(received_at) = received_at {
                let exemplar = trace.and_then(|trace| app.traces.exemplar(trace));
                let seconds = Timestamp::now().ms_since(received_at) / 1000.0;
                app.metrics.latency(status, seconds, exemplar);
                if let Some(sender) = trace.filter(|_| app.traces.are_on()) {
                    let context = app.traces.under(sender);
                    app.traces.keep(result.frame_id, context, || {
                        span(app, &result, context, sender, began)
                    });
                }
            }
            app.traces.outcome(&result);
        }
    }
}

/// A result that somebody here may wait for was read.
fn span(
    app: &App,
    result: &FrameResult,
    context: TraceParent,
    sender: TraceParent,
    began: Timestamp,
) -> Span {
    let decision = result.decision.as_ref();
    Span::of_message(&app.topics.results, context, sender, began)
        .of_frame(result.frame_id, &result.camera)
        .with("status", result.status.as_str())
        .with_known("destination", decision.map(|decision| decision.destination.as_str()))
        .with_known("reason", decision.map(|decision| decision.reason.clone()))
        .with_known("end_to_end_ms", result.timings_ms.end_to_end)
        .failed(result.error.as_ref().map(ToString::to_string))
}

/// How old what was known of the camera had become when this answer came, in milliseconds; `None`
/// when it is no answer, or of an older frame than the one `before`. That is the peak age of
/// information (M. Costa, M. Codreanu, A. Ephremides, *On the age of information in status update
/// systems with packet management*, 2016).
fn peak_age_ms(result: &FrameResult, before: Option<FrameId>, made_at: Timestamp) -> Option<f64> {
    let is_answer = match result.status {
        Status::Done | Status::Skipped | Status::Provisional => true,
        Status::Failed | Status::Expired => false,
    };
    let before = before.filter(|before| is_answer && *before < result.frame_id)?;
    // frames without a camera have nothing to do with each other
    let known_since = before.made_at_ms().filter(|_| !result.camera.is_unnamed())?;
    Some((made_at.as_micros() / 1000).saturating_sub(known_since) as f64)
}

/// Where the uploaded bytes stand, if the result's sender said so.
fn origin(message: &Message) -> Option<Origin> {
    Some(Origin {
        partition: header(message, headers::ORIGIN_PARTITION)?,
        offset: header(message, headers::ORIGIN_OFFSET)?,
    })
}

/// A header's value; of a repeated one the last counts.
fn header<T: FromStr>(message: &Message, name: &str) -> Option<T> {
    let (_, value) = message.headers.iter().rev().find(|(header, _)| header == name)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;

    #[test]
    fn the_age_is_that_of_what_was_known_before() {
        let old = FrameId::fresh();
        std::thread::sleep(Duration::from_millis(2));
        let result = samples::done("gate", 1);
        let made_at = Timestamp::from_micros((old.made_at_ms().unwrap() + 700) * 1000);
        assert_eq!(peak_age_ms(&result, Some(old), made_at), Some(700.0));
        assert_eq!(peak_age_ms(&result, None, made_at), None);
        assert_eq!(peak_age_ms(&result, Some(result.frame_id), made_at), None);
        let expired = FrameResult { status: Status::Expired, ..result.clone() };
        assert_eq!(peak_age_ms(&expired, Some(old), made_at), None);
        let unnamed = FrameResult { camera: frame::CameraId::unnamed(), ..result };
        assert_eq!(peak_age_ms(&unnamed, Some(old), made_at), None);
    }
}
