//! A unit in a process of its own, to be killed.

use crate::Journey;
use mlvi::suite::UnitKind;
use settings::Settings;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Tells the child process which unit it is.
const UNIT: &str = "MLVI_TEST_UNIT";

/// A unit that runs as a child process.
pub struct UnitProcess(Child);

impl UnitProcess {
    /// Ends it with SIGKILL.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(mut self) {
        assert!(self.0.try_wait().expect("its state").is_none(), "the unit ended by itself");
        self.0.kill().expect("the unit can be killed");
        self.0.wait().expect("the unit is gone");
    }
}

impl Drop for UnitProcess {
    fn drop(&mut self) {
        // after `kill` there is nothing left to end; after a panic there is
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Journey {
    /// Replaces a unit of the suite by a process of its own and waits until that is ready. `entry` is the full name of the ignored
    /// test that calls [`be_the_unit`].
    ///
    /// # Panics
    /// When the process does not come up.
    pub async fn instead_as_process(&mut self, kind: UnitKind, entry: &str) -> UnitProcess {
        self.suite.stop_unit(kind).await.expect("the unit stops");
        let admin = self.suite.admin(kind);
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args([entry, "--exact", "--ignored", "--nocapture"])
            .env(UNIT, kind.name())
            .env("MLVI_ADMIN_LISTEN", admin.to_string())
            .envs(self.suite.settings_of(kind))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the unit starts");
        let process = UnitProcess(child);
        self.ready_again(admin).await;
        process
    }

    async fn ready_again(&self, admin: SocketAddr) {
        let agent = ureq::Agent::new_with_defaults();
        for _ in 0..600 {
            let (agent, url) = (agent.clone(), format!("http://{admin}/readyz"));
            if tokio::task::spawn_blocking(move || agent.get(url).call().is_ok()).await.expect("no panic") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the unit at {admin} does not become ready");
    }
}

/// Is the unit that the environment names, until the process is killed.
///
/// # Panics
/// When the environment names none, or the unit ends.
pub fn be_the_unit() {
    let name = std::env::var(UNIT).expect("started by a journey");
    let mut settings = Settings::from_environment().expect("the environment is readable");
    let token = CancellationToken::new();
    let runtime = tokio::runtime::Runtime::new().expect("an async runtime");
    let ended = match name.as_str() {
        "preprocessor" => {
            let config = preprocessor::Config::from_settings(&mut settings);
            settings.finish().expect("the suite's settings are valid");
            runtime.block_on(preprocessor::run(config, token))
        }
        "edge-inference" => {
            let config = edge_inference::config(&mut settings);
            settings.finish().expect("the suite's settings are valid");
            runtime.block_on(edge_inference::run(config, token))
        }
        "cloud-inference" => {
            let config = cloud_inference::config(&mut settings);
            settings.finish().expect("the suite's settings are valid");
            runtime.block_on(cloud_inference::run(config, token))
        }
        other => panic!("no journey kills the unit '{other}'"),
    };
    panic!("the unit has ended: {ended:?}");
}
