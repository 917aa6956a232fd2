//! On the embedded broker.

use super::list::{row, rows, table};
use super::{Wanted, arrive, create};
use embedded_broker::{Broker, BrokerConfig};
use frame_bus::{Bus, BusConfig, TopicSpec};
use settings::Settings;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn wanted(brokers: &str, partitions: &str) -> Wanted {
    let pairs =
        [("MLVI_BROKERS", brokers), ("MLVI_TOPIC_PREFIX", "site"), ("MLVI_PARTITIONS", partitions)];
    let mut settings = Settings::from_pairs(pairs);
    let wanted = Wanted::from_settings(&mut settings);
    settings.finish().unwrap();
    wanted
}

async fn partitions(bus: &Bus, specs: &[TopicSpec]) -> Vec<usize> {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    bus.topics(&names).await.unwrap().iter().map(|topic| topic.partitions).collect()
}

#[test]
fn the_broker_of_the_command_line_wins() {
    #[derive(clap::Parser)]
    struct Topics {
        #[command(flatten)]
        args: super::TopicsArgs,
    }
    let brokers = |words: &[&str]| {
        let Topics { args } = clap::Parser::parse_from([&["topics"], words].concat());
        let environment = Settings::from_pairs([("MLVI_BROKERS", "kafka:9092")]);
        Wanted::from_settings(&mut args.over(environment)).bus.brokers
    };
    assert_eq!(brokers(&["list"]), "kafka:9092");
    assert_eq!(brokers(&["list", "--broker", "edge:9092"]), "edge:9092");
    assert_eq!(brokers(&["--broker", "edge:9092", "create"]), "edge:9092");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_shown_and_grown() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
    let brokers = broker.address().to_string();
    let shutdown = CancellationToken::new();
    let few = wanted(&brokers, "2").specs;
    let bus = Bus::open(BusConfig::new(&brokers, "test")).unwrap();
    arrive(&bus, &brokers, Duration::from_secs(60), &shutdown).await.unwrap();

    let missing = rows(&bus, &few).await.unwrap();
    assert!(table(&missing).contains("site.frames: is not there"), "{}", table(&missing));
    create::run(&bus, &few, false, &shutdown).await.unwrap();
    assert_eq!(partitions(&bus, &few).await, [2, 2, 2, 2, 2, 1]);
    let shown = serde_json::to_value(rows(&bus, &few).await.unwrap()).unwrap();
    assert_eq!((&shown[0]["name"], &shown[0]["partitions"]), (&"site.frames".into(), &2.into()));
    assert_eq!(shown[0]["max_message_bytes"], frame::MAX_MESSAGE_BYTES);
    assert_eq!(
        (&shown[0]["retention_ms"], &shown[0]["problems"]),
        (&3_600_000.into(), &serde_json::json!([]))
    );

    assert_eq!(
        (&shown[5]["name"], &shown[5]["cleanup"]),
        (&"site.settings".into(), &"compact".into())
    );
    assert_eq!(shown[5]["problems"], serde_json::json!([]));

    let more = wanted(&brokers, "3").specs;
    create::run(&bus, &more, false, &shutdown).await.unwrap();
    assert_eq!(partitions(&bus, &more).await, [2, 2, 2, 2, 2, 1], "nobody asked for growth");
    assert!(
        table(&rows(&bus, &more).await.unwrap()).contains("`mlvi topics create --grow` adds them")
    );
    create::run(&bus, &more, true, &shutdown).await.unwrap();
    assert_eq!(partitions(&bus, &more).await, [3, 3, 3, 3, 3, 1]);
    // a second time there is nothing to do
    create::run(&bus, &more, true, &shutdown).await.unwrap();
    assert_eq!(partitions(&bus, &more).await, [3, 3, 3, 3, 3, 1]);
    broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_checked_until_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
    let brokers = broker.address().to_string();
    let shutdown = CancellationToken::new();
    let bus = Bus::open(BusConfig::new(&brokers, "test")).unwrap();
    arrive(&bus, &brokers, Duration::from_secs(60), &shutdown).await.unwrap();
    let specs = wanted(&brokers, "2").specs;
    let stop = shutdown.clone();
    let keep = async { create::keep(&bus, &specs, false, Duration::from_millis(20), &stop).await };
    let look = async {
        while partitions(&bus, &specs).await != [2, 2, 2, 2, 2, 1] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // some rounds in which there is nothing to do
        tokio::time::sleep(Duration::from_millis(200)).await;
        shutdown.cancel();
    };
    let (kept, ()) =
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(keep, look) })
            .await
            .unwrap();
    kept.unwrap();
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_does_not_come_is_named() {
    // port 1 is never a broker
    let bus = Bus::open(BusConfig::new("127.0.0.1:1", "test")).unwrap();
    let shutdown = CancellationToken::new();
    let error = arrive(&bus, "127.0.0.1:1", Duration::from_millis(10), &shutdown)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no broker at 127.0.0.1:1 within 10ms"), "{error}");
    shutdown.cancel();
    let error =
        arrive(&bus, "127.0.0.1:1", Duration::ZERO, &shutdown).await.unwrap_err().to_string();
    assert!(error.contains("interrupted"), "{error}");
}

#[test]
fn a_topic_that_takes_no_large_frame_is_a_problem() {
    let spec = &wanted("a:1", "1").specs[0];
    let settings = [("max.message.bytes".to_owned(), "1048588".to_owned())].into();
    let topic =
        frame_bus::TopicState { name: spec.name.clone(), partitions: 1, replicas: 1, settings };
    let text = table(&[row(spec, Some(&topic))]);
    assert!(text.contains("max.message.bytes is below"), "{text}");
}

#[test]
fn a_topic_that_forgets_what_was_set_is_a_problem() {
    let spec = wanted("a:1", "1").specs.pop().unwrap();
    let settings = [("cleanup.policy".to_owned(), "delete".to_owned())].into();
    let topic =
        frame_bus::TopicState { name: spec.name.clone(), partitions: 1, replicas: 1, settings };
    let text = table(&[row(&spec, Some(&topic))]);
    assert!(
        text.contains("site.settings: cleanup.policy is delete, but should be compact"),
        "{text}"
    );
}
