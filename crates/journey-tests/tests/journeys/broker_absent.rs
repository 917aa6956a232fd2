//! Units that are started before their broker.

use embedded_broker::{Broker, BrokerConfig};
use journey_tests::{
    Admin, Client, StoppedKafka, Turn, UnitProcess, kafka_to_stop, photo, suite_config,
};
use mlvi::suite::{SuiteConfig, UnitKind};
use ports::ReservedPort;
use std::array;
use std::net::SocketAddr;

/// HTTP, and an admin port for each unit.
const PORTS: usize = 1 + UnitKind::COUNT;

/// The broker that comes later.
enum Late {
    Embedded(SocketAddr),
    Kafka(String),
}

/// The four units, a process each, and where the web-server takes frames; HTTP's
/// address comes first.
fn start_all(
    config: &SuiteConfig,
    brokers: &str,
    [http, admins @ ..]: [SocketAddr; PORTS],
) -> (Vec<UnitProcess>, Client) {
    let start = |kind: UnitKind| {
        let admin = admins[kind as usize];
        let mut settings = config.settings.clone();
        let own = config.unit_settings.iter().filter(|(of, _, _)| *of == kind);
        settings.extend(own.map(|(_, name, value)| (name.clone(), value.clone())));
        settings.push(("MLVI_BROKERS".into(), brokers.to_owned()));
        settings.push(("MLVI_HTTP_LISTEN".into(), http.to_string()));
        UnitProcess::start(kind, Admin(admin), settings)
    };
    (UnitKind::ALL.map(start).into(), Client::new(http))
}

async fn absent_at_the_start(late: Late) {
    let _turn = Turn::come().await;
    let dir = tempfile::tempdir().unwrap();
    let (config, brokers, stopped) = match &late {
        Late::Embedded(address) => (suite_config(None, dir.path()), address.to_string(), None),
        Late::Kafka(address) => (
            suite_config(Some(address), dir.path()),
            address.clone(),
            Some(StoppedKafka::stop(address).await),
        ),
    };
    let ports: [ReservedPort; PORTS] = array::from_fn(|_| ReservedPort::loopback().unwrap());
    let addresses = ports.each_ref().map(ReservedPort::address);
    let (units, client) = start_all(&config, &brokers, addresses);
    for unit in &units {
        // not at once: the first question to the broker may still be open
        unit.admin.becomes(503, &format!("not ready  broker: {brokers}")).await;
        let logged = unit.logs(&["the broker is away", &brokers]).await;
        assert!(logged.contains("WARN"), "{logged}");
        unit.logs(&["waiting for the broker to have the topics", &brokers]).await;
        assert!(
            unit.admin.is_alive().await,
            "{} waits, and that is no reason to end it",
            unit.kind
        );
    }
    let asking = client.clone();
    let refused = tokio::task::spawn_blocking(move || {
        asking.post("/inference", &photo("coffee.jpg")).unwrap()
    })
    .await
    .unwrap();
    assert_eq!((refused.status, &refused.body["status"]), (503, &503.into()), "{refused:?}");

    let broker = match (late, stopped) {
        (Late::Embedded(listen), _) => Some(
            Broker::start(BrokerConfig { listen, ..BrokerConfig::new(dir.path()) }).await.unwrap(),
        ),
        (Late::Kafka(_), Some(stopped)) => {
            stopped.resume().await;
            None
        }
        (Late::Kafka(_), None) => unreachable!("it was stopped above"),
    };
    for unit in &units {
        unit.admin.becomes(200, "").await;
        unit.logs(&["the broker answers", &brokers]).await;
    }
    let answer = tokio::task::spawn_blocking(move || {
        client.post("/inference?wait=60s", &photo("coffee.jpg")).unwrap()
    });
    let found = answer.await.unwrap().result().unwrap();
    assert!(found.detections.iter().any(|found| found.class == "cup"), "{found:?}");
    for unit in units {
        let kind = unit.kind;
        let status = unit.terminate().await;
        assert!(status.success(), "{kind}: {status}");
    }
    if let Some(broker) = broker {
        broker.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_wait_for_a_broker_that_is_not_there_and_say_so() {
    let port = ReservedPort::loopback().unwrap();
    absent_at_the_start(Late::Embedded(port.address())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_wait_for_an_absent_apache_kafka() {
    if let Some(address) = kafka_to_stop() {
        absent_at_the_start(Late::Kafka(address)).await;
    }
}
