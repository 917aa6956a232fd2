//! How fast the broker is under librdkafka's clients: `throughput [directory]`.
//!
//! Prints the megabytes per second of 100 KB messages through an idempotent producer and back, and
//! how long one message takes from its sender to a reader that waits for it.

use embedded_broker::{Broker, BrokerConfig};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::io::Write;
use std::time::{Duration, Instant};

const MESSAGE_BYTES: usize = 100_000;
const MESSAGES: usize = 5000;
const SINGLES: usize = 300;
const PARTITIONS: i32 = 6;
const PATIENCE: Duration = Duration::from_secs(30);

fn client(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address().to_string()).set("group.id", "none");
    config
}

fn reader(broker: &Broker, topic: &str, partitions: i32) -> anyhow::Result<StreamConsumer> {
    let reader: StreamConsumer = client(broker).set("fetch.queue.backoff.ms", "10").create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    reader.assign(&all)?;
    Ok(reader)
}

fn report(line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

fn rate(since: Instant) -> f64 {
    (MESSAGES * MESSAGE_BYTES) as f64 / 1e6 / since.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let dir = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), Into::into);
    let broker = Broker::start(BrokerConfig::new(dir)).await?;
    let admin: AdminClient<DefaultClientContext> = client(&broker).create()?;
    let topics = [
        NewTopic::new("many", PARTITIONS, TopicReplication::Fixed(1)),
        NewTopic::new("single", 1, TopicReplication::Fixed(1)),
    ];
    admin.create_topics(&topics, &AdminOptions::new()).await?;
    let producer: FutureProducer = client(&broker)
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("queue.buffering.max.kbytes", "65536")
        .create()?;
    let payload = vec![0x5a; MESSAGE_BYTES];

    // the first message also waits for the producer's id
    send(&producer, "single", &payload).await?;
    let waiting = reader(&broker, "single", 1)?;
    waiting.recv().await?;
    let mut times = Vec::with_capacity(SINGLES);
    for _ in 0..SINGLES {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let sent = Instant::now();
        let (acknowledged, received) =
            tokio::join!(send(&producer, "single", &payload), waiting.recv());
        acknowledged?;
        received?;
        times.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    report(format_args!(
        "single 100 KB message, sent to received: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    ))?;

    let start = Instant::now();
    let mut sends = tokio::task::JoinSet::new();
    for index in 0..MESSAGES {
        let (producer, payload) = (producer.clone(), payload.clone());
        if sends.len() >= 500 {
            sends.join_next().await.transpose()?.transpose()?;
        }
        sends.spawn(async move {
            let key = index.to_string();
            let sent =
                producer.send(FutureRecord::to("many").key(&key).payload(&payload), PATIENCE).await;
            sent.map(drop).map_err(|(error, _)| error)
        });
    }
    sends.join_all().await.into_iter().collect::<Result<(), _>>()?;
    report(format_args!(
        "written: {:.0} MB/s ({MESSAGES} messages of {MESSAGE_BYTES} bytes, {PARTITIONS} \
         partitions)",
        rate(start)
    ))?;

    let reading = reader(&broker, "many", PARTITIONS)?;
    let start = Instant::now();
    for _ in 0..MESSAGES {
        reading.recv().await?;
    }
    report(format_args!("read: {:.0} MB/s", rate(start)))?;
    producer.flush(PATIENCE)?;
    drop((reading, waiting));
    Ok(broker.shutdown().await?)
}

async fn send(producer: &FutureProducer, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
    let record = FutureRecord::<(), _>::to(topic).payload(payload);
    producer.send(record, PATIENCE).await.map(drop).map_err(|(error, _)| error.into())
}
