//! The shapes of the requests that are on offer, after Kafka's message definitions
//! (<https://github.com/apache/kafka/tree/trunk/clients/src/main/resources/common/message>).

use super::shape::Field;
use super::shape::Kind::{self, Bytes, Fixed, Structs, Text, Values};
use kafka_protocol::messages::ApiKey;

const BOOL: Kind = Fixed(1);
const INT8: Kind = Fixed(1);
const INT16: Kind = Fixed(2);
const INT32: Kind = Fixed(4);
const INT64: Kind = Fixed(8);
const UUID: Kind = Fixed(16);
const INT32S: Kind = Values(&INT32);
const TEXTS: Kind = Values(&Text);

/// The shape of a request's body; `None` for requests that are not on offer.
pub(super) fn shape(api: ApiKey) -> Option<&'static [Field]> {
    Some(match api {
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::Fetch => FETCH,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::Produce => PRODUCE,
        ApiKey::SyncGroup => SYNC_GROUP,
        _ => return None,
    })
}

const fn all(kind: Kind) -> Field {
    Field::new(kind)
}

const fn since(version: i16, kind: Kind) -> Field {
    Field::since(version, kind)
}

const API_VERSIONS: &[Field] = &[since(3, Text), since(3, Text)];
const CREATE_PARTITIONS: &[Field] =
    &[all(Structs(&[all(Text), all(INT32), all(Structs(&[all(INT32S)]))])), all(INT32), all(BOOL)];
const CREATE_TOPICS: &[Field] = &[
    all(Structs(&[
        all(Text),
        all(INT32),
        all(INT16),
        all(Structs(&[all(INT32), all(INT32S)])),
        all(Structs(&[all(Text), all(Text)])),
    ])),
    all(INT32),
    all(BOOL),
];
const DELETE_GROUPS: &[Field] = &[all(TEXTS)];
const DELETE_RECORDS: &[Field] =
    &[all(Structs(&[all(Text), all(Structs(&[all(INT32), all(INT64)]))])), all(INT32)];
const DELETE_TOPICS: &[Field] =
    &[since(6, Structs(&[all(Text), all(UUID)])), Field::within(0..=5, TEXTS), all(INT32)];
const DESCRIBE_CLUSTER: &[Field] = &[all(BOOL), since(1, INT8), since(2, BOOL)];
const DESCRIBE_CONFIGS: &[Field] =
    &[all(Structs(&[all(INT8), all(Text), all(TEXTS)])), all(BOOL), since(3, BOOL)];
const DESCRIBE_GROUPS: &[Field] = &[all(TEXTS), since(3, BOOL)];
const FETCH: &[Field] = &[
    all(INT32),
    all(INT32),
    all(INT32),
    all(INT32),
    all(INT8),
    since(7, INT32),
    since(7, INT32),
    all(Structs(&[
        Field::within(0..=12, Text),
        since(13, UUID),
        all(Structs(&[
            all(INT32),
            since(9, INT32),
            all(INT64),
            since(12, INT32),
            since(5, INT64),
            all(INT32),
        ])),
    ])),
    since(7, Structs(&[Field::within(0..=12, Text), since(13, UUID), all(INT32S)])),
    since(11, Text),
];
const FIND_COORDINATOR: &[Field] = &[Field::within(0..=3, Text), since(1, INT8), since(4, TEXTS)];
const HEARTBEAT: &[Field] = &[all(Text), all(INT32), all(Text), since(3, Text)];
const INIT_PRODUCER_ID: &[Field] = &[all(Text), all(INT32), since(3, INT64), since(3, INT16)];
const JOIN_GROUP: &[Field] = &[
    all(Text),
    all(INT32),
    since(1, INT32),
    all(Text),
    since(5, Text),
    all(Text),
    all(Structs(&[all(Text), all(Bytes)])),
    since(8, Text),
];
const LEAVE_GROUP: &[Field] = &[
    all(Text),
    Field::within(0..=2, Text),
    since(3, Structs(&[all(Text), all(Text), since(5, Text)])),
];
const LIST_GROUPS: &[Field] = &[since(4, TEXTS)];
const LIST_OFFSETS: &[Field] = &[
    all(INT32),
    since(2, INT8),
    all(Structs(&[all(Text), all(Structs(&[all(INT32), since(4, INT32), all(INT64)]))])),
];
const METADATA: &[Field] = &[
    all(Structs(&[since(10, UUID), all(Text)])),
    since(4, BOOL),
    Field::within(8..=10, BOOL),
    since(8, BOOL),
];
const OFFSET_COMMIT: &[Field] = &[
    all(Text),
    all(INT32),
    all(Text),
    since(7, Text),
    Field::within(0..=4, INT64),
    all(Structs(&[all(Text), all(Structs(&[all(INT32), all(INT64), since(6, INT32), all(Text)]))])),
];
const OFFSET_FETCH: &[Field] = &[
    Field::within(0..=7, Text),
    Field::within(0..=7, Structs(&[all(Text), all(INT32S)])),
    since(8, Structs(&[all(Text), all(Structs(&[all(Text), all(INT32S)]))])),
    since(7, BOOL),
];
const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    since(3, INT32),
    all(Structs(&[all(Text), all(Structs(&[all(INT32), since(2, INT32), all(INT32)]))])),
];
const PRODUCE: &[Field] = &[
    all(Text),
    all(INT16),
    all(INT32),
    all(Structs(&[all(Text), all(Structs(&[all(INT32), all(Bytes)]))])),
];
const SYNC_GROUP: &[Field] = &[
    all(Text),
    all(INT32),
    all(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    all(Structs(&[all(Text), all(Bytes)])),
];
