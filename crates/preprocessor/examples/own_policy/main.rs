//! A preprocessor with a policy of your own, which stands in `policy.rs`.
//!
//! ```sh
//! cargo run --release -p preprocessor --example own_policy -- --help
//! ```
//!
//! It takes the place of the preprocessor: the same settings, topics, guards and metrics; only the
//! decision is yours. `judge_own_policy` of the simulator judges the same file before it runs.

mod policy;

use policy::EdgeUntilBusy;
use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "own-policy-preprocessor",
        "sharpens frames and decides by a policy of its own which tier runs the detection",
        preprocessor::Config::from_settings,
        |config, shutdown| {
            preprocessor::run_with(config, Box::<EdgeUntilBusy>::default(), shutdown)
        },
    )
}
