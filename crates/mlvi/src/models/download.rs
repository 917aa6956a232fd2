//! Weights from their official address.

use super::fetch::FetchError;
use super::receive::Receipt;
use detector::WeightsFile;
use std::time::Duration;

/// What went wrong, in words: the caller goes on to the next source.
pub(super) fn download(weights: &WeightsFile, url: &str) -> Result<(), String> {
    let config = ureq::Agent::config_builder()
        // an address that cannot be reached is found out in seconds; the transfer itself may be
        // slow
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_resolve(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(1800)))
        .build();
    let response =
        ureq::Agent::new_with_config(config).get(url).call().map_err(|error| error.to_string())?;
    let body = response.into_body();
    let length = body.content_length();
    let receipt =
        Receipt::new(weights, url.into()).map_err(|error: FetchError| error.to_string())?;
    receipt.take(body.into_reader(), length).map_err(|error| error.to_string())
}
