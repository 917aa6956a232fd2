//! `results-store`: keeps results in a database.

use results_store::{Config, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        "results-store",
        "keeps results in a database: PostgreSQL or SQLite",
        Config::from_settings,
        run,
    )
}
