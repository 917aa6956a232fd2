//! Commands as a user runs them, with and without a cluster.

mod check;
mod played;
mod status;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

struct Finished {
    code: i32,
    stdout: String,
    stderr: String,
}

fn mlvi(arguments: &[&str], input: &str, kubeconfig: &Path) -> anyhow::Result<Finished> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlvi-kubernetes"));
    command
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env("KUBECONFIG", kubeconfig);
    command.env_remove("KUBERNETES_SERVICE_HOST").env_remove("MLVI_MODELS_DIR");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // a command that does not read its input may be gone already
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}

fn offline(arguments: &[&str], input: &str) -> anyhow::Result<Finished> {
    mlvi(arguments, input, Path::new("/nonexistent/kubeconfig"))
}
