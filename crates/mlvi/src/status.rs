//! `mlvi status`.

/// What `mlvi status` is told.
#[derive(clap::Args, Debug)]
pub struct StatusArgs {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &StatusArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
