//! SIGTERM and Ctrl-C take the same road.

use crate::{Ends, Faults, Health, Tasks};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The name of the task that waits for signals.
const TASK: &str = "signals";

/// Cancels the token at the first SIGTERM or SIGINT; a second one ends the process at once with
/// code 130. What is returned tells, by [`Tasks::failure`], when nobody waits for signals any more.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn cancel_on_signal(shutdown: CancellationToken) -> std::io::Result<Tasks> {
    let tasks = Tasks::new(Health::of("process"), shutdown, Faults::default());
    tasks.stop_on_signal()?;
    Ok(tasks)
}

impl Tasks {
    /// Stops at a signal as [`cancel_on_signal`] does, by a task of this supervisor.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn stop_on_signal(&self) -> std::io::Result<()> {
        self.spawn(TASK, Ends::Never, signals(self.stop().clone())?);
        Ok(())
    }
}

fn signals(shutdown: CancellationToken) -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_its_signals_a_process_stops() {
        let (faults, stop) = (Faults::default(), CancellationToken::new());
        let tasks = Tasks::new(Health::of("unit"), stop.clone(), faults.clone());
        tasks.stop_on_signal().unwrap();
        faults.plant("unit", TASK);
        stop.cancelled().await;
        assert_eq!(tasks.failure().unwrap().task, TASK);
    }
}
