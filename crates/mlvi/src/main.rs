//! `mlvi`: the command line.

use mlvi::command::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse::<Cli>() {
        Ok(cli) => cli.run(),
        Err(code) => code,
    }
}
