//! `preprocessor`: sharpens frames and decides whether the edge or the cloud looks at them.

use preprocessor::{Config, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "preprocessor",
        "sharpens frames and decides whether the edge or the cloud looks at them",
        Config::from_settings,
        run,
    )
}
