//! `mlvi completions` and `mlvi man`: made from the commands themselves.

use crate::command::Cli;
use anyhow::Context;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;
use std::path::PathBuf;

/// Which shell.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  mlvi completions bash > ~/.local/share/bash-completion/completions/mlvi
  mlvi completions zsh > \"${fpath[1]}/_mlvi\"
  mlvi completions fish > ~/.config/fish/completions/mlvi.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Where manual pages go.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mlvi man | man -l -
  mlvi man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write a page for every command into this folder instead of printing the first one
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    // written at once, since the library panics when a reader has gone
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mlvi", &mut text);
    print(&text)
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<()> {
    let command = Cli::command();
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return print(&page);
    };
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    clap_mangen::generate_to(command, dir).with_context(|| dir.display().to_string())?;
    println!("the pages are in {}", dir.display());
    Ok(())
}

/// To standard output; whoever reads it may stop reading.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_gets_a_page() {
        let dir = tempfile::tempdir().unwrap();
        man(&ManArgs { out: Some(dir.path().into()) }).unwrap();
        for page in ["mlvi.1", "mlvi-up.1", "mlvi-models-fetch.1", "mlvi-bench-detector.1"] {
            let text = std::fs::read_to_string(dir.path().join(page)).unwrap();
            assert!(text.contains(".SH OPTIONS") && text.len() > 500, "{page}: {text}");
        }
    }
}
