//! `mlvi up`: the whole suite in one process.

use crate::certificate;
use crate::models;
use crate::status_line::StatusLine;
use crate::suite::{BrokerChoice, Entrance, SUITE, Suite, SuiteConfig, UnitKind, within_memory};
use anyhow::Context;
use clap::Args;
use settings::Settings;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::{Health, LogFormat, Tasks, Telemetry, frugal_allocator, raise_descriptor_limit};

/// How long the units may take to become ready on the embedded broker: loading a model on a small
/// board takes several seconds. A broker elsewhere is waited for without limit; the log says so.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a person at a terminal gets to read, unless `MLVI_LOG` says otherwise: what goes wrong, and
/// what is done on their behalf.
const FOR_PEOPLE: &str = "warn,preprocessor::policy_file=info";
/// How much of events' pictures is kept beside the history: some twenty thousand.
const THUMBNAILS_MIB: u32 = 256;
/// An interactive command ends soon after Ctrl-C.
const DRAIN: &str = "5s";
/// How large the history's file gets.
const HISTORY_BOUND: &str = "MLVI_DATABASE_MIB";
/// Its bound here, unless it is told, in MiB.
const HISTORY_MIB: u32 = 4096;
/// A file that keeps to its bound is a little larger at times, by at most that many MiB.
const HISTORY_MARGIN_MIB: u32 = 256;

/// What `mlvi up` can be told. The units' settings can be given as environment variables too (see
/// e.g. `preprocessor --help`), but for their ports and consumer groups, which are the suite's.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Use this Kafka broker instead of the embedded one
    #[arg(long, value_name = "HOST:PORT", env = "MLVI_BROKERS")]
    broker: Option<String>,
    /// Where the embedded broker keeps its data; frames that were accepted survive a restart
    #[arg(long, value_name = "DIR", default_value = ".mlvi/broker")]
    data_dir: PathBuf,
    /// The address of the HTTP port; 0.0.0.0 lets other machines in. Without --tokens-file nobody
    /// has to log in: whoever reaches the port may send frames, and GET /results shows every job's
    /// result to anybody. The admin ports and the embedded broker are not opened by it
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The address of the four units' admin ports (health and metrics), which are on this machine
    /// alone by default
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    admin_host: IpAddr,
    /// The HTTP port; 0 takes any free port
    #[arg(long, default_value_t = 5000)]
    port: u16,
    /// Speak HTTPS, which browsers want for a camera of another machine: with a certificate of its
    /// own, made once, whose fingerprint is shown (your own: MLVI_TLS_CERT and MLVI_TLS_KEY)
    #[arg(long)]
    tls: bool,
    /// Who may send, read and change settings (see `mlvi token new`); read again when it changes
    #[arg(long, value_name = "FILE", env = "MLVI_TOKENS_FILE")]
    tokens_file: Option<PathBuf>,
    /// The model of both tiers
    #[arg(long, value_name = "NAME", env = "MLVI_MODEL", default_value = "yolov3-tiny")]
    model: String,
    /// The model of the cloud, when it is another one
    #[arg(long, value_name = "NAME")]
    cloud_model: Option<String>,
    /// How many model threads there are in total, half of them for each tier (at least one each)
    /// [default: one per core]
    #[arg(long, value_name = "N", env = "MLVI_MODEL_THREADS")]
    model_threads: Option<usize>,
    /// The policy that decides where inference runs: edge-only, cloud-only, alternate, ratio,
    /// deadline, cascade, bandit, freshness or expression [default: alternate]
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// A policy with everything that tunes it (TOML); read again whenever it changes
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    policy_file: Option<PathBuf>,
    /// The rule of the policy `expression`, which it implies, in CEL, e.g. 'edge.backlog > 3'
    #[arg(long, value_name = "CEL")]
    rule: Option<String>,
    /// The share of frames that the policy `ratio`, which it implies, sends to the cloud, 0 to 1
    #[arg(long, value_name = "SHARE")]
    cloud_share: Option<f64>,
    /// Masks and zones of cameras (TOML): what nobody may see, and what has a name; read again
    /// whenever it changes
    #[arg(long, value_name = "FILE", env = "MLVI_REGIONS_FILE")]
    regions_file: Option<PathBuf>,
    /// Let the policy, masks and zones be changed over HTTP while the suite runs (PUT /policy,
    /// `mlvi policy set`, `mlvi regions set`, the dashboard). Whoever reaches the HTTP port can,
    /// then
    #[arg(long)]
    settings_changes: bool,
    /// Keep every result in a database of SQLite's, `results.sqlite` in the data folder, and answer
    /// GET /history from it. MLVI_DATABASE_URL names another one, MLVI_DATABASE_RETENTION says for
    /// how long (30 days), MLVI_THUMBNAILS_MIB how much of events' pictures (256 MiB; 0: none).
    /// Beyond MLVI_DATABASE_MIB (4096 here, some three million results; 0 for no bound) the oldest
    /// results go; a file that is larger already gets no bound unless that is set
    #[arg(long)]
    history: bool,
    /// Export traces to an OpenTelemetry Collector that takes OTLP over HTTP there, e.g.
    /// http://localhost:4318. OTEL_TRACES_SAMPLER and OpenTelemetry's other variables are read, too
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp: Option<String>,
}

