//! `cloud-inference`: runs inference on the frames that `estimate_to_cloud` sends to the cloud.

use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "cloud-inference",
        "runs inference on the frames that are sent to the cloud",
        cloud_inference::config,
        cloud_inference::run,
    )
}
