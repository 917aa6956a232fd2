//! `edge-inference`: runs inference on the frames that `estimate_to_cloud` sends to the edge.

use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "edge-inference",
        "runs inference on the frames that are sent to the edge",
        edge_inference::config,
        edge_inference::run,
    )
}
