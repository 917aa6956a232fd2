//! `mlvi topics`.

/// What `mlvi topics` is told.
#[derive(clap::Args, Debug)]
pub struct TopicsArgs {}

/// Runs it.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &TopicsArgs) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