impl UpArgs {
    /// The policy whose setting is given without it.
    fn implied_policy(&self) -> Option<&'static str> {
        if self.policy_file.is_some() {
            return None;
        }
        match (&self.rule, self.cloud_share) {
            (Some(_), _) => Some("expression"),
            (None, Some(_)) => Some("ratio"),
            (None, None) => None,
        }
    }

    fn suite(&self, models_dir: &Path) -> SuiteConfig {
        let admin = SocketAddr::from((self.admin_host, 0));
        let broker = match &self.broker {
            Some(brokers) => BrokerChoice::External(brokers.clone()),
            None => BrokerChoice::Embedded {
                dir: self.data_dir.clone(),
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            },
        };
        let threads = self.model_threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
        });
        let (edge_threads, cloud_threads) = (threads.div_ceil(2).max(1), (threads / 2).max(1));
        let cloud_model = self.cloud_model.as_ref().unwrap_or(&self.model);
        let mut config = SuiteConfig {
            broker,
            http: SocketAddr::from((self.host, self.port)),
            admin: [admin; UnitKind::COUNT],
            ..SuiteConfig::embedded("")
        }
        .with("MLVI_MODELS_DIR", models_dir.display())
        .with("MLVI_MODEL", &self.model)
        // a group that the environment names would be that of all three consumers
        .with_unit(UnitKind::Preprocessor, "MLVI_GROUP", "mlvi-preprocessor")
        .with_unit(UnitKind::Preprocessor, "MLVI_REDISPATCH_GROUP", "mlvi-redispatch")
        .with_unit(UnitKind::Preprocessor, "MLVI_EDGE_WORKERS", edge_threads)
        .with_unit(UnitKind::Preprocessor, "MLVI_CLOUD_WORKERS", cloud_threads)
        .with_unit(UnitKind::EdgeInference, "MLVI_GROUP", "mlvi-edge-inference")
        .with_unit(UnitKind::CloudInference, "MLVI_GROUP", "mlvi-cloud-inference")
        .with_unit(UnitKind::ResultsStore, "MLVI_GROUP", "mlvi-results-store")
        .with_unit(UnitKind::CloudInference, "MLVI_MODEL", cloud_model)
        .with_unit(UnitKind::EdgeInference, "MLVI_MODEL_THREADS", edge_threads)
        .with_unit(UnitKind::CloudInference, "MLVI_MODEL_THREADS", cloud_threads);
        if std::env::var_os("MLVI_DRAIN").is_none() {
            config = config.with("MLVI_DRAIN", DRAIN);
        }
        if let Some(policy) = self.policy.as_deref().or(self.implied_policy()) {
            config = config.with("MLVI_POLICY", policy);
        }
        if let Some(file) = &self.policy_file {
            config = config.with("MLVI_POLICY_FILE", file.display());
        }
        if let Some(file) = &self.regions_file {
            config = config.with("MLVI_REGIONS_FILE", file.display());
        }
        if let Some(file) = &self.tokens_file {
            config = config.with_unit(UnitKind::WebServer, "MLVI_TOKENS_FILE", file.display());
        }
        if let Some(rule) = &self.rule {
            config = config.with("MLVI_RULE", rule);
        }
        if let Some(share) = self.cloud_share {
            config = config.with("MLVI_CLOUD_SHARE", share);
        }
        if self.history && !is_set("MLVI_THUMBNAILS_MIB") {
            config =
                config.with_unit(UnitKind::ResultsStore, "MLVI_THUMBNAILS_MIB", THUMBNAILS_MIB);
        }
        if self.history && !is_set("MLVI_DATABASE_URL") {
            let file = self.data_dir.join("results.sqlite");
            config = config.with("MLVI_DATABASE_URL", format!("sqlite:{}", file.display()));
            if !is_set(HISTORY_BOUND) && keeps_to_bound(&file) {
                config = config.with_unit(UnitKind::ResultsStore, HISTORY_BOUND, HISTORY_MIB);
            }
        }
        if let Some(endpoint) = &self.otlp {
            config = config.with("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        }
        if self.settings_changes {
            config = config.with_unit(UnitKind::WebServer, "MLVI_SETTINGS_CHANGES", "on");
        }
        config.inherit_environment = true;
        within_memory(config)
    }
}

