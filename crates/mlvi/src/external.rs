//! Commands that live in a binary of their own, as those of git and cargo do: `mlvi check` runs
//! `mlvi-kubernetes check`.

use clap::Args;
use cli::EXIT_UNAVAILABLE;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A binary, and the package that it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary {
    /// Of the commands for a suite in Kubernetes.
    Kubernetes,
    /// Of `mlvi export` alone.
    Export,
}

impl Binary {
    const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "mlvi-kubernetes",
            Self::Export => "mlvi-export",
        }
    }
}

/// Whatever follows the command's name; the other binary reads it.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct ExternalArgs {
    /// See `--help` of the command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Becomes the other binary. Gives an exit code only when that cannot be run; why is printed.
pub(crate) fn run(
    binary: Binary,
    command: &str,
    args: &ExternalArgs,
    models_dir: &Path,
) -> ExitCode {
    let name = binary.name();
    let Some(file) = binary.found() else {
        eprintln!(
            "mlvi: `mlvi {command}` is in the binary {name}, which is neither beside this one \
             nor in PATH; build it with: cargo build --release -p {name}"
        );
        return ExitCode::from(EXIT_UNAVAILABLE);
    };
    let mut process = Command::new(&file);
    match binary {
        Binary::Kubernetes => process.arg("--models-dir").arg(models_dir).arg(command),
        Binary::Export => &mut process,
    };
    let error = process.args(&args.arguments).exec();
    eprintln!("mlvi: {} cannot be run: {error}", file.display());
    ExitCode::from(EXIT_UNAVAILABLE)
}

impl Binary {
    /// Whether it can be run.
    pub(crate) fn is_there(self) -> bool {
        self.found().is_some()
    }

    fn found(self) -> Option<PathBuf> {
        let beside = env::current_exe().ok();
        find(self.name(), beside.as_deref(), env::var_os("PATH").as_deref())
    }
}

/// Beside the executable, so that a build's own is taken before an installed one; else in `path`.
fn find(name: &str, executable: Option<&Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let beside = executable.and_then(Path::parent).map(Path::to_owned);
    let in_path = path.map(env::split_paths).into_iter().flatten();
    beside.into_iter().chain(in_path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: &str = "mlvi-kubernetes";

    #[test]
    fn beside_the_executable_wins_over_path() -> std::io::Result<()> {
        let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let executable = here.path().join("mlvi");
        let path = Some(there.path().as_os_str());
        assert_eq!(find(BINARY, Some(&executable), path), None);
        std::fs::write(there.path().join(BINARY), "")?;
        assert_eq!(find(BINARY, Some(&executable), path), Some(there.path().join(BINARY)));
        std::fs::write(here.path().join(BINARY), "")?;
        assert_eq!(find(BINARY, Some(&executable), path), Some(here.path().join(BINARY)));
        Ok(())
    }
}
