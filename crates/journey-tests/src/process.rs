//! A unit in a process of its own, to be killed or told to stop, and to be listened to.

use crate::units::set_up;
use crate::{Admin, Journey};
use mlvi::suite::UnitKind;
use settings::Settings;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use unit::{Telemetry, cancel_on_signal};

/// Tells the child process which unit it is.
const UNIT: &str = "MLVI_TEST_UNIT";

/// Makes a thread of the child process panic at its start.
pub const PANIC: &str = "MLVI_TEST_PANIC";

/// The full name of the ignored test that calls [`be_the_unit`]: a process of a unit is this test
/// binary, told to run that one.
pub const UNIT_ENTRY: &str = "a_unit_in_a_process_of_its_own";

const PATIENCE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(20);

/// A unit that runs as a child process.
pub struct UnitProcess {
    /// Which unit.
    pub kind: UnitKind,
    /// Its admin port.
    pub admin: Admin,
    child: Child,
    log: Log,
}

/// What a unit has logged; it stays when the unit has ended.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// All lines up to now.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.kept().clone()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnitProcess {
    /// Starts one with these settings, to which `MLVI_ADMIN_LISTEN` belongs, and does not wait for
    /// it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(kind: UnitKind, admin: Admin, settings: Vec<(String, String)>) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args([UNIT_ENTRY, "--exact", "--ignored", "--nocapture"])
            .envs(settings)
            .env(UNIT, kind.name())
            .env("MLVI_ADMIN_LISTEN", admin.0.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the unit starts");
        let (lines, log) =
            (BufReader::new(child.stderr.take().expect("it is piped")).lines(), Log::default());
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.kept().push(line);
            }
        });
        Self { kind, admin, child, log }
    }

    /// Waits until its log has a line with all these parts, and gives that line.
    ///
    /// # Panics
    /// When none comes.
    pub async fn logs(&self, parts: &[&str]) -> String {
        let started = Instant::now();
        loop {
            let found = self.log.kept().iter().find_map(|line| {
                let found = parts.iter().all(|part| line.contains(part));
                found.then(|| line.clone())
            });
            if let Some(line) = found {
                return line;
            }
            assert!(started.elapsed() < PATIENCE, "{} does not log {parts:?}", self.kind);
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// What it logs.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// Ends it with SIGKILL.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(mut self) {
        assert!(self.child.try_wait().expect("its state").is_none(), "the unit ended by itself");
        self.child.kill().expect("the unit can be killed");
        self.child.wait().expect("the unit is gone");
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it has ended before, or does not end.
    pub async fn terminate(mut self) -> ExitStatus {
        assert!(self.child.try_wait().expect("its state").is_none(), "the unit ended by itself");
        // the shell has a kill of its own
        let told = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status()
            .expect("a shell");
        assert!(told.success(), "the signal was not sent: {told}");
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "{} does not end at SIGTERM", self.kind);
            tokio::time::sleep(MOMENT).await;
        }
    }
}

impl Drop for UnitProcess {
    #[expect(
        clippy::print_stdout,
        reason = "a failed test's output is shown, and the unit's log tells why"
    )]
    fn drop(&mut self) {
        // after `kill` there is nothing left to end; after a panic there is
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log.kept();
            let last = log.len().saturating_sub(30);
            println!("the last of what {} has logged:\n{}", self.kind, log[last..].join("\n"));
        }
    }
}

impl Journey {
    /// Replaces a unit of the suite by a process of its own, with further settings, and waits until
    /// that is ready.
    ///
    /// # Panics
    /// When the process does not come up.
    pub async fn instead_as_process(
        &mut self,
        kind: UnitKind,
        further: &[(&str, &str)],
    ) -> UnitProcess {
        let process = self.replaced_by_process(kind, further).await;
        process.admin.becomes(200, "").await;
        process
    }

    /// The same without waiting, for one that is not to become ready.
    ///
    /// # Panics
    /// When the unit does not stop, or the process does not start.
    pub async fn replaced_by_process(
        &mut self,
        kind: UnitKind,
        further: &[(&str, &str)],
    ) -> UnitProcess {
        self.suite.stop_unit(kind).await.expect("the unit stops");
        let mut settings = self.suite.settings_of(kind);
        settings
            .extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        UnitProcess::start(kind, Admin(self.suite.admin(kind)), settings)
    }
}

/// Is the unit that the environment names, as its binary would be, and ends the process with it.
///
/// # Panics
/// When the environment names none, or has settings that are not allowed.
pub fn be_the_unit() -> ! {
    let name = std::env::var(UNIT).expect("started by a journey");
    let kind =
        UnitKind::ALL.into_iter().find(|kind| kind.name() == name).expect("the name of a unit");
    let mut settings = Settings::from_environment().expect("the environment is readable");
    let pod = settings.optional_text("POD_NAME", "the pod's name");
    Telemetry::from_settings(&mut settings).of(&name, pod).install();
    if std::env::var_os(PANIC).is_some() {
        let panicked = std::thread::spawn(|| panic!("planted\nby a test")).join();
        assert!(panicked.is_err(), "the thread has panicked");
    }
    let token = CancellationToken::new();
    let runtime = tokio::runtime::Runtime::new().expect("an async runtime");
    let ended = runtime.block_on(async {
        cancel_on_signal(token.clone())?;
        set_up(kind, settings, None, token)?.await
    });
    runtime.shutdown_background();
    if let Err(error) = ended {
        tracing::error!(unit = name, error = format!("{error:#}"), "stopped by an error");
        std::process::exit(1);
    }
    std::process::exit(0);
}
