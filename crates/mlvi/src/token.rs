//! `mlvi token`: tokens for the web-server, and their entries in its tokens file.

use anyhow::Context;
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use web_server::{Secret, Tokens};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and the entry that gives it its rights (see MLVI_TOKENS_FILE of web-server)
    New(NewArgs),
}

/// What `mlvi token new` is told.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Whose token it is: shown in logs
    #[arg(long, value_name = "NAME")]
    name: String,
    /// May send frames of these cameras, e.g. 'gate-*'; '*' for all; may be repeated
    #[arg(long, value_name = "CAMERAS")]
    send: Vec<String>,
    /// May see frames and results
    #[arg(long)]
    read: bool,
    /// May change how the suite decides
    #[arg(long)]
    settings: bool,
    /// When it ends, e.g. 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// How many requests per second it may send [default: MLVI_TOKEN_RATE of web-server]
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Append the entry to this file, which is made if it is not there, and print the token alone
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// Options that make no entry, or a file that cannot be written or would not be one of tokens.
pub fn run(command: &TokenCommand) -> anyhow::Result<()> {
    let TokenCommand::New(args) = command;
    let secret = Secret::fresh()?;
    let entry = args.entry(&secret)?;
    // the one reader of such files says whether it can be used
    Tokens::from_toml(entry.as_bytes())?;
    match &args.file {
        Some(file) => {
            append(file, &entry).with_context(|| file.display().to_string())?;
            println!("{}", secret.reveal());
        }
        None => print!(
            "The token, which is shown this once:\n\n{}\n\nIts entry in the tokens file:\n\n{entry}",
            secret.reveal()
        ),
    }
    Ok(())
}

impl NewArgs {
    fn entry(&self, secret: &Secret) -> anyhow::Result<String> {
        let rights =
            [("send", !self.send.is_empty()), ("read", self.read), ("settings", self.settings)];
        let rights: Vec<&str> =
            rights.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        anyhow::ensure!(
            !rights.is_empty(),
            "a token needs a right: --send 'CAMERAS', --read or --settings"
        );
        let mut entry = format!(
            "[[token]]\nname = {:?}\nhash = \"{}\"\nrights = {rights:?}\n",
            self.name,
            secret.hash()?
        );
        // writing to a String cannot fail
        if !self.send.is_empty() && !self.send.iter().any(|cameras| cameras == "*") {
            let _ = writeln!(entry, "cameras = {:?}", self.send);
        }
        if let Some(expires) = &self.expires {
            let _ = writeln!(entry, "expires = {expires}");
        }
        if let Some(rate) = self.rate {
            let _ = writeln!(entry, "rate = {rate:?}");
        }
        Ok(entry)
    }
}

/// Adds the entry, by way of a new file: a server that reads it meanwhile sees all or nothing.
fn append(file: &Path, entry: &str) -> anyhow::Result<()> {
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let whole = format!("{before}{gap}{entry}");
    Tokens::from_toml(whole.as_bytes())?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = tempfile::Builder::new().make_in(dir, |path| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    })?;
    new.as_file().write_all(whole.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: TokenCommand,
    }

    fn new(options: &[&str]) -> anyhow::Result<()> {
        run(&Cli::parse_from([&["token", "new"][..], options].concat()).command)
    }

    #[test]
    fn entries_are_appended_to_a_file_that_stays_usable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens.toml");
        let path = file.to_str().unwrap();
        new(&["--name", "gate", "--send", "gate-*", "--send", "yard", "--file", path]).unwrap();
        let all = ["--name", "a \"b\"", "--send", "*", "--read", "--settings", "--rate", "3"];
        new(&[&all[..], &["--expires", "2027-01-01T00:00:00Z", "--file", path]].concat()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(Tokens::from_toml(text.as_bytes()).unwrap().len(), 2);
        assert!(text.contains("cameras = [\"gate-*\", \"yard\"]\n\n[[token]]"), "{text}");
        assert!(text.ends_with("expires = 2027-01-01T00:00:00Z\nrate = 3.0\n"), "{text}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);

        for (wrong, said) in [
            (&["--name", "gate", "--read", "--file", path][..], "two tokens are named"),
            (&["--name", "x", "--file", path], "needs a right"),
            (&["--name", "x", "--send", "a b", "--file", path], "no camera fits"),
            (&["--name", "x", "--read", "--expires", "soon", "--file", path], "expires"),
        ] {
            let error = format!("{:#}", new(wrong).unwrap_err());
            assert!(error.contains(said), "{wrong:?}: {error}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "nothing has changed");
    }
}
