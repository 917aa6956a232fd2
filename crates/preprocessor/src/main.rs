//! `preprocessor`: sharpens frames and decides whether they go to the edge or to the cloud.

use preprocessor::{Config, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "preprocessor",
        "sharpens frames and decides whether they go to the edge or to the cloud",
        Config::from_settings,
        run,
    )
}
