//! `mlvi autoscale`.

/// What `mlvi autoscale` is told.
#[derive(clap::Args, Debug)]
pub struct AutoscaleArgs {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &AutoscaleArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
