//! ApiVersions: what is on offer.

use super::offered::OFFERED;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

pub(super) fn answer(_request: ApiVersionsRequest) -> ApiVersionsResponse {
    list()
}

/// Everything on offer.
pub(super) fn list() -> ApiVersionsResponse {
    let version = |(api, first, last): &(_, _, _)| {
        let key: kafka_protocol::messages::ApiKey = *api;
        ApiVersion::default()
            .with_api_key(key as i16)
            .with_min_version(*first)
            .with_max_version(*last)
    };
    ApiVersionsResponse::default().with_api_keys(OFFERED.iter().map(version).collect())
}
