//! SIGTERM and Ctrl-C take the same road.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first SIGTERM or SIGINT; a second one ends the process at once with
/// code 130.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn cancel_on_signal(shutdown: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(
            signal = name,
            "stopping: frames in flight are finished first; a second signal ends at once"
        );
        shutdown.cancel();
        next().await;
        std::process::exit(130); // 128 + SIGINT, as shells count it
    });
    Ok(())
}
