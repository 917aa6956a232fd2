//! `mlvi check`.

/// What `mlvi check` is told.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &CheckArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