/// Whether environment or file have a setting.
fn is_set(name: &'static str) -> bool {
    Settings::from_environment()
        .is_ok_and(|mut settings| settings.optional_text(name, "a setting").is_some())
}

/// Whether the history's file may have the bound that nobody has set: a larger one, from before
/// there was a bound, would lose its oldest results.
fn keeps_to_bound(file: &Path) -> bool {
    let mib = std::fs::metadata(file).map_or(0, |file| file.len() >> 20);
    let keeps = mib <= u64::from(HISTORY_MIB + HISTORY_MARGIN_MIB);
    if !keeps {
        tracing::warn!(
            file = %file.display(),
            mib,
            "the history is larger than the {HISTORY_MIB} MiB that it has by default, and gets no \
             bound, so that nothing of it is removed: {HISTORY_BOUND} sets one"
        );
    }
    keeps
}

/// Runs the suite until Ctrl-C or SIGTERM.
///
/// # Errors
/// When the model cannot be had, a setting is not allowed, a port cannot be bound, or a unit ends
/// by itself, e.g. because one of its background tasks has failed: the error names the unit.
pub fn run(args: UpArgs, models_dir: &Path) -> anyhow::Result<()> {
    frugal_allocator();
    let mut settings = Settings::from_environment()?;
    let mut telemetry = Telemetry::from_settings(&mut settings);
    settings.finish()?;
    let line = StatusLine::of_this_terminal();
    match &line {
        Some(line) => {
            let told = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            if !told("MLVI_LOG") {
                telemetry.filter = FOR_PEOPLE.parse().context("what is logged")?;
            }
            if !told("MLVI_LOG_FORMAT") {
                telemetry.format = LogFormat::Short;
            }
            telemetry.install_on(line.writer());
        }
        None => telemetry.install(),
    }
    raise_descriptor_limit();
    let mut config = args.suite(models_dir);
    if args.tls {
        let files = certificate::ensure_beside(&args.data_dir, args.host)?;
        config = config
            .with_unit(UnitKind::WebServer, "MLVI_TLS_CERT", files.certificate.display())
            .with_unit(UnitKind::WebServer, "MLVI_TLS_KEY", files.key.display());
    }
    config.check()?;
    if args.history {
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("the data folder {}", args.data_dir.display()))?;
    }
    models::ensure(models_dir, &args.model)?;
    if let Some(cloud_model) = &args.cloud_model {
        models::ensure(models_dir, cloud_model)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime")?;
    let outcome = runtime.block_on(serve(config, line));
    runtime.shutdown_background();
    outcome
}

