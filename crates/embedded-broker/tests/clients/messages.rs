//! Messages go in and come out.

use crate::setup::{
    self, MAX_MESSAGE_BYTES, create_topic, read_all, read_each, reader, send, send_at,
};
use rdkafka::consumer::Consumer;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_order_with_keys_and_headers() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    for number in 0..50 {
        let headers =
            OwnedHeaders::new().insert(Header { key: "number", value: Some(&format!("{number}")) });
        let payload = vec![number; 1000];
        let record = FutureRecord::to("t").key("camera").payload(&payload).headers(headers);
        producer.send(record, setup::PATIENCE).await.map_err(|(error, _)| error)?;
    }
    let mut number = 0;
    read_each(&reader(broker.address())?, "t", 0, Offset::Beginning, |message| {
        assert_eq!(message.key(), Some(&b"camera"[..]));
        assert_eq!(message.payload(), Some(&vec![number; 1000][..]));
        let header = message.headers().expect("headers").get(0);
        assert_eq!((header.key, header.value), ("number", Some(format!("{number}").as_bytes())));
        assert_eq!(message.offset(), i64::from(number));
        number += 1;
    })?;
    assert_eq!(number, 50);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_frames_pass_and_larger_ones_are_refused() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    let frame: Vec<u8> = (0..MAX_MESSAGE_BYTES - 1024).map(|index| (index % 251) as u8).collect();
    for _ in 0..3 {
        send(&producer, "t", "camera", &frame).await?;
    }
    let frames = read_all(&reader(broker.address())?, "t", 0, Offset::Beginning)?;
    assert!(frames.iter().all(|read| *read == frame));
    assert_eq!(frames.len(), 3);

    create_topic(broker.address(), "small", 1, &[("max.message.bytes", "2000")]).await?;
    send(&producer, "small", "camera", &[7; 1000]).await?;
    let refused =
        send(&producer, "small", "camera", &[7; 3000]).await.expect_err("the topic takes less");
    assert!(refused.to_string().contains("MessageSizeTooLarge"), "{refused}");
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_messages_pass_as_they_are() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer: rdkafka::producer::FutureProducer = setup::client(broker.address())
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .create()?;
    futures_util::future::try_join_all((0..100).map(|_| send(&producer, "t", "key", &[9; 5000])))
        .await?;
    let read = read_all(&reader(broker.address())?, "t", 0, Offset::Beginning)?;
    assert!(read.len() == 100 && read.iter().all(|payload| payload == &[9; 5000]));
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_for_times_are_those_of_the_records() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 2, &[("retention.ms", "-1")]).await?;
    // many records in a batch: sent together, with a moment to gather
    let producer: rdkafka::producer::FutureProducer =
        setup::client(broker.address()).set("linger.ms", "200").create()?;
    let base = 1_700_000_000_000;
    let sends = (0..30).map(|index| send_at(&producer, "t", 1, base + index * 10));
    futures_util::future::try_join_all(sends).await?;
    let reader = reader(broker.address())?;
    let offset_at = |timestamp| -> anyhow::Result<Offset> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset("t", 1, Offset::Offset(timestamp))?;
        let found = reader.offsets_for_times(wanted, setup::PATIENCE)?;
        Ok(found.find_partition("t", 1).expect("the partition asked for").offset())
    };
    assert_eq!(offset_at(base - 1000)?, Offset::Offset(0));
    assert_eq!(offset_at(base + 100)?, Offset::Offset(10));
    assert_eq!(offset_at(base + 101)?, Offset::Offset(11));
    assert_eq!(offset_at(base + 290)?, Offset::Offset(29));
    assert_eq!(offset_at(base + 291)?, Offset::End);
    assert_eq!(reader.fetch_watermarks("t", 1, setup::PATIENCE)?, (0, 30));
    assert_eq!(reader.fetch_watermarks("t", 0, setup::PATIENCE)?, (0, 0));
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_reader_is_woken_by_the_message() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    // a fetch that waits for longer than the test has patience, unless it is woken
    let reader: rdkafka::consumer::StreamConsumer = setup::client(broker.address())
        .set("group.id", "none")
        .set("fetch.wait.max.ms", "30000")
        .set("socket.timeout.ms", "60000")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("t", 0, Offset::Beginning)?;
    reader.assign(&assignment)?;
    let producer = setup::producer(broker.address())?;
    for number in 0..20_u8 {
        send(&producer, "t", "key", &[number]).await?;
        let message = tokio::time::timeout(setup::PATIENCE, reader.recv()).await??;
        assert_eq!(message.payload(), Some(&[number][..]));
    }
    drop(reader);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_keeps_no_more_than_its_retention_says() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = embedded_broker::BrokerConfig {
        retention_interval: std::time::Duration::from_millis(50),
        ..embedded_broker::BrokerConfig::new(dir.path())
    };
    let broker = embedded_broker::Broker::start(config).await?;
    let settings = [("segment.bytes", "100000"), ("retention.bytes", "300000")];
    create_topic(broker.address(), "sized", 1, &settings).await?;
    create_topic(broker.address(), "aged", 1, &[("retention.ms", "60000")]).await?;
    let producer = setup::producer(broker.address())?;
    for _ in 0..100 {
        send(&producer, "sized", "key", &[1; 10_000]).await?;
    }
    send_at(&producer, "aged", 0, 1_700_000_000_000).await?;
    let reader = reader(broker.address())?;
    let (start, end) = reader.fetch_watermarks("sized", 0, setup::PATIENCE)?;
    assert_eq!(end, 100);
    assert!(
        (60..=70).contains(&start),
        "300 kB to 400 kB of 10 kB messages are kept, from {start} on"
    );
    let kept = read_all(&reader, "sized", 0, Offset::Beginning)?;
    assert_eq!(kept.len() as i64, end - start);
    let mut aged = reader.fetch_watermarks("aged", 0, setup::PATIENCE)?;
    while aged != (1, 1) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        aged = reader.fetch_watermarks("aged", 0, setup::PATIENCE)?;
    }
    Ok(broker.shutdown().await?)
}
