//! `mlvi-export`: the command line, which `mlvi export` runs.

use clap::Parser;
use mlvi_export::ExportArgs;
use std::process::ExitCode;

/// Write results of a database or a running suite as a table: Parquet or CSV
///
/// The frames that match, newest first, a row for each of their detections or for each frame. The
/// file has its name only when it is whole.
#[derive(Parser)]
#[command(name = "mlvi export", version, after_help = mlvi_export::EXAMPLES)]
struct Cli {
    #[command(flatten)]
    args: ExportArgs,
}

fn main() -> ExitCode {
    let cli: Cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if cli.args.shows_columns() {
        mlvi_export::show_columns();
        return ExitCode::SUCCESS;
    }
    cli::exit_code("mlvi export", mlvi_export::run(&cli.args), |_| false)
}
