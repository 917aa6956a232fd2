//! `mlvi credentials`: the certificates and passwords with which units log in to the broker, as
//! Secrets for kubectl.

mod certificates;
mod manifest;
mod password;
#[cfg(test)]
mod tests;
mod write;

use clap::Args;
use manifest::Secret;
use settings::{ConfigError, InvalidSetting};
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// What `mlvi credentials` is told.
#[derive(Args, Debug)]
pub struct CredentialsArgs {
    /// The namespace of the Secrets, and of the broker's Services in its certificate
    #[arg(long, value_name = "NAME", default_value = "mlvi")]
    namespace: String,
    /// How many brokers there are, or will be: the names edge-broker-0, edge-broker-1, … of the
    /// certificate
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    brokers: u32,
    /// A further name or address of the broker, for the certificate, e.g. by which the cloud side
    /// reaches it; may be repeated
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How many days the certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 730)]
    valid_days: u32,
    /// Write edge-broker.yml, site.yml and cloud.yml there, readable by this user only, instead of
    /// one list to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files that are there: everyone who has the old ones must then get the new ones
    #[arg(long)]
    force: bool,
}

/// Everything that was made: a Secret for each that needs one.
struct Credentials {
    /// Of the broker: the users' passwords, and its certificate.
    edge_broker: [Secret; 2],
    /// The login of the site's units.
    site: Secret,
    /// The login of the cloud's unit, with the authority that it trusts.
    cloud: Secret,
}

/// Runs it.
///
/// # Errors
/// Options that are not allowed, a terminal in place of a file or a pipe, files that are there
/// already.
pub fn run(args: &CredentialsArgs) -> anyhow::Result<()> {
    args.check()?;
    if args.out.is_none() && std::io::stdout().is_terminal() {
        let allowed = "given, a folder, because secrets are not shown on a terminal; or let a pipe \
            take them: mlvi credentials | kubectl apply -f -";
        return Err(refuse("--out", "", allowed).into());
    }
    match &args.out {
        Some(dir) => {
            let written = write::files(dir, &args.make()?, args.force)?;
            let names: Vec<String> =
                written.iter().map(|path| path.display().to_string()).collect();
            println!("written: {}", names.join(", "));
        }
        None => print!("{}", args.make()?.list()),
    }
    eprintln!(
        "mlvi: the certificates are valid for {} days; their authority's key was thrown away",
        args.valid_days
    );
    Ok(())
}

impl CredentialsArgs {
    fn check(&self) -> Result<(), ConfigError> {
        let letters = |text: &str| {
            text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        };
        let label = |text: &str| {
            (1..=63).contains(&text.len())
                && letters(text)
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        if !label(&self.namespace) {
            return Err(refuse(
                "--namespace",
                &self.namespace,
                "1 to 63 characters out of a-z 0-9 -, with no - at an end",
            ));
        }
        if !(1..=99).contains(&self.brokers) {
            return Err(refuse("--brokers", &self.brokers.to_string(), "a number from 1 to 99"));
        }
        if !(1..=36_500).contains(&self.valid_days) {
            return Err(refuse(
                "--valid-days",
                &self.valid_days.to_string(),
                "a number from 1 to 36500",
            ));
        }
        for host in &self.host {
            let name = host.strip_prefix("*.").unwrap_or(host);
            let is_name =
                name.len() <= 253 && name.split('.').all(|part| label(&part.to_ascii_lowercase()));
            if !is_name && host.parse::<std::net::IpAddr>().is_err() {
                return Err(refuse("--host", host, "a host's name or IP address, without a port"));
            }
        }
        Ok(())
    }

    fn make(&self) -> anyhow::Result<Credentials> {
        let [admin, site, cloud] = [password::random()?, password::random()?, password::random()?];
        let tls = certificates::make(&self.namespace, self.brokers, &self.host, self.valid_days)?;
        let secret =
            |name, entries: &[(&'static str, &str)]| Secret::new(&self.namespace, name, entries);
        let users = [
            ("admin-password", admin.as_str()),
            ("site-password", &site),
            ("cloud-password", &cloud),
        ];
        let shown = [
            ("tls.crt", tls.certificate.as_str()),
            ("tls.key", &tls.key),
            ("ca.crt", &tls.authority),
        ];
        let cloud_login =
            [("username", "cloud"), ("password", cloud.as_str()), ("ca.crt", &tls.authority)];
        Ok(Credentials {
            edge_broker: [
                secret("edge-broker-users", &users),
                secret("edge-broker-tls", &shown).of_type("kubernetes.io/tls"),
            ],
            site: secret("broker-login-site", &[("username", "site"), ("password", &site)]),
            cloud: secret("broker-login-cloud", &cloud_login),
        })
    }
}

impl Credentials {
    /// As one manifest.
    fn list(&self) -> String {
        let [users, tls] = &self.edge_broker;
        manifest::list(&[users, tls, &self.site, &self.cloud])
    }

    /// The files, by name.
    fn files(&self) -> [(&'static str, String); 3] {
        let [users, tls] = &self.edge_broker;
        [
            ("edge-broker.yml", manifest::documents(&[users, tls])),
            ("site.yml", manifest::documents(&[&self.site])),
            ("cloud.yml", manifest::documents(&[&self.cloud])),
        ]
    }
}

fn refuse(name: &'static str, value: &str, allowed: &str) -> ConfigError {
    ConfigError::Invalid(vec![InvalidSetting {
        name,
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    }])
}
