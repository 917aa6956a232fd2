//! `mlvi credentials`.

/// What `mlvi credentials` is told.
#[derive(clap::Args, Debug)]
pub struct CredentialsArgs {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &CredentialsArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
