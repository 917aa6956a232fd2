//! The web-server: takes frames over HTTP, gives results back.

use std::process::ExitCode;

fn main() -> ExitCode {
    unit::main_with(
        web_server::UNIT,
        "takes frames over HTTP and gives their results back",
        web_server::Config::from_settings,
        web_server::run,
    )
}
