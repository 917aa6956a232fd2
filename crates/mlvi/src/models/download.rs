//! Weights from their official address.

use super::receive::Receipt;
use detector::WeightsFile;
use std::time::Duration;

/// When it fails, the caller goes on to the next source.
pub(super) fn download(weights: &WeightsFile, url: &str) -> anyhow::Result<()> {
    let config = ureq::Agent::config_builder()
        // an address that cannot be reached is found out in seconds; the transfer itself may be
        // slow
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_resolve(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(1800)))
        .build();
    let response = ureq::Agent::new_with_config(config).get(url).call()?;
    let body = response.into_body();
    let length = body.content_length();
    Ok(Receipt::new(weights, url.into())?.take(body.into_reader(), length)?)
}
