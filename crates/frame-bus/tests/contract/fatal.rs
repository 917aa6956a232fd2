//! A producer that has failed for good, on librdkafka's own played broker: it can refuse on demand.

use crate::site::{outgoing, soon};
use anyhow::{Context, Result};
use frame_bus::{Bus, BusConfig, Cleanup, Readiness, TopicSpec};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_producer_is_replaced_before_the_bus_is_ready() -> Result<()> {
    let broker = MockCluster::new(1)?;
    broker.create_topic("t", 1, 1)?;
    // the first producer, and the one that takes its place
    broker.request_errors(RDKafkaApiKey::InitProducerId, &[REFUSED, REFUSED]);
    let bus = Bus::open(BusConfig::new(broker.bootstrap_servers(), "fatal"))?;
    let mut state = bus.state();
    let spec = TopicSpec {
        name: "t".into(),
        partitions: 1,
        cleanup: Cleanup::Delete { retention: Duration::from_secs(60), retention_bytes: None },
    };
    assert!(soon(bus.topics_in_place(&[spec], &CancellationToken::new(), |_| ())).await?);
    let told = |state: &Readiness| {
        state
            .as_ref()
            .is_err_and(|unready| unready.to_string().contains("may not write to any topic"))
    };
    soon(state.wait_for(told)).await.context("it is told that it may not write")??;
    soon(state.wait_for(Result::is_ok)).await.context("the bus becomes usable")??;
    // the first message that is sent goes out
    let sent = soon(bus.send(outgoing("t", "k", "x"))).await?;
    assert!(sent.is_ok(), "{sent:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_outlives_a_failed_producer() -> Result<()> {
    let broker = MockCluster::new(1)?;
    broker.create_topic("t", 1, 1)?;
    broker.request_errors(RDKafkaApiKey::InitProducerId, &[REFUSED]);
    // nobody checks the producer of a bus that needs no topic
    let bus = Bus::open(BusConfig::new(broker.bootstrap_servers(), "fatal"))?;
    soon(bus.state().wait_for(Result::is_ok)).await??;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = soon(bus.send(outgoing("t", "k", "x"))).await?;
    assert!(sent.is_ok(), "{sent:?}");
    Ok(())
}
