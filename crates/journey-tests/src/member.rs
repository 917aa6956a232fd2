//! Further replicas of a unit, in the groups of a suite.

use crate::units::set_up;
use crate::{Admin, Journey};
use mlvi::suite::UnitKind;
use settings::Settings;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::Listen;

/// A replica that has joined a suite's unit.
#[derive(Debug)]
pub struct Member {
    /// Its admin port.
    pub admin: Admin,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Journey {
    /// Starts another replica of a unit, with this pod's name, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn join(&self, kind: UnitKind, pod: &str) -> Member {
        let own = ("POD_NAME".to_owned(), pod.to_owned());
        let settings = Settings::from_pairs(self.suite.settings_of(kind)).with_overrides([own]);
        let (listen, admin) = Listen::loopback().expect("a free port");
        let shutdown = CancellationToken::new();
        let unit = set_up(kind, settings, Some(listen), shutdown.clone())
            .expect("the suite's settings are valid");
        let member = Member { admin: Admin(admin), shutdown, task: tokio::spawn(unit) };
        member.admin.becomes(200, "").await;
        member
    }
}

impl Member {
    /// Leaves as at SIGTERM: finishes what it has in hand.
    ///
    /// # Panics
    /// When it ends with an error.
    pub async fn leave(mut self) {
        self.shutdown.cancel();
        (&mut self.task)
            .await
            .expect("the unit does not panic")
            .expect("the unit ends without an error");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.task.abort();
    }
}