async fn serve(config: SuiteConfig, line: Option<StatusLine>) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let tasks = Tasks::new(Health::of(SUITE), shutdown.clone(), config.faults.clone());
    tasks.stop_on_signal()?;
    let patience = match config.broker {
        BrokerChoice::Embedded { .. } => PATIENCE,
        BrokerChoice::External(_) => Duration::MAX,
    };
    let entrance = config.entrance()?;
    let mut suite = Suite::start(config).await?;
    let outcome = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        outcome = run_until_one_ends(&mut suite, patience, &entrance, line.as_ref()) => outcome,
    };
    // what is logged from now on stands by itself
    drop(line);
    let stopped = suite.stop().await;
    // the shutdown may have come because nobody waits for signals any more
    let outcome = outcome.and(tasks.failure().map_or(Ok(()), |failure| Err(failure.into())));
    outcome.and(stopped)
}

async fn run_until_one_ends(
    suite: &mut Suite,
    patience: Duration,
    entrance: &Entrance,
    line: Option<&StatusLine>,
) -> anyhow::Result<()> {
    let Some(line) = line else {
        suite.ready(patience).await?;
        announce(suite, entrance);
        return Err(suite.until_one_ends().await);
    };
    suite.ready_telling(patience, |kind, reason| line.waits_for(kind.name(), reason)).await?;
    line.aside(|| announce(suite, entrance));
    let admin = [UnitKind::WebServer, UnitKind::Preprocessor].map(|kind| suite.admin(kind));
    tokio::select! {
        error = suite.until_one_ends() => Err(error),
        never = line.follow(admin) => match never {},
    }
}

fn announce(suite: &Suite, entrance: &Entrance) {
    let http = suite.http();
    print!("{}", exposure(http.ip(), entrance.tokens, suite.admin(UnitKind::WebServer).ip()));
    let scheme = if entrance.certificate.is_some() { "https" } else { "http" };
    // nobody but itself vouches for a certificate of our own
    let ca = entrance.certificate_file.as_deref().map(Path::display);
    let curl = format!(
        "curl{}{}",
        ca.as_ref().map_or_else(String::new, |ca| format!(" --cacert {ca}")),
        if entrance.tokens { " -H \"Authorization: Bearer $MLVI_TOKEN\"" } else { "" }
    );
    println!("\nMLVI is up at {scheme}://{http}");
    if let Some(der) = &entrance.certificate {
        println!("  its certificate is      SHA-256 {}", certificate::fingerprint(der));
    }
    if let Some(ca) = ca {
        println!("  trust it:               mlvi push --server {scheme}://{http} --ca {ca} PHOTO");
    }
    println!(
        "  a photo in, boxes out:  {curl} -F image=@images/coffee.jpg \
         '{scheme}://{http}/inference?wait=10s'"
    );
    println!("  results as they come:   {curl} -N {scheme}://{http}/results");
    for kind in UnitKind::ALL {
        println!("  {:<22}  http://{}/metrics", kind.name(), suite.admin(kind));
    }
    println!("  broker                  {}", suite.brokers());
    println!("Ctrl-C stops it.\n");
}

