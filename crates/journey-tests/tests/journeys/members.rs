//! Replicas that join and leave under load.

use journey_tests::{Admin, Journey, Member, Traffic, in_order_per_camera, kafka};
use mlvi::suite::{SuiteConfig, UnitKind};
use std::collections::HashSet;

const WORKING: [UnitKind; 2] = [UnitKind::Preprocessor, UnitKind::EdgeInference];
const MEMBERS: usize = 4;
/// How many frames a member may have in hand.
const IN_HAND: usize = 2;

fn pod(index: usize) -> String {
    format!("pod-{index}")
}

fn replicated(config: SuiteConfig, partitions: usize) -> SuiteConfig {
    config
        .with("MLVI_POLICY", "edge-only")
        .with("MLVI_PARTITIONS", partitions)
        .with("MLVI_MAX_IN_FLIGHT", IN_HAND)
        .with("POD_NAME", pod(0))
}

async fn four_members_on(kafka: Option<String>) {
    let mut journey = Journey::start_on(kafka, |config| replicated(config, 2 * MEMBERS)).await;
    // so many cameras that every partition has some
    let traffic = Traffic::start(&journey, 8 * MEMBERS, 8 * MEMBERS).await;
    traffic.results(5).await;
    let mut members = Vec::new();
    for index in 1..MEMBERS {
        for kind in WORKING {
            members.push((kind, index, journey.join(kind, &pod(index)).await));
        }
        let (_, _, preprocessor) = &members[members.len() - 2];
        preprocessor.admin.metric_reaches("mlvi_preprocessor_frames_total", 5.0).await;
        traffic
            .until(&format!("{} to work", pod(index)), |seen| {
                seen.iter().any(|r| r.served_by.pod == Some(pod(index)))
            })
            .await;
    }
    // all but the last leave again, those of the suite first
    for kind in WORKING {
        journey.suite.stop_unit(kind).await.unwrap();
    }
    traffic.more_results(10).await;
    while members.len() > WORKING.len() {
        let (_, _, member) = members.remove(0);
        member.leave().await;
        traffic.more_results(5).await;
    }
    let ended = traffic.end().await;
    in_order_per_camera(&ended);
    let groups = journey.groups();
    for kind in WORKING {
        groups.finished(kind).await;
    }
    // whenever a member comes or goes, each of the others may lose a partition while it has frames
    // of it in hand
    let at_most = WORKING.len() * IN_HAND * (1..MEMBERS).map(|others| 2 * others).sum::<usize>();
    let duplicates = Admin(journey.suite.admin(UnitKind::WebServer))
        .metric("mlvi_results_duplicate_total")
        .await;
    assert!(
        duplicates <= at_most as f64,
        "{duplicates} results of {} came twice, at most {at_most} may",
        ended.seen.len()
    );
    for (_, _, member) in members {
        member.leave().await;
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_members_join_and_leave_under_load() {
    four_members_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_members_join_and_leave_under_load_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        four_members_on(some).await;
    }
}

/// One partition and three members: one works, the others stand by and take over.
async fn more_members_than_partitions_on(kafka: Option<String>) {
    let mut journey = Journey::start_on(kafka, |config| replicated(config, 1)).await;
    let traffic = Traffic::start(&journey, 4, 10).await;
    let mut members: Vec<Option<Member>> = vec![None];
    for index in 1..3 {
        members.push(Some(journey.join(UnitKind::EdgeInference, &pod(index)).await));
    }
    let mut gone = HashSet::new();
    for _ in 0..2 {
        traffic.more_results(10).await;
        for member in members.iter().flatten() {
            // whoever has no partition is as ready as the others
            member.admin.becomes(200, "").await;
            assert!(member.admin.is_alive().await);
        }
        let working = traffic.latest_pod().unwrap();
        let index = (0..members.len()).find(|index| pod(*index) == working).unwrap();
        match members[index].take() {
            Some(member) => member.leave().await,
            None => journey.suite.stop_unit(UnitKind::EdgeInference).await.unwrap(),
        }
        assert!(gone.insert(working), "whoever has left gives no results: {gone:?}");
        traffic
            .until("another member to take over", |seen| {
                seen.last()
                    .and_then(|result| result.served_by.pod.as_ref())
                    .is_some_and(|pod| !gone.contains(pod))
            })
            .await;
    }
    traffic.more_results(10).await;
    let ended = traffic.end().await;
    in_order_per_camera(&ended);
    journey.groups().finished(UnitKind::EdgeInference).await;
    for member in members.into_iter().flatten() {
        member.leave().await;
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_members_than_partitions_stand_by() {
    more_members_than_partitions_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_members_than_partitions_stand_by_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        more_members_than_partitions_on(some).await;
    }
}
