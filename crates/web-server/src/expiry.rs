//! Ends the wait for frames that got no final result, and forgets old results.

use crate::app::App;
use frame::headers::{ORIGIN_OFFSET, ORIGIN_PARTITION};
use frame::{Envelope, FrameResult, Origin, Problem, ResultMessage, Status, Timestamp, TimingsMs};
use frame_bus::{Outgoing, SendError};
use std::sync::Arc;
use std::time::Duration;
use unit::Heartbeat;
use unit::traces::Span;

/// How often the store is checked. The tests shorten the job's timeout, not this.
const EVERY: Duration = Duration::from_millis(500);

/// Runs until shutdown.
pub(crate) async fn watch(app: Arc<App>, heartbeat: Heartbeat) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        heartbeat.beat();
        let now = Timestamp::now();
        app.store.forget_old(now);
        app.metrics.expected_wait.set(app.room.expected_wait_s().unwrap_or(f64::NAN));
        app.metrics.jobs_held.set(i64::try_from(app.store.finals()).unwrap_or(i64::MAX));
        let timeout_us = u64::try_from(app.limits.job_timeout.as_micros()).unwrap_or(u64::MAX);
        for (envelope, origin) in
            app.store.overdue(Timestamp::from_micros(now.as_micros().saturating_sub(timeout_us)))
        {
            // the broker is away: they stay pending, and nothing new is accepted meanwhile
            if app.check_bus().is_err() {
                break;
            }
            heartbeat.beat();
            match expire(&app, &envelope, origin).await {
                Ok(status) => {
                    app.store.expires(envelope.frame_id);
                    if status == Status::Done {
                        app.metrics.promoted.inc();
                    }
                }
                Err(error) => {
                    tracing::warn!(frame_id = %envelope.frame_id, %error, "cannot say that the \
                        frame has expired");
                    break;
                }
            }
        }
    }
}

/// Says it on the results topic, where a late result of the frame would stand, too: every replica
/// shows whichever was first. When there is a provisional result, it becomes the final one. Gives
/// the status that was said.
async fn expire(app: &App, envelope: &Envelope, origin: Origin) -> Result<Status, SendError> {
    let limit = humantime::format_duration(app.limits.job_timeout);
    let provisional =
        app.store.provisional(envelope.frame_id).and_then(|provisional| provisional.promoted());
    let answered = provisional.is_some();
    tracing::warn!(frame_id = %envelope.frame_id, camera = %envelope.camera, trace_id = envelope.traceparent.trace_id(), timeout = %limit, answered, "no final result came");
    let result = provisional.unwrap_or_else(|| {
        let problem = Problem::new(
            504,
            "no-result",
            "No result came",
            format!("no result came within {limit} (MLVI_JOB_TIMEOUT)"),
        );
        let timings = TimingsMs { upload: Some(envelope.upload.upload_ms), ..TimingsMs::default() };
        FrameResult {
            status: Status::Expired,
            ..envelope.failed(problem, app.identity.clone(), timings)
        }
    });
    let status = result.status;
    let message = ResultMessage::of(envelope, result);
    let ResultMessage { key, mut headers, traceparent, result } = message;
    headers.push((ORIGIN_PARTITION.into(), origin.partition.to_string().into_bytes()));
    headers.push((ORIGIN_OFFSET.into(), origin.offset.to_string().into_bytes()));
    let out =
        Outgoing { topic: app.topics.results.clone(), key, headers, payload: result.to_json() };
    let since = Timestamp::now();
    app.bus.send(out).await?;
    if let Some(context) = traceparent {
        app.traces.keep(envelope.frame_id, context, || {
            let within = Some(envelope.traceparent.span_id());
            Span::of_sending(&app.topics.results, context, within, since)
                .of_frame(envelope.frame_id, &envelope.camera)
                .with("status", status.as_str())
        });
    }
    Ok(status)
}
