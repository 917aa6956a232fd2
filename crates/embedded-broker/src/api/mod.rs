//! Answers requests: which are on offer, and who answers them. Each has its own file.

mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offered;
mod offset_commit;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod reply;
mod sync_group;
#[cfg(test)]
mod tests;

use crate::connection::Hangup;
use crate::log::Partition;
use crate::node::Node;
use crate::wire;
use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, StrBytes};
#[cfg(test)]
pub(crate) use offered::OFFERED;
pub(crate) use offered::may_be_large;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The only broker there is.
const NODE_ID: i32 = 1;

/// The other end of a connection.
pub(crate) struct Peer {
    pub(crate) host: String,
    /// The address of ours that it has connected to.
    pub(crate) reached: IpAddr,
    /// Cancelled when the peer has gone or the broker stops: no answer is worth waiting for any
    /// more.
    pub(crate) gone: CancellationToken,
}

/// A request's circumstances.
struct Call<'a> {
    node: &'a Arc<Node>,
    peer: &'a Peer,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: String,
    body: Bytes,
}

impl Call<'_> {
    fn decode<T: Decodable>(&self) -> Result<T, Hangup> {
        wire::body(self.body.clone(), self.api, self.version)
    }

    /// Where the client is told to find this broker.
    fn advertised(&self) -> (StrBytes, i32) {
        let host = self
            .node
            .config
            .advertised_host
            .clone()
            .unwrap_or_else(|| self.peer.reached.to_string());
        (StrBytes::from_string(host), i32::from(self.node.port))
    }
}

/// Whether a client knows of the present leader epoch of a partition (KIP-320); −1 says that it
/// does not care.
fn check_epoch(partition: &Partition, claimed: i32) -> Result<(), ResponseError> {
    match claimed.cmp(&partition.leader_epoch()) {
        _ if claimed < 0 => Ok(()),
        Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
    }
}

/// Answers one request. `None` where the protocol wants no answer.
pub(crate) async fn answer(
    node: &Arc<Node>,
    peer: &Peer,
    mut frame: Bytes,
) -> Result<Option<BytesMut>, Hangup> {
    let header = wire::header(&mut frame)?;
    let Some(api) = offered::find(header.api_key, header.version) else {
        return reply::unsupported(&header).map(Some);
    };
    let client_id = wire::client_id(&mut frame, api, header.version)?;
    let (version, correlation_id) = (header.version, header.correlation_id);
    let call = Call { node, peer, api, version, correlation_id, client_id, body: frame };
    dispatch(&call).await
}

async fn dispatch(call: &Call<'_>) -> Result<Option<BytesMut>, Hangup> {
    let response = match call.api {
        ApiKey::Produce => return produce::answer(call, call.decode()?).await,
        ApiKey::Fetch => reply::encode(call, fetch::answer(call, call.decode()?).await?).await,
        ApiKey::ListOffsets => {
            reply::encode(call, list_offsets::answer(call, call.decode()?).await?).await
        }
        ApiKey::Metadata => reply::encode(call, metadata::answer(call, call.decode()?)).await,
        ApiKey::OffsetCommit => {
            reply::encode(call, offset_commit::answer(call, call.decode()?).await?).await
        }
        ApiKey::OffsetFetch => {
            reply::encode(call, offset_fetch::answer(call, call.decode()?)).await
        }
        ApiKey::OffsetForLeaderEpoch => {
            reply::encode(call, offset_for_leader_epoch::answer(call, call.decode()?)).await
        }
        ApiKey::FindCoordinator => {
            reply::encode(call, find_coordinator::answer(call, call.decode()?)).await
        }
        ApiKey::JoinGroup => {
            reply::encode(call, join_group::answer(call, call.decode()?).await?).await
        }
        ApiKey::Heartbeat => reply::encode(call, heartbeat::answer(call, call.decode()?)).await,
        ApiKey::LeaveGroup => reply::encode(call, leave_group::answer(call, call.decode()?)).await,
        ApiKey::SyncGroup => {
            reply::encode(call, sync_group::answer(call, call.decode()?).await?).await
        }
        ApiKey::DescribeGroups => {
            reply::encode(call, describe_groups::answer(call, call.decode()?)).await
        }
        ApiKey::ListGroups => reply::encode(call, list_groups::answer(call, call.decode()?)).await,
        ApiKey::ApiVersions => reply::encode(call, api_versions::answer(call.decode()?)).await,
        ApiKey::CreateTopics => {
            reply::encode(call, create_topics::answer(call, call.decode()?).await?).await
        }
        ApiKey::DeleteTopics => {
            reply::encode(call, delete_topics::answer(call, call.decode()?).await?).await
        }
        ApiKey::DeleteRecords => {
            reply::encode(call, delete_records::answer(call, call.decode()?).await?).await
        }
        ApiKey::InitProducerId => {
            reply::encode(call, init_producer_id::answer(call, call.decode()?).await?).await
        }
        ApiKey::CreatePartitions => {
            reply::encode(call, create_partitions::answer(call, call.decode()?).await?).await
        }
        ApiKey::DescribeConfigs => {
            reply::encode(call, describe_configs::answer(call, call.decode()?)).await
        }
        ApiKey::DeleteGroups => {
            reply::encode(call, delete_groups::answer(call, call.decode()?).await?).await
        }
        ApiKey::DescribeCluster => {
            reply::encode(call, describe_cluster::answer(call, call.decode()?)).await
        }
        other => Err(Hangup::Encode(format!("{other:?} is on offer but nobody answers it"))),
    };
    response.map(Some)
}