/// What other machines can reach, a line each; empty when they reach nothing.
fn exposure(http: IpAddr, tokens: bool, admin: IpAddr) -> String {
    let mut text = String::new();
    if !http.is_loopback() && !tokens {
        text += &format!(
            "\nThe HTTP port is open to other machines (--host {http}), and nobody has to log in: \
             whoever reaches it may send frames,\n\
             and GET /results shows every job's result to anybody. `mlvi token new` and \
             --tokens-file change that.\n"
        );
    }
    if !admin.is_loopback() {
        text += &format!(
            "\nThe admin ports are open to other machines (--admin-host {admin}): health and \
             metrics, for anybody.\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Up {
        #[command(flatten)]
        args: UpArgs,
    }

    fn suite(arguments: &[&str]) -> SuiteConfig {
        Up::parse_from([&["up"][..], arguments].concat()).args.suite(Path::new("models"))
    }

    #[test]
    fn the_host_opens_the_http_port_and_nothing_else() {
        let config = suite(&["--host", "0.0.0.0", "--port", "0"]);
        assert_eq!(config.http.ip(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert!(config.admin.iter().all(|admin| admin.ip().is_loopback()));
        assert!(
            matches!(config.broker, BrokerChoice::Embedded { listen, .. } if listen.ip().is_loopback())
        );
        let config = suite(&["--admin-host", "0.0.0.0"]);
        assert!(config.http.ip().is_loopback());
        assert!(config.admin.iter().all(|admin| admin.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    }

    #[test]
    fn a_policys_setting_implies_the_policy() {
        let policy = |arguments: &[&str]| {
            let config = suite(arguments);
            let settings = config.settings_of(UnitKind::Preprocessor);
            settings.into_iter().find(|(name, _)| name == "MLVI_POLICY").map(|(_, value)| value)
        };
        assert_eq!(policy(&[]), None);
        assert_eq!(policy(&["--rule", "edge.backlog > 3"]).as_deref(), Some("expression"));
        assert_eq!(policy(&["--cloud-share", "0.3"]).as_deref(), Some("ratio"));
        let both = ["--policy", "deadline", "--cloud-share", "0.3"];
        assert_eq!(policy(&both).as_deref(), Some("deadline"));
        assert_eq!(policy(&["--policy-file", "p.toml", "--cloud-share", "0.3"]), None);
    }

    #[test]
    fn a_history_keeps_pictures_of_events_beside_it() {
        let store = |arguments: &[&str], wanted: &str| {
            let settings = suite(arguments).settings_of(UnitKind::ResultsStore);
            settings.into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
        };
        let arguments = ["--history", "--data-dir", "x", "--regions-file", "regions.toml"];
        assert_eq!(
            store(&arguments, "MLVI_DATABASE_URL").as_deref(),
            Some("sqlite:x/results.sqlite")
        );
        assert_eq!(store(&arguments, "MLVI_THUMBNAILS_MIB").as_deref(), Some("256"));
        // what is masked in one unit is masked in this one, too
        assert_eq!(store(&arguments, "MLVI_REGIONS_FILE").as_deref(), Some("regions.toml"));
        assert_eq!(store(&[], "MLVI_THUMBNAILS_MIB"), None);
    }

    #[test]
    fn a_history_that_is_larger_than_the_default_loses_nothing_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--history", "--data-dir", folder.path().to_str().unwrap()];
        let bound = || {
            let settings = suite(&arguments).settings_of(UnitKind::ResultsStore);
            settings.into_iter().find(|(name, _)| name == HISTORY_BOUND).map(|(_, value)| value)
        };
        assert_eq!(bound().as_deref(), Some("4096"));
        // no blocks are taken for it
        let file = std::fs::File::create(folder.path().join("results.sqlite")).unwrap();
        file.set_len(4_000 << 20).unwrap();
        assert_eq!(bound().as_deref(), Some("4096"));
        file.set_len(5_000 << 20).unwrap();
        assert_eq!(bound(), None);
    }

    #[test]
    fn what_is_open_is_said() {
        let (here, anywhere) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert_eq!(exposure(here, false, here), "");
        assert_eq!(exposure(anywhere, true, here), "", "tokens are asked for");
        assert!(
            exposure(anywhere, false, here).contains("GET /results shows every job")
                && !exposure(anywhere, false, here).contains("admin")
        );
        assert!(exposure(here, false, anywhere).contains("--admin-host 0.0.0.0"));
        let help = <Up as clap::CommandFactory>::command()
            .render_long_help()
            .to_string()
            .replace('\n', " ");
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("GET /results shows every job's result to anybody"), "{help}");
    }
}
