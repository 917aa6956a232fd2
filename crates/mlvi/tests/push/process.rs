//! `mlvi push` as a process.

use crate::suite::Suite;
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// What is left when it has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command with the stand-in for the suite, and programs from `path` alone.
pub(crate) fn push(suite: &Suite, path: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlvi"));
    command.args(["push", "--server", &suite.url(), "--wait", "20"]).env("PATH", path);
    command.env_remove("MLVI_TOKEN").env_remove("MLVI_CA_FILE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn done(command: &mut Command) -> Done {
    wait(command.spawn().unwrap())
}

/// Waits for its end.
pub(crate) fn wait(child: Child) -> Done {
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Asks it to end, as Ctrl-C (`INT`) or Kubernetes (`TERM`) does.
pub(crate) fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Reads what it says until these words are in it.
pub(crate) fn until_said(child: &mut Child, words: &str) -> String {
    let (stderr, mut said) = (child.stderr.as_mut().unwrap(), Vec::new());
    while !String::from_utf8_lossy(&said).contains(words) {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap_or_else(|_| {
            panic!("it ended before '{words}': {}", String::from_utf8_lossy(&said))
        });
        said.extend(byte);
    }
    String::from_utf8(said).unwrap()
}
