//! The programs that build a kustomization.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// The programs that are tried, in order, each with the arguments before the folder.
#[derive(Clone, Debug)]
pub struct Tools(Vec<Vec<String>>);

impl Default for Tools {
    /// `kubectl kustomize` and `kustomize build`.
    fn default() -> Self {
        Self(vec![
            vec!["kubectl".into(), "kustomize".into()],
            vec!["kustomize".into(), "build".into()],
        ])
    }
}

impl Tools {
    /// None at all, as on a machine that has neither.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }
}

/// What came of a build.
pub(super) enum Built {
    /// The objects as YAML.
    Text(String),
    /// The program's own words.
    Refused(String),
    /// There is no such program.
    NoTool,
}

pub(super) fn build(dir: &Path, tools: &Tools) -> Built {
    for command in &tools.0 {
        let Some((program, arguments)) = command.split_first() else { continue };
        match Command::new(program).args(arguments).arg(dir).stdin(Stdio::null()).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Built::Refused(format!("{program} cannot be run: {error}")),
            Ok(output) if output.status.success() => {
                return Built::Text(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                return Built::Refused(format!(
                    "{program} says: {}",
                    words.trim().trim_start_matches("error: ")
                ));
            }
        }
    }
    Built::NoTool
}
