//! The broker from a socket: every request gets its answer, and nonsense harms nobody else.

use super::OFFERED;
use crate::connection::ROOM_KIB;
use crate::log::testing::one;
use crate::wire::samples;
use crate::{Broker, BrokerConfig};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, StrBytes};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

async fn start() -> (Broker, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    // records here are from 1970: by age they would go within a second
    let config = BrokerConfig { retention: None, ..BrokerConfig::new(dir.path()) };
    (Broker::start(config).await.unwrap(), dir)
}

async fn start_with_topic() -> (Broker, TempDir) {
    let (broker, dir) = start().await;
    let topic = create_topics_request::CreatableTopic::default()
        .with_num_partitions(2)
        .with_replication_factor(1);
    let topic = topic.with_name(TopicName(StrBytes::from_static_str("topic")));
    let mut body = BytesMut::new();
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    kafka_protocol::protocol::Encodable::encode(&request, &mut body, 4).unwrap();
    let answer = ask(&mut connect(&broker).await, ApiKey::CreateTopics, 4, &body).await;
    let answer = CreateTopicsResponse::decode(&mut answer.unwrap(), 4).unwrap();
    assert_eq!(answer.topics[0].error_code, 0);
    (broker, dir)
}

async fn connect(broker: &Broker) -> TcpStream {
    TcpStream::connect(broker.address()).await.unwrap()
}

fn frame(key: i16, version: i16, correlation_id: i32, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.put_i32(0);
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(correlation_id);
    frame.put_i16(4);
    frame.put_slice(b"test");
    if flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    let len = frame.len() as i32 - 4;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    frame
}

/// The next answer without its length; `None` when the broker has closed the connection.
async fn receive(socket: &mut TcpStream) -> Option<Bytes> {
    let receive = async {
        let len = socket.read_i32().await.ok()?;
        let mut answer = vec![0; usize::try_from(len).unwrap()];
        socket.read_exact(&mut answer).await.ok()?;
        Some(Bytes::from(answer))
    };
    tokio::time::timeout(PATIENCE, receive).await.expect("an answer in time")
}

/// Sends a request; gives the body of the answer.
async fn ask(socket: &mut TcpStream, api: ApiKey, version: i16, body: &[u8]) -> Option<Bytes> {
    let flexible = api.request_header_version(version) >= 2;
    socket.write_all(&frame(api as i16, version, 77, flexible, body)).await.unwrap();
    let mut answer = receive(socket).await?;
    assert_eq!(
        ResponseHeader::decode(&mut answer, api.response_header_version(version))
            .unwrap()
            .correlation_id,
        77
    );
    Some(answer)
}

/// Reads an answer to its last byte, and shows it.
fn read(api: ApiKey, version: i16, mut answer: Bytes) -> String {
    macro_rules! read {
        ($($api:ident => $response:ident),*) => {
            match api {
                $(ApiKey::$api => format!("{:?}", $response::decode(&mut answer, version).unwrap()),)*
                other => panic!("{other:?}"),
            }
        };
    }
    let shown = read!(Produce => ProduceResponse, Fetch => FetchResponse, ListOffsets => ListOffsetsResponse,
        Metadata => MetadataResponse, OffsetCommit => OffsetCommitResponse, OffsetFetch => OffsetFetchResponse,
        OffsetForLeaderEpoch => OffsetForLeaderEpochResponse,
        FindCoordinator => FindCoordinatorResponse, JoinGroup => JoinGroupResponse, Heartbeat => HeartbeatResponse,
        LeaveGroup => LeaveGroupResponse, SyncGroup => SyncGroupResponse, DescribeGroups => DescribeGroupsResponse,
        ListGroups => ListGroupsResponse, ApiVersions => ApiVersionsResponse, CreateTopics => CreateTopicsResponse,
        DeleteTopics => DeleteTopicsResponse, DeleteRecords => DeleteRecordsResponse,
        InitProducerId => InitProducerIdResponse, CreatePartitions => CreatePartitionsResponse,
        DescribeConfigs => DescribeConfigsResponse, DeleteGroups => DeleteGroupsResponse,
        DescribeCluster => DescribeClusterResponse);
    assert_eq!(answer.remaining(), 0, "{api:?} {version}: bytes after the answer");
    shown
}

