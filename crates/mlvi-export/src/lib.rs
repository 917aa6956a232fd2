//! Results as tables, for pandas and its like: Parquet or CSV, out of a database or a running suite.
//!
//! It is a binary of its own, since nobody who runs a suite needs a writer of Parquet. Memory is
//! bounded: a page of results is read, and a row group of the file is kept until it is written.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks to the person at the terminal"
)]

mod args;
mod column;
mod csv;
mod database;
mod output;
mod parquet;
mod progress;
mod run;
mod server;
mod table;

pub use args::{EXAMPLES, ExportArgs};
pub use column::{Column, Kind};
pub use run::run;
pub use table::TableKind;

/// Prints what each column of both tables is.
pub fn show_columns() {
    for table in TableKind::ALL {
        println!("{table}: {}", table.about());
        for Column { name, kind, about, .. } in table.columns() {
            println!("  {name:<20} {:<10} {about}", kind.as_str());
        }
    }
}
