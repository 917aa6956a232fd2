//! Requests are read whole or refused; nothing in them can make the broker panic or claim memory.

use super::shape::Walk;
use super::{is_flexible, requests, samples};
use crate::api::OFFERED;
use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use proptest::prelude::*;

fn offered() -> impl Iterator<Item = (ApiKey, i16)> {
    OFFERED.iter().flat_map(|(api, first, last)| (*first..=*last).map(|version| (*api, version)))
}

/// Walks the whole body; gives what is left.
fn walk(api: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    let mut walk = Walk::new(body, is_flexible(api, version));
    walk.fields(requests::shape(api)?, version).ok()?;
    Some(walk.remaining())
}

#[test]
fn shapes_fit_to_what_clients_send_in_every_version() {
    for (api, version) in offered() {
        let body = samples::body(api, version, Bytes::from_static(b"records"));
        assert_eq!(walk(api, version, &body), Some(0), "{api:?} {version}");
        for len in 0..body.len() {
            assert_eq!(
                walk(api, version, &body[..len]),
                None,
                "{api:?} {version}: {len} of {} bytes",
                body.len()
            );
        }
    }
}

#[test]
fn a_list_that_claims_more_than_there_is_is_refused() {
    // Metadata 4 with 2³¹−1 topics: the codec alone would reserve hundreds of gigabytes for them
    assert_eq!(walk(ApiKey::Metadata, 4, &[0x7f, 0xff, 0xff, 0xff, 0, 1, b't', 1]), None);
    assert_eq!(walk(ApiKey::Metadata, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f, 2, b't', 0]), None);
}

fn decode(api: ApiKey, version: i16, body: Bytes) -> bool {
    use kafka_protocol::messages as m;
    match api {
        ApiKey::Produce => super::body::<m::ProduceRequest>(body, api, version).is_ok(),
        ApiKey::Fetch => super::body::<m::FetchRequest>(body, api, version).is_ok(),
        ApiKey::ListOffsets => super::body::<m::ListOffsetsRequest>(body, api, version).is_ok(),
        ApiKey::Metadata => super::body::<m::MetadataRequest>(body, api, version).is_ok(),
        ApiKey::OffsetCommit => super::body::<m::OffsetCommitRequest>(body, api, version).is_ok(),
        ApiKey::OffsetFetch => super::body::<m::OffsetFetchRequest>(body, api, version).is_ok(),
        ApiKey::JoinGroup => super::body::<m::JoinGroupRequest>(body, api, version).is_ok(),
        ApiKey::SyncGroup => super::body::<m::SyncGroupRequest>(body, api, version).is_ok(),
        ApiKey::CreateTopics => super::body::<m::CreateTopicsRequest>(body, api, version).is_ok(),
        ApiKey::CreatePartitions => {
            super::body::<m::CreatePartitionsRequest>(body, api, version).is_ok()
        }
        ApiKey::DescribeConfigs => {
            super::body::<m::DescribeConfigsRequest>(body, api, version).is_ok()
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_requests_never_panic(pick in any::<prop::sample::Index>(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let all: Vec<_> = offered().collect();
        let (api, version) = all[pick.index(all.len())];
        let mut body = samples::body(api, version, Bytes::from_static(b"records")).to_vec();
        for (place, value) in damage {
            if !body.is_empty() {
                let place = place.index(body.len());
                body[place] = value;
            }
        }
        decode(api, version, body.into());
    }

    #[test]
    fn noise_never_panics(pick in any::<prop::sample::Index>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let all: Vec<_> = offered().collect();
        let (api, version) = all[pick.index(all.len())];
        decode(api, version, body.into());
    }
}
