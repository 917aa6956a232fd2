//! The whole `main` of a unit binary.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "help and configuration errors are for the person at the terminal"
)]

use crate::probe::{self, Question};
use crate::shell::{host_name, pod_name};
use crate::{
    Faults, Health, Listen, Memory, ShellConfig, TaskFailure, Tasks, Telemetry, frugal_allocator,
    raise_descriptor_limit,
};
use settings::{CONFIG_FILE_VARIABLE, ConfigError, Settings, UnreadVariable};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use text::with_causes;
use tokio_util::sync::CancellationToken;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;

/// The exit code for a configuration that a unit cannot start with: `EX_USAGE` of `sysexits.h`.
pub const EXIT_USAGE: u8 = 64;

/// How long the unit may take to stop when the process's own task has failed: longer than any unit
/// may be told to drain.
const STOPS_WITHIN: Duration = Duration::from_secs(660);

/// Reads the settings, installs tracing, raises the limit of open files, runs the unit until it
/// ends or a signal comes.
///
/// Answers `--help` with every variable that `parse` reads, and `--ready` and `--live` with what a
/// process of the same settings that runs already says of itself (exit code 0 or 1). Exits 64 when
/// a setting is not allowed, naming it, and 1 when `run` or a background task fails. `about` is one
/// sentence on what the unit does.
pub fn main_with<C, E, F>(
    unit: &'static str,
    about: &str,
    parse: fn(&mut Settings) -> C,
    run: impl FnOnce(C, CancellationToken) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: AsRef<dyn Error> + From<std::io::Error> + From<TaskFailure>,
{
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("-h" | "--help") => {
            print!("{}", help(unit, about, parse));
            return ExitCode::SUCCESS;
        }
        Some("-V" | "--version") => {
            println!("{unit} {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some("--ready") => return ask(unit, Question::Ready),
        Some("--live") => return ask(unit, Question::Live),
        Some(other) => {
            eprintln!(
                "{unit}: unknown argument '{other}': settings come from environment variables, see \
                 {unit} --help"
            );
            return ExitCode::from(EXIT_USAGE);
        }
    }
    frugal_allocator();
    let config = match read(unit, parse) {
        Ok(config) => config,
        Err(refused) => {
            refused.tell(unit);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{unit}: cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let tasks = Tasks::new(Health::of(unit), shutdown.clone(), Faults::default());
        tasks.stop_on_signal()?;
        tracing::info!(unit, version = env!("CARGO_PKG_VERSION"), memory = %Memory::of_this_process(), "starting");
        tasks.supervise(run(config, shutdown), STOPS_WITHIN).await
    });
    // whatever still runs belongs to frames that were not finished within the drain time: they are
    // not committed
    runtime.shutdown_background();
    match outcome {
        Ok(()) => {
            tracing::info!(unit, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(unit, error = with_causes(error.as_ref()), "stopped by an error");
            ExitCode::FAILURE
        }
    }
}

/// The answer goes to standard output, and says why when it is no.
fn ask(unit: &'static str, question: Question) -> ExitCode {
    let address = Settings::from_environment()
        .map(|mut settings| ShellConfig::from_settings(&mut settings, unit).admin);
    let answer = match address {
        Ok(Listen::Address(admin)) => probe::ask(admin, question),
        Ok(Listen::Bound(_)) => unreachable!("settings give addresses"),
        Err(error) => {
            eprintln!("{unit}: the configuration is not valid\n{error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match answer {
        Ok(answer) => {
            println!("{}", answer.text);
            if answer.yes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{unit}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A configuration that is not valid, and where to say so.
struct Refused {
    error: ConfigError,
    telemetry: Box<Telemetry>,
}

impl Refused {
    /// For whoever reads JSON logs one event, for others lines of text.
    fn tell(self, unit: &'static str) {
        let Self { error, telemetry } = self;
        if telemetry.is_json() {
            event_of(&error, *telemetry, std::io::stderr);
        } else {
            eprintln!("{unit}: the configuration is not valid\n{error}");
        }
    }
}

/// It is seen whatever `MLVI_LOG` says: nothing else tells why the process ends.
fn event_of<W>(error: &ConfigError, mut telemetry: Telemetry, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    telemetry.filter = Targets::new().with_default(Level::ERROR);
    tracing::subscriber::with_default(telemetry.subscriber(writer), || {
        tracing::error!(%error, "the configuration is not valid");
    });
}

fn read<C>(unit: &str, parse: fn(&mut Settings) -> C) -> Result<C, Refused> {
    let settings = Settings::from_environment();
    let mut settings = settings.map_err(|error| {
        let telemetry = Telemetry::from_settings(&mut Settings::from_pairs([("", "")]));
        Refused { error, telemetry: Box::new(telemetry.of(unit, None)) }
    })?;
    let telemetry = Telemetry::from_settings(&mut settings);
    let config = parse(&mut settings);
    let unread = settings.unread(&[]);
    // every unit reads it with its shell's settings, too
    let telemetry = telemetry.of(unit, pod_name(&mut settings).or_else(host_name));
    if let Err(error) = settings.finish() {
        return Err(Refused { error, telemetry: Box::new(telemetry) });
    }
    telemetry.install();
    for UnreadVariable { name, nearest } in unread {
        let nearest = nearest.unwrap_or_default();
        tracing::warn!(variable = name, nearest, "a variable is set that this unit does not read");
    }
    Ok(config)
}

fn help<C>(unit: &str, about: &str, parse: fn(&mut Settings) -> C) -> String {
    let mut settings = Settings::from_pairs([("", "")]);
    Telemetry::from_settings(&mut settings);
    parse(&mut settings);
    let mut text = format!(
        "{unit}: {about}\n\nUsage: {unit}            runs until SIGTERM or Ctrl-C\n       {unit} \
         --help     this text\n       \
         {unit} --ready    asks the process that runs with these settings whether it is \
         ready\n       \
         {unit} --live     asks it whether it is alive\n       {unit} --version\n\nSettings \
         (environment variables, or lines VARIABLE = value in the TOML file that \
         {CONFIG_FILE_VARIABLE} names):\n"
    );
    for variable in settings.variables() {
        let default = if variable.default.is_empty() {
            String::new()
        } else {
            format!(" [default: {}]", variable.default)
        };
        text += &format!(
            "\n  {}{default}\n      {}\n      ({})\n",
            variable.name, variable.help, variable.allowed
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::Buffer;

    #[test]
    fn a_refused_configuration_is_told_whatever_is_logged() {
        for filter in ["off", "frame_bus=debug", "info"] {
            let mut settings = Settings::from_pairs([
                ("MLVI_LOG", filter),
                ("MLVI_LOG_FORMAT", "json"),
                ("MLVI_THREADS", "many"),
            ]);
            let telemetry = Telemetry::from_settings(&mut settings).of("unit", None);
            settings.number("MLVI_THREADS", 2u8, 1..=64, "how many threads");
            let (error, buffer) = (settings.finish().unwrap_err(), Buffer::default());
            let writer = buffer.clone();
            event_of(&error, telemetry, move || writer.clone());
            let text = buffer.text();
            assert!(text.contains("ERROR") && text.contains("MLVI_THREADS"), "{filter}: {text}");
        }
    }

    #[test]
    fn help_lists_every_variable_with_its_default_and_what_is_allowed() {
        let text = help("unit", "does its work", |settings| {
            settings.number("MLVI_THREADS", 2u8, 1..=64, "how many threads")
        });
        for part in [
            "does its work",
            "MLVI_THREADS [default: 2]",
            "how many threads",
            "from 1 to 64",
            "MLVI_LOG",
            "MLVI_CONFIG",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}
