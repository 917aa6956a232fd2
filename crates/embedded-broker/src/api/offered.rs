//! The APIs on offer and their versions.
//!
//! A version is on offer only if everything in it is implemented. Produce from 13 on names topics
//! by id, Fetch from 14 on is about storage that is not here,
//! OffsetCommit and OffsetFetch from 9 on belong to the group protocol of KIP-848, JoinGroup 9 lets
//! the leader skip its work.

use kafka_protocol::messages::ApiKey;

/// Key, first and last version.
pub(crate) const OFFERED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 13),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 8),
    (ApiKey::OffsetFetch, 1, 8),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 8),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 4),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::DescribeCluster, 0, 1),
];

/// The API of this key, if this version of it is on offer.
pub(super) fn find(key: i16, version: i16) -> Option<ApiKey> {
    let same = |(api, first, last): &&(ApiKey, i16, i16)| {
        *api as i16 == key && (*first..=*last).contains(&version)
    };
    OFFERED.iter().find(same).map(|(api, _, _)| *api)
}

/// Whether a request may carry messages, so that its size is theirs.
pub(crate) fn may_be_large(key: i16) -> bool {
    key == ApiKey::Produce as i16
}
