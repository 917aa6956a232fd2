//! DescribeCluster: one broker.

use super::{Call, NODE_ID};
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) fn answer(call: &Call<'_>, _request: DescribeClusterRequest) -> DescribeClusterResponse {
    let (host, port) = call.advertised();
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(host)
        .with_port(port);
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(call.node.identity.cluster_id.clone()))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
}
