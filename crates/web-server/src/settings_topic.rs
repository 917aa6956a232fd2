//! Follows the settings topic, so that every replica can say what is set and what decides, and
//! knows which parts of pictures nobody may see.
//!
//! The unit works without the topic; whoever asks is told.

use crate::app::App;
use frame_bus::{BusError, Table, TableEvent};
use regions::Records;
use std::sync::Arc;
use std::time::Duration;

/// A client that has failed for good is made anew after this time.
const AGAIN: Duration = Duration::from_secs(2);

/// Makes the topic if it is not there and this user may, again and again until shutdown.
pub(crate) async fn look_after(app: Arc<App>) {
    let spec = frame_bus::settings_spec(&app.topics);
    let report = |outcome: Result<(), &BusError>| {
        let is_there = outcome.is_ok();
        app.metrics.settings_topic.set(i64::from(is_there));
        // any other error says nothing of the topic
        let is_known =
            matches!(outcome, Ok(()) | Err(BusError::Topic { .. } | BusError::NotAllowed { .. }));
        app.settings.topic_is_there(is_known.then_some(is_there));
        if is_known {
            app.regions.topic_is_there(is_there);
        }
    };
    app.bus.keep_optional_topic(&spec, &app.shutdown, report).await;
}

/// Follows it until shutdown.
pub(crate) async fn follow(app: Arc<App>) {
    while !app.shutdown.is_cancelled() {
        let error = match app.bus.table(&app.topics.settings) {
            Ok(mut table) => tokio::select! {
                error = read(&app, &mut table) => error,
                () = app.shutdown.cancelled() => return,
            },
            Err(error) => error,
        };
        tracing::error!(%error, "settings cannot be read, starting again");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

async fn read(app: &App, table: &mut Table) -> BusError {
    app.settings.read_anew();
    let mut records = Records::new(app.regions.clone());
    loop {
        match table.recv().await {
            Ok(TableEvent::Set { key, value, offset }) => {
                app.settings.take_in(key.clone(), &value, offset);
                records.set(&key, &value, offset);
            }
            Ok(TableEvent::Removed { key }) => {
                app.settings.remove(&key);
                records.removed(&key);
            }
            Ok(TableEvent::CaughtUp) => {
                app.settings.caught_up();
                records.caught_up().await;
                tracing::debug!("settings are read");
            }
            Err(error) => return error,
        }
    }
}
