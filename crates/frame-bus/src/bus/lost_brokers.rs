//! Clients that have lost every broker are replaced, and nothing is missed.

use crate::bus::Bus;
use crate::client::handoff::Handoff;
use crate::config::BusConfig;
use crate::config::topics::{Cleanup, TopicSpec};
use crate::health::broker::Link;
use crate::message::Outgoing;
use crate::receive::consumer::ConsumerOptions;
use crate::receive::delivery::Delivery;
use crate::tail::event::Step;
use crate::tail::thread::Follower;
use embedded_broker::{Broker, BrokerConfig};
use frame::Timestamp;
use rdkafka::consumer::Consumer as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);
const TOPIC: &str = "t";

struct Stand {
    config: BusConfig,
    bus: Bus,
    _broker: Broker,
    _dir: TempDir,
}

impl Stand {
    /// A broker with a topic of one partition.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
        let config = BusConfig {
            session_timeout: Duration::from_secs(6),
            ..BusConfig::new(broker.address().to_string(), "lost")
        };
        let bus = Bus::open(config.clone()).unwrap();
        bus.ensure_topics(&[spec()], &CancellationToken::new()).await.unwrap();
        Self { config, bus, _broker: broker, _dir: dir }
    }

    async fn send(&self, payload: &str) {
        let message = Outgoing {
            topic: TOPIC.into(),
            key: "k".into(),
            headers: Vec::new(),
            payload: payload.as_bytes().to_vec(),
        };
        tokio::time::timeout(PATIENCE, self.bus.send(message)).await.unwrap().unwrap();
    }
}

fn spec() -> TopicSpec {
    TopicSpec {
        name: TOPIC.into(),
        partitions: 1,
        cleanup: Cleanup::Delete { retention: Duration::from_secs(3600), retention_bytes: None },
    }
}

fn payload(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.message.payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_with_a_fresh_client_and_gets_what_was_not_finished_again() {
    let stand = Stand::new().await;
    let options = ConsumerOptions { group: "g".into(), topic: TOPIC.into(), max_in_flight: 9 };
    let mut consumer = stand.bus.consumer(options).unwrap();
    for number in ["1", "2"] {
        stand.send(number).await;
    }
    let first = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
    let second = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
    assert_eq!((payload(&first), payload(&second)), ("1", "2"));
    first.ack.done();
    let lost = {
        let client = consumer.client.borrow().unwrap();
        client.context().log.brokers().lose();
        Arc::as_ptr(&client)
    };
    let is_lost = || consumer.client.borrow().is_some_and(|now| Arc::as_ptr(&now) == lost);
    let began = Instant::now();
    while is_lost() {
        assert!(began.elapsed() < PATIENCE, "the client is not replaced");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stand.send("3").await;
    let mut again = Vec::new();
    while again.last().is_none_or(|last| last != "3") {
        let delivery = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
        again.push(payload(&delivery).to_owned());
        delivery.ack.done();
    }
    // the first one may have been committed before
    assert!(["1", "2", "3"].ends_with(&again.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(again.len() > 1, "{again:?}");
    assert!(!second.ack.is_current(), "it comes from an assignment that is lost");
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_goes_on_where_it_was() {
    let stand = Stand::new().await;
    let handoff = Arc::new(Handoff::new(1));
    let link = Arc::<Link>::default();
    let (since, taken) = (Timestamp::from_micros(0), Arc::clone(&handoff));
    let follower = Follower::new(&stand.config, &link, TOPIC, Some(since), taken).unwrap();
    let brokers = follower.known_brokers();
    let thread = std::thread::spawn(move || follower.run());
    let mut seen = Vec::new();
    for number in 0..4 {
        stand.send(&number.to_string()).await;
        if number == 2 {
            brokers.lose();
        }
        while seen.len() <= number {
            let event = tokio::time::timeout(PATIENCE, handoff.take()).await.unwrap().unwrap();
            if let Step::Message(message) = event {
                seen.push(String::from_utf8(message.payload).unwrap());
            }
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3"], "none is missed, and none comes twice");
    handoff.close();
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_and_a_client_that_asks_are_replaced() {
    let stand = Stand::new().await;
    stand.send("before").await;
    let clients = Arc::clone(&stand.bus.inner.clients);
    let (asking, asks_for_lag) = (clients.inquirer(), stand.bus.lag("g", TOPIC));
    asks_for_lag.await.unwrap();
    let of_lag = clients.lag_inquirer(&stand.config, &Arc::default(), "g").unwrap();
    for client in [&asking, &of_lag] {
        client.client().context().brokers().lose();
    }
    clients.producer.lose_brokers();
    let unready = clients.producer.check(None).unwrap_err();
    assert!(unready.to_string().contains("lost every broker"), "{unready}");
    clients.replace_lost();
    assert!(!Arc::ptr_eq(&asking, &clients.inquirer()));
    stand.send("after").await;
    assert_eq!(stand.bus.lag("g", TOPIC).await.unwrap().messages, 2);
    let fresh = clients.lag_inquirer(&stand.config, &Arc::default(), "g").unwrap();
    assert!(!Arc::ptr_eq(&of_lag, &fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_to_make_topics_goes_on_with_the_fresh_client() {
    let nobody = ports::ReservedPort::loopback().unwrap();
    let bus = Bus::open(BusConfig::new(nobody.address().to_string(), "lost")).unwrap();
    let (specs, shutdown) = ([spec()], CancellationToken::new());
    let mut making = std::pin::pin!(bus.ensure_topics(&specs, &shutdown));
    let began = tokio::time::timeout(Duration::from_millis(50), making.as_mut()).await;
    assert!(began.is_err(), "nobody answers");
    let asking = bus.inner.clients.inquirer();
    asking.client().context().brokers().lose();
    let lost = Arc::downgrade(&asking);
    drop(asking);
    let began = Instant::now();
    while lost.strong_count() > 0 {
        assert!(began.elapsed() < PATIENCE, "the maker, or somebody else, still holds it");
        let goes_on = tokio::time::timeout(Duration::from_millis(10), making.as_mut()).await;
        assert!(goes_on.is_err(), "it waits for a broker");
    }
}
