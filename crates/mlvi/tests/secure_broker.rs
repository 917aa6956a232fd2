//! The proof of `mlvi credentials` and `mlvi topics`: an Apache Kafka that shows the certificate
//! and knows the passwords, and clients that log in with what is theirs. `MLVI_KAFKA_SCRIPT` names
//! `.ci/kafka`; unset, this test is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a helper of tests may panic and print as tests do"
)]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use mlvi_kubernetes::credentials::CredentialsArgs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The open one; the secure one is two further.
const PORT: &str = "19396";
/// By name: the certificate must have it.
const SECURE: &str = "localhost:19398";

/// The node; stopped when it is dropped, also by a test that fails.
struct Node(PathBuf);

impl Node {
    fn start(script: PathBuf, secrets: &Path) -> Result<Self> {
        let status =
            Command::new(&script).args(["start", PORT]).env("KAFKA_SECRETS", secrets).status()?;
        ensure!(
            status.success(),
            "the broker did not start with the certificate of mlvi credentials"
        );
        Ok(Self(script))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !Command::new(&self.0).args(["stop", PORT]).status().is_ok_and(|status| status.success())
        {
            eprintln!("the node on port {PORT} was not stopped");
        }
    }
}

/// The entries of a file's Secrets, by `name/key`.
fn entries(file: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut found = BTreeMap::new();
    for document in text.split("\n---\n") {
        let secret: Value = serde_saphyr::from_str(document)?;
        let name = secret["metadata"]["name"].as_str().context("a name")?;
        for (key, value) in secret["stringData"].as_object().context("stringData")? {
            found.insert(format!("{name}/{key}"), value.as_str().context("a text")?.to_owned());
        }
    }
    Ok(found)
}

/// A user's view, as its pod has it: the Secret as a folder of files.
struct Client {
    user: &'static str,
    mounted: PathBuf,
}

impl Client {
    fn mlvi(&self, partitions: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlvi"));
        command.args(arguments);
        command.env_clear().envs([
            ("MLVI_BROKERS", SECURE),
            ("MLVI_PARTITIONS", partitions),
            ("MLVI_KAFKA_SECURITY", "sasl_ssl"),
            ("MLVI_KAFKA_USERNAME", self.user),
        ]);
        command.env("MLVI_KAFKA_PASSWORD_FILE", self.mounted.join("password"));
        command.env("MLVI_KAFKA_CA_FILE", self.mounted.join("ca.crt"));
        let output = command.output()?;
        println!(
            "{arguments:?} as {}: {}\n{}{}",
            self.user,
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
        Ok(output)
    }
}

/// `mlvi credentials` as the command line reads it; it lives in another binary.
#[derive(Parser)]
struct Credentials {
    #[command(flatten)]
    args: CredentialsArgs,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn make_secrets(dir: &Path) -> Result<(PathBuf, Client, Client)> {
    let made = dir.join("made");
    let arguments = ["credentials".as_ref(), "--out".as_ref(), made.as_os_str()];
    mlvi_kubernetes::credentials::run(&Credentials::try_parse_from(arguments)?.args)?;
    let broker = entries(&made.join("edge-broker.yml"))?;
    let server = dir.join("broker");
    fs::create_dir(&server)?;
    fs::write(server.join("ca.pem"), &broker["edge-broker-tls/ca.crt"])?;
    fs::write(
        server.join("server.pem"),
        broker["edge-broker-tls/tls.key"].clone() + &broker["edge-broker-tls/tls.crt"],
    )?;
    for user in ["admin", "site", "cloud"] {
        fs::write(server.join(user), &broker[&format!("edge-broker-users/{user}-password")])?;
    }
    fs::write(server.join("stranger"), "somebody-else-altogether")?;

    let client = |user: &'static str, file: &str| -> Result<Client> {
        let mounted = dir.join(user);
        fs::create_dir(&mounted)?;
        // the site's Secret has no authority: inside it comes without TLS; here it borrows the
        // broker's
        fs::write(mounted.join("ca.crt"), &broker["edge-broker-tls/ca.crt"])?;
        for (name, value) in entries(&made.join(file))? {
            fs::write(mounted.join(name.rsplit('/').next().unwrap_or_default()), value)?;
        }
        assert_eq!(fs::read_to_string(mounted.join("username"))?, user);
        Ok(Client { user, mounted })
    };
    Ok((server, client("site", "site.yml")?, client("cloud", "cloud.yml")?))
}

#[test]
fn a_broker_takes_what_credentials_makes_and_topics_are_made_by_whoever_may() -> Result<()> {
    let Some(script) = requires::kafka_script() else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (server, site, cloud) = make_secrets(dir.path())?;
    let _node = Node::start(script, &server)?;

    let refused = cloud.mlvi("2", &["topics", "create"])?;
    let why = text(&refused.stderr);
    assert!(
        !refused.status.success()
            && why.contains("user 'cloud'")
            && why.contains("topic 'mlvi.frames'"),
        "{why}"
    );

    let made = site.mlvi("2", &["topics", "create"])?;
    assert!(
        made.status.success()
            && text(&made.stdout).contains("mlvi.frames.cloud: made with 2 partitions")
    );
    let again = site.mlvi("3", &["topics", "create"])?;
    assert!(
        again.status.success()
            && text(&again.stdout).contains("`mlvi topics create --grow` adds them")
    );
    let grown = site.mlvi("3", &["topics", "create", "--grow"])?;
    assert!(
        grown.status.success()
            && text(&grown.stdout).contains("mlvi.results: from 2 to 3 partitions")
    );

    // the cloud sees what is its own
    let listed = cloud.mlvi("3", &["topics", "list", "--json"])?;
    let rows: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
    let partitions: Vec<(&str, &Value)> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), &row["partitions"])).collect();
    let (three, unseen) = (Value::from(3), Value::Null);
    let expected = [
        ("mlvi.frames", &unseen),
        ("mlvi.frames.edge", &unseen),
        ("mlvi.frames.cloud", &three),
        ("mlvi.results", &three),
        ("mlvi.dead-letter", &three),
        ("mlvi.settings", &unseen),
    ];
    assert_eq!(partitions, expected);

    fs::write(site.mounted.join("password"), "not it\n")?;
    let wrong = site.mlvi("3", &["topics", "list", "--timeout", "10s"])?;
    let why = text(&wrong.stderr);
    assert!(
        !wrong.status.success() && why.contains("(sasl_ssl) refuses the login of user 'site'"),
        "{why}"
    );
    assert!(!why.contains("not it"), "{why}");
    fs::write(site.mounted.join("password"), "\n")?;
    let empty = site.mlvi("3", &["topics", "list"])?;
    assert_eq!(empty.status.code(), Some(64), "{}", text(&empty.stderr));
    Ok(())
}
