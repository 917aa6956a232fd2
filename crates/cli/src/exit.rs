//! How a command line begins and ends: its arguments, and the exit code that tells bad usage from
//! a failure.

use crate::UsageError;
use clap::Parser;
use settings::ConfigError;
use std::process::ExitCode;

/// What is needed is not there: `EX_UNAVAILABLE` of `sysexits.h`.
pub const EXIT_UNAVAILABLE: u8 = 69;

/// The arguments of this process.
///
/// # Errors
/// The exit code, when the help or the version was asked for (0) or the arguments are not allowed
/// ([`unit::EXIT_USAGE`]); the text for the user is printed already.
pub fn parse<C: Parser>() -> Result<C, ExitCode> {
    C::try_parse().map_err(|told| {
        // help and the version are no errors
        let code = if told.use_stderr() { unit::EXIT_USAGE } else { 0 };
        if told.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE }
    })
}

/// Prints an error as `NAME: …`, and gives the exit code: [`unit::EXIT_USAGE`] for a
/// [`UsageError`], a [`ConfigError`] and what `is_usage` knows, 1 for anything else.
pub fn exit_code(
    name: &str,
    outcome: anyhow::Result<()>,
    is_usage: impl FnOnce(&anyhow::Error) -> bool,
) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("{name}: {}", text::with_causes(&*error));
    if error.is::<ConfigError>() || error.is::<UsageError>() || is_usage(&error) {
        ExitCode::from(unit::EXIT_USAGE)
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_usage_has_its_own_exit_code() {
        let code = |outcome| format!("{:?}", exit_code("test", outcome, |_| false));
        let usage = format!("{:?}", ExitCode::from(unit::EXIT_USAGE));
        assert_eq!(code(Ok(())), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(Err(UsageError::new("bad").into())), usage);
        assert_eq!(code(Err(anyhow::anyhow!("broken"))), format!("{:?}", ExitCode::FAILURE));
        let known = exit_code("test", Err(anyhow::anyhow!("no such model")), |_| true);
        assert_eq!(format!("{known:?}"), usage);
    }
}