#[tokio::test]
async fn every_version_on_offer_is_answered_so_that_clients_can_read_it() {
    let (broker, _dir) = start_with_topic().await;
    let mut socket = connect(&broker).await;
    for (api, first, last) in OFFERED {
        for version in *first..=*last {
            let body = samples::body(*api, version, one(5, 10).into());
            let answer = ask(&mut socket, *api, version, &body).await;
            read(
                *api,
                version,
                answer.unwrap_or_else(|| panic!("{api:?} {version} is not answered")),
            );
        }
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_not_on_offer_is_answered_and_the_connection_stays() {
    let (broker, _dir) = start().await;
    let mut socket = connect(&broker).await;
    for (key, version) in [
        (ApiKey::EndTxn as i16, 0),
        (ApiKey::Fetch as i16, 14),
        (ApiKey::ConsumerGroupHeartbeat as i16, 1),
        (999, 5),
        (-7, -7),
    ] {
        socket.write_all(&frame(key, version, 3, false, b"anything")).await.unwrap();
        let mut answer = receive(&mut socket).await.expect("an answer");
        assert_eq!(
            (answer.get_i32(), answer.get_i16()),
            (3, ResponseError::UnsupportedVersion.code())
        );
    }
    socket.write_all(&frame(ApiKey::ApiVersions as i16, 99, 4, true, b"")).await.unwrap();
    let mut answer = receive(&mut socket).await.expect("an answer");
    assert_eq!(answer.get_i32(), 4);
    let versions = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(versions.error_code, ResponseError::UnsupportedVersion.code());
    assert_eq!(versions.api_keys.len(), OFFERED.len());
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn nonsense_closes_only_its_own_connection() {
    let (broker, _dir) = start_with_topic().await;
    let mut good = connect(&broker).await;
    let huge = [&i32::MAX.to_be_bytes()[..], &[0, 0, 0, 9]].concat();
    let unreadable = frame(ApiKey::Metadata as i16, 4, 1, false, &[0x7f, 0xff, 0xff, 0xff]);
    let too_large_for_its_kind = [&(50_i32 << 20).to_be_bytes()[..], &[0, 3, 0, 4]].concat();
    let nonsense: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 100],
        &[0, 0, 0, 2, 0, 0],
        &[0, 0, 0, 6, 0, 3, 0, 0, 0, 0],
        &huge,
        &unreadable,
        &too_large_for_its_kind,
    ];
    for bytes in nonsense {
        let mut bad = connect(&broker).await;
        bad.write_all(bytes).await.unwrap();
        bad.shutdown().await.unwrap();
        assert_eq!(receive(&mut bad).await, None, "{bytes:?}");
        let body = samples::body(ApiKey::Metadata, 4, Bytes::new());
        assert!(ask(&mut good, ApiKey::Metadata, 4, &body).await.is_some());
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let (broker, _dir) = start_with_topic().await;
    let mut socket = connect(&broker).await;
    let mut all = Vec::new();
    for index in 0..100 {
        let (api, version) =
            [(ApiKey::Metadata, 4), (ApiKey::Produce, 8), (ApiKey::ListOffsets, 2)][index % 3];
        let body = samples::body(api, version, one(index as i64, 10).into());
        all.extend(frame(api as i16, version, index as i32, false, &body));
    }
    socket.write_all(&all).await.unwrap();
    for index in 0..100 {
        assert_eq!(receive(&mut socket).await.expect("an answer").get_i32(), index);
    }
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_producer_that_wants_no_answer_gets_none() {
    let (broker, _dir) = start_with_topic().await;
    let mut socket = connect(&broker).await;
    let mut body = samples::body(ApiKey::Produce, 8, one(5, 10).into()).to_vec();
    body[2..4].copy_from_slice(&0_i16.to_be_bytes()); // acks, after a null transactional id
    socket.write_all(&frame(ApiKey::Produce as i16, 8, 1, false, &body)).await.unwrap();
    let latest = samples::body(ApiKey::ListOffsets, 2, Bytes::new());
    let answer = ask(&mut socket, ApiKey::ListOffsets, 2, &latest).await.unwrap();
    let answer = ListOffsetsResponse::decode(&mut answer.clone(), 2).unwrap();
    assert_eq!(answer.topics[0].partitions[0].offset, 1, "it was appended all the same");
    broker.shutdown().await.unwrap();
}

fn fetch_body(offset: i64, max_wait_ms: i32, max_bytes: i32) -> Bytes {
    let partition = fetch_request::FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(max_bytes);
    let topic = fetch_request::FetchTopic::default().with_partitions(vec![partition]);
    let topic = topic.with_topic(TopicName(StrBytes::from_static_str("topic")));
    let request = FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_topics(vec![topic]);
    let mut body = BytesMut::new();
    kafka_protocol::protocol::Encodable::encode(&request.with_max_bytes(max_bytes), &mut body, 11)
        .unwrap();
    body.freeze()
}

async fn fetch(
    socket: &mut TcpStream,
    offset: i64,
    max_wait_ms: i32,
    max_bytes: i32,
) -> fetch_response::PartitionData {
    let mut answer =
        ask(socket, ApiKey::Fetch, 11, &fetch_body(offset, max_wait_ms, max_bytes)).await.unwrap();
    FetchResponse::decode(&mut answer, 11).unwrap().responses.remove(0).partitions.remove(0)
}

#[tokio::test]
async fn a_fetch_waits_for_messages_and_gives_at_least_one_batch() {
    let (broker, _dir) = start_with_topic().await;
    let (mut reader, mut writer) = (connect(&broker).await, connect(&broker).await);
    let reading = tokio::spawn(async move {
        let data = fetch(&mut reader, 0, 3_600_000, 1).await;
        (reader, data)
    });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        let produce = samples::body(ApiKey::Produce, 8, one(5, 1000).into());
        ask(&mut writer, ApiKey::Produce, 8, &produce).await.unwrap();
    }
    let (mut reader, data) = reading.await.unwrap();
    let batch = one(5, 1000).len();
    assert_eq!(
        data.records.unwrap().len(),
        batch,
        "one batch, although a single byte was asked for"
    );
    assert_eq!(
        fetch(&mut reader, 0, 0, 2 * batch as i32 + 1).await.records.unwrap().len(),
        2 * batch
    );
    assert_eq!(fetch(&mut reader, 3, 0, 1000).await.records.unwrap().len(), 0);
    assert_eq!(
        fetch(&mut reader, 4, 3_600_000, 1000).await.error_code,
        ResponseError::OffsetOutOfRange.code()
    );
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_wait() {
    let (broker, _dir) = start_with_topic().await;
    let mut reader = connect(&broker).await;
    reader
        .write_all(&frame(ApiKey::Fetch as i16, 11, 1, false, &fetch_body(0, 3_600_000, 1000)))
        .await
        .unwrap();
    tokio::time::timeout(PATIENCE, broker.shutdown()).await.expect("a stop in time").unwrap();
}

#[tokio::test]
async fn a_broker_that_is_dropped_stops() {
    let (broker, _dir) = start_with_topic().await;
    let mut socket = connect(&broker).await;
    drop(broker);
    assert_eq!(receive(&mut socket).await, None);
}

#[tokio::test]
async fn half_requests_hold_a_bounded_amount_of_memory_and_are_given_up() {
    const HALVES: usize = 400;
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(2);
    let broker =
        Broker::start(BrokerConfig { request_patience: patience, ..BrokerConfig::new(dir.path()) })
            .await
            .unwrap();
    let mut halves = tokio::task::JoinSet::new();
    let address = broker.address();
    for _ in 0..HALVES {
        halves.spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            // claims 8 MiB and sends not quite one
            let start = [&(8_i32 << 20).to_be_bytes()[..], &[0, 0, 0, 9], &[0; 930_000]].concat();
            let _ = socket.write_all(&start).await;
            // closed by the broker
            while let Ok(1..) = socket.read(&mut [0; 16]).await {}
        });
    }
    let room = &broker.node.room;
    let mut least = ROOM_KIB;
    let started = std::time::Instant::now();
    while !halves.is_empty() {
        least = least.min(room.available_permits());
        // others are served meanwhile
        let body = samples::body(ApiKey::Metadata, 4, Bytes::new());
        assert!(ask(&mut connect(&broker).await, ApiKey::Metadata, 4, &body).await.is_some());
        assert!(started.elapsed() < PATIENCE * 2, "{} are still held", halves.len());
        let _ = tokio::time::timeout(Duration::from_millis(20), halves.join_next()).await;
    }
    assert!(least < ROOM_KIB / 2, "the limit was not what held them: {least} KiB left");
    while room.available_permits() < ROOM_KIB {
        assert!(started.elapsed() < PATIENCE * 2);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    broker.shutdown().await.unwrap();
}
