//! A web-server as a process of its own.

use anyhow::Context;
use ports::ReservedPort;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long it may take to become ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// The web-server's process, which ends with this.
pub(super) struct WebServer {
    child: Child,
    pub(super) http: SocketAddr,
    _ports: [ReservedPort; 2],
}

impl WebServer {
    /// Returns once it is ready; on one core (needs `taskset`), or on all.
    ///
    /// # Errors
    /// When it is not built, or does not become ready.
    pub(super) async fn start(
        core: Option<usize>,
        brokers: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let ports = [ReservedPort::loopback()?, ReservedPort::loopback()?];
        let [http, admin] = [ports[0].address(), ports[1].address()];
        let binary = std::env::current_exe()?.with_file_name("web-server");
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(&binary);
                command
            }
            None => Command::new(&binary),
        };
        let child = command
            .env("MLVI_BROKERS", brokers)
            .env("MLVI_HTTP_LISTEN", http.to_string())
            .env("MLVI_ADMIN_LISTEN", admin.to_string())
            .env("MLVI_LOG", "warn")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| match core {
                Some(_) => "cannot start taskset (of the package util-linux)".to_owned(),
                None => format!("cannot start {}", binary.display()),
            })?;
        let mut server = Self { child, http, _ports: ports };
        let started = Instant::now();
        while crate::suite::readyz(admin).await.is_err() {
            if let Some(status) = server.child.try_wait()? {
                anyhow::bail!(
                    "{} has ended before it was ready ({status}); is it built? cargo build \
                     --release -p web-server",
                    binary.display()
                );
            }
            anyhow::ensure!(started.elapsed() < PATIENCE, "the web-server does not become ready");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// taskset becomes the web-server, so that this is its own.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // one that has ended is only waited for
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
