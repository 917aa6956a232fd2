//! Commands that live in a binary of their own, as those of git and cargo do: `mlvi check` runs
//! `mlvi-kubernetes check`.

use clap::Args;
use cli::EXIT_UNAVAILABLE;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The binary of the commands for a suite in Kubernetes, and the package that it comes from.
const BINARY: &str = "mlvi-kubernetes";

/// Whatever follows the command's name; the other binary reads it.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct ExternalArgs {
    /// See `--help` of the command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Becomes the other binary. Gives an exit code only when that cannot be run; why is printed.
pub fn run(command: &str, args: &ExternalArgs, models_dir: &Path) -> ExitCode {
    let beside = env::current_exe().ok();
    let Some(binary) = find(beside.as_deref(), env::var_os("PATH").as_deref()) else {
        eprintln!(
            "mlvi: `mlvi {command}` is in the binary {BINARY}, which is neither beside this one \
             nor in PATH; build it with: cargo build --release -p {BINARY}"
        );
        return ExitCode::from(EXIT_UNAVAILABLE);
    };
    let error = Command::new(&binary)
        .arg("--models-dir")
        .arg(models_dir)
        .arg(command)
        .args(&args.arguments)
        .exec();
    eprintln!("mlvi: {} cannot be run: {error}", binary.display());
    ExitCode::from(EXIT_UNAVAILABLE)
}

/// Whether the other binary can be run.
pub(crate) fn is_there() -> bool {
    let beside = env::current_exe().ok();
    find(beside.as_deref(), env::var_os("PATH").as_deref()).is_some()
}

/// Beside the executable, so that a build's own is taken before an installed one; else in `path`.
fn find(executable: Option<&Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let beside = executable.and_then(Path::parent).map(Path::to_owned);
    let in_path = path.map(env::split_paths).into_iter().flatten();
    beside.into_iter().chain(in_path).map(|dir| dir.join(BINARY)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_the_executable_wins_over_path() -> std::io::Result<()> {
        let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let executable = here.path().join("mlvi");
        let path = Some(there.path().as_os_str());
        assert_eq!(find(Some(&executable), path), None);
        std::fs::write(there.path().join(BINARY), "")?;
        assert_eq!(find(Some(&executable), path), Some(there.path().join(BINARY)));
        std::fs::write(here.path().join(BINARY), "")?;
        assert_eq!(find(Some(&executable), path), Some(here.path().join(BINARY)));
        Ok(())
    }
}
