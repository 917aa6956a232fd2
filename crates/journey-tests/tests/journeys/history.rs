//! What `results-store` keeps: every accepted frame's result, once.

use frame::{FrameId, FrameResult};
use journey_tests::{Journey, Traffic, kafka_to_stop};
use mlvi::suite::UnitKind;
use requires::postgres;
use results_db::{Access, Database, DatabaseUrl, Filter, Page};
use std::collections::HashSet;

/// The database of the journey's store.
fn database_of(journey: &Journey) -> DatabaseUrl {
    let settings = journey.suite.settings_of(UnitKind::ResultsStore);
    let url = settings.iter().rev().find(|(name, _)| name == "MLVI_DATABASE_URL");
    url.expect("a journey names its database").1.parse().unwrap()
}

async fn kept(url: &DatabaseUrl, accepted: &HashSet<FrameId>) {
    let database = Database::open(url, Access::Read).await.unwrap();
    let all = Page { limit: 1_000_000, after: None };
    let rows = database.history(Filter::default(), all).await.unwrap();
    let ids: HashSet<FrameId> = rows.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), rows.len(), "each frame once");
    let missing: Vec<_> = accepted.difference(&ids).collect();
    assert!(missing.is_empty(), "accepted and not kept: {missing:?}");
    for (id, json) in rows {
        let result: FrameResult = serde_json::from_str(&json).unwrap();
        assert!(result.frame_id == id && result.status.is_final(), "{json}");
    }
}

/// The store is killed under load, then it and the broker are stopped in turn.
async fn everything_is_kept(kafka: Option<String>, database: Option<String>) {
    let mut journey = Journey::start_on(kafka, |mut config| {
        if let Some(url) = database {
            config = config.with("MLVI_DATABASE_URL", url);
        }
        // a member that was killed is given up after its session timeout
        config.with("MLVI_KAFKA_SESSION_TIMEOUT", "6s").with("MLVI_POLICY", "alternate")
    })
    .await;
    let url = database_of(&journey);
    let process = journey.instead_as_process(UnitKind::ResultsStore, &[]).await;
    let (traffic, groups) = (Traffic::start(&journey, 4, 40).await, journey.groups());
    traffic.results(20).await;
    process.kill();
    traffic.more_results(10).await;
    journey.suite.start_unit(UnitKind::ResultsStore).await.unwrap();
    traffic.more_results(10).await;
    journey.suite.stop_unit(UnitKind::ResultsStore).await.unwrap();
    journey.suite.start_unit(UnitKind::ResultsStore).await.unwrap();
    journey.stop_broker().await;
    journey.start_broker().await;
    traffic.more_results(20).await;
    let ended = traffic.end().await;
    groups.finished(UnitKind::ResultsStore).await;
    kept(&url, &ended.accepted).await;
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_result_is_kept_once_in_sqlite() {
    everything_is_kept(None, None).await;
}

/// A database of this test's own on the server.
async fn fresh(server: &str) -> String {
    let (host, _) = server.rsplit_once('/').unwrap();
    let name = format!("mlvi_journey_{}", std::process::id());
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    format!("{host}/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_result_is_kept_once_in_postgresql_over_apache_kafka() {
    let (Some(server), Some(kafka)) = (postgres(), kafka_to_stop()) else { return };
    let url = fresh(&server).await;
    everything_is_kept(Some(kafka), Some(url)).await;
}
