//! One request of each kind and version that is on offer, with something in every list, as a client
//! encodes it.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use uuid::Uuid;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn topic() -> TopicName {
    TopicName(text("topic"))
}

fn group() -> GroupId {
    GroupId(text("group"))
}

fn encoded(request: impl Encodable, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, version).expect("a request that this version can say");
    bytes.freeze()
}

/// The body of a request; `records` goes into a Produce request.
pub(crate) fn body(api: ApiKey, version: i16, records: Bytes) -> Bytes {
    let assignment =
        || CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1), BrokerId(2)]);
    match api {
        ApiKey::ApiVersions => encoded(
            match version {
                3.. => ApiVersionsRequest::default()
                    .with_client_software_name(text("c"))
                    .with_client_software_version(text("1")),
                _ => ApiVersionsRequest::default(),
            },
            version,
        ),
        ApiKey::CreatePartitions => {
            let assignment =
                CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
            let topic = CreatePartitionsTopic::default()
                .with_name(topic())
                .with_count(7)
                .with_assignments(Some(vec![assignment]));
            encoded(
                CreatePartitionsRequest::default()
                    .with_topics(vec![topic])
                    .with_validate_only(true),
                version,
            )
        }
        ApiKey::CreateTopics => {
            let config = CreatableTopicConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("5")));
            let plain = CreatableTopic::default()
                .with_name(TopicName(text("new")))
                .with_num_partitions(2)
                .with_replication_factor(1);
            let topics = vec![
                plain.clone().with_configs(vec![config]),
                plain.with_assignments(vec![assignment(), assignment()]),
            ];
            encoded(
                CreateTopicsRequest::default().with_topics(topics).with_validate_only(version > 2),
                version,
            )
        }
        ApiKey::DeleteGroups => {
            encoded(DeleteGroupsRequest::default().with_groups_names(vec![group()]), version)
        }
        ApiKey::DeleteRecords => {
            let partition =
                DeleteRecordsPartition::default().with_partition_index(0).with_offset(0);
            let topic =
                DeleteRecordsTopic::default().with_name(topic()).with_partitions(vec![partition]);
            encoded(DeleteRecordsRequest::default().with_topics(vec![topic]), version)
        }
        ApiKey::DeleteTopics => encoded(
            match version {
                6.. => {
                    DeleteTopicsRequest::default().with_topics(vec![DeleteTopicState::default(); 2])
                }
                _ => DeleteTopicsRequest::default()
                    .with_topic_names(vec![TopicName(text("nothing"))]),
            },
            version,
        ),
        ApiKey::DescribeCluster => encoded(DescribeClusterRequest::default(), version),
        ApiKey::DescribeConfigs => {
            let all = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("topic"));
            let one = all
                .clone()
                .with_configuration_keys(Some(vec![text("retention.ms"), text("nothing")]));
            encoded(
                DescribeConfigsRequest::default()
                    .with_resources(vec![all.with_configuration_keys(None), one]),
                version,
            )
        }
        ApiKey::DescribeGroups => {
            encoded(DescribeGroupsRequest::default().with_groups(vec![group()]), version)
        }
        ApiKey::Fetch => {
            let partition = FetchPartition::default().with_partition_max_bytes(1000);
            let missing = partition.clone().with_partition(99);
            let topic = FetchTopic::default().with_partitions(vec![partition, missing]);
            let topic = if version < 13 {
                topic.with_topic(self::topic())
            } else {
                topic.with_topic_id(Uuid::from_u128(9))
            };
            let request = FetchRequest::default().with_max_bytes(1000).with_topics(vec![topic]);
            let forgotten = ForgottenTopic::default().with_partitions(vec![1, 2, 3]);
            let forgotten = if version < 13 {
                forgotten.with_topic(TopicName(text("forgotten")))
            } else {
                forgotten
            };
            let request = if version >= 7 {
                request.with_forgotten_topics_data(vec![forgotten])
            } else {
                request
            };
            encoded(
                if version >= 11 { request.with_rack_id(text("rack")) } else { request },
                version,
            )
        }
        ApiKey::FindCoordinator => encoded(
            match version {
                4.. => FindCoordinatorRequest::default()
                    .with_coordinator_keys(vec![text("g"), text("h")]),
                _ => FindCoordinatorRequest::default().with_key(text("g")),
            },
            version,
        ),
        ApiKey::Heartbeat => encoded(
            HeartbeatRequest::default().with_group_id(group()).with_member_id(text("m")),
            version,
        ),
        ApiKey::InitProducerId => {
            encoded(InitProducerIdRequest::default().with_transactional_id(None), version)
        }
        ApiKey::JoinGroup => {
            let protocol = JoinGroupRequestProtocol::default()
                .with_name(text("range"))
                .with_metadata(Bytes::from_static(b"meta"));
            // a member that nobody knows, so that the answer comes at once
            let request = JoinGroupRequest::default()
                .with_group_id(group())
                .with_member_id(text("m"))
                .with_session_timeout_ms(6000);
            encoded(
                request
                    .with_protocol_type(text("consumer"))
                    .with_protocols(vec![protocol.clone(), protocol]),
                version,
            )
        }
        ApiKey::LeaveGroup => {
            let member = MemberIdentity::default().with_member_id(text("m"));
            let request = LeaveGroupRequest::default().with_group_id(group());
            encoded(
                if version >= 3 {
                    request.with_members(vec![member])
                } else {
                    request.with_member_id(text("m"))
                },
                version,
            )
        }
        ApiKey::ListGroups => {
            let request = ListGroupsRequest::default();
            encoded(
                if version >= 4 {
                    request.with_states_filter(vec![text("Stable"), text("Empty")])
                } else {
                    request
                },
                version,
            )
        }
        ApiKey::ListOffsets => {
            let at = |timestamp| ListOffsetsPartition::default().with_timestamp(timestamp);
            let partitions = vec![at(-1), at(-2), at(-3), at(5), at(-1).with_partition_index(99)];
            let topic = ListOffsetsTopic::default().with_name(topic()).with_partitions(partitions);
            encoded(ListOffsetsRequest::default().with_topics(vec![topic]), version)
        }
        ApiKey::Metadata => {
            let named =
                |name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
            encoded(
                MetadataRequest::default()
                    .with_topics(Some(vec![named("topic"), named("nothing")])),
                version,
            )
        }
        ApiKey::OffsetCommit => {
            let partition = OffsetCommitRequestPartition::default()
                .with_committed_offset(5)
                .with_committed_metadata(Some(text("note")));
            let missing = partition.clone().with_partition_index(99);
            let topic = OffsetCommitRequestTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition, missing]);
            let request = OffsetCommitRequest::default()
                .with_group_id(group())
                .with_generation_id_or_member_epoch(-1);
            encoded(request.with_topics(vec![topic]), version)
        }
        ApiKey::OffsetFetch => encoded(
            if version >= 8 {
                let topic = OffsetFetchRequestTopics::default()
                    .with_name(topic())
                    .with_partition_indexes(vec![0, 1]);
                let some = OffsetFetchRequestGroup::default()
                    .with_group_id(group())
                    .with_topics(Some(vec![topic]));
                OffsetFetchRequest::default()
                    .with_groups(vec![some.clone(), some.with_topics(None)])
            } else {
                let topic = OffsetFetchRequestTopic::default()
                    .with_name(topic())
                    .with_partition_indexes(vec![0, 1]);
                OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]))
            },
            version,
        ),
        ApiKey::OffsetForLeaderEpoch => {
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let missing = partition.clone().with_partition(99);
            let topic = OffsetForLeaderTopic::default()
                .with_topic(topic())
                .with_partitions(vec![partition, missing]);
            encoded(OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), version)
        }
        ApiKey::Produce => {
            let partition = PartitionProduceData::default().with_records(Some(records));
            let missing = partition.clone().with_index(99);
            let topic = TopicProduceData::default()
                .with_name(topic())
                .with_partition_data(vec![partition, missing]);
            encoded(ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]), version)
        }
        ApiKey::SyncGroup => {
            let assignment = SyncGroupRequestAssignment::default()
                .with_member_id(text("m"))
                .with_assignment(Bytes::from_static(b"all"));
            let request =
                SyncGroupRequest::default().with_group_id(group()).with_member_id(text("m"));
            encoded(request.with_assignments(vec![assignment.clone(), assignment]), version)
        }
        other => panic!("{other:?} is on offer and has no sample"),
    }
}
