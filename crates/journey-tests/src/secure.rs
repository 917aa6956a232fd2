//! The listener of a real broker that speaks TLS and wants a login.

use crate::broker::node;
use frame_bus::BusConfig;
use requires::{Requirement, kafka, skip};
use settings::Settings;
use std::path::PathBuf;

/// The listener with TLS and a login of a node that `.ci/kafka` has started.
#[derive(Clone, Debug)]
pub struct SecureKafka {
    /// Its address, `HOST:PORT`.
    pub address: String,
    secrets: PathBuf,
}

impl SecureKafka {
    /// `None` when the test is skipped. `MLVI_KAFKA_SECRETS` names the folder
    /// with `ca.pem` and the passwords, when it is not that of `.ci/kafka`.
    ///
    /// # Panics
    /// When `MLVI_KAFKA` is no address.
    #[must_use]
    pub fn find() -> Option<Self> {
        let open = kafka()?;
        let secrets = std::env::var_os("MLVI_KAFKA_SECRETS")
            .map_or_else(|| node(&open).join("secrets"), PathBuf::from);
        if !secrets.join("ca.pem").is_file() {
            let file = secrets.join("ca.pem");
            skip(Requirement::KafkaScript, &format!("{} is not there", file.display()));
            return None;
        }
        let (host, port) = open.rsplit_once(':').expect("MLVI_KAFKA is HOST:PORT");
        // as .ci/kafka lays out its ports
        let port = port.parse::<u16>().expect("MLVI_KAFKA is HOST:PORT") + 2;
        Some(Self { address: format!("{host}:{port}"), secrets })
    }

    /// The settings with which a unit logs in there.
    #[must_use]
    pub fn login(&self, user: &str) -> Vec<(&'static str, String)> {
        vec![
            ("MLVI_KAFKA_SECURITY", "sasl_ssl".into()),
            ("MLVI_KAFKA_CA_FILE", self.secrets.join("ca.pem").display().to_string()),
            ("MLVI_KAFKA_USERNAME", user.into()),
            ("MLVI_KAFKA_PASSWORD_FILE", self.secrets.join(user).display().to_string()),
        ]
    }

    /// A client's configuration, logged in as this user.
    ///
    /// # Panics
    /// When the login's settings are not valid.
    #[must_use]
    pub fn as_user(&self, user: &str) -> BusConfig {
        let mut settings = Settings::from_pairs(self.login(user))
            .with_overrides([("MLVI_BROKERS", &self.address)]);
        let config = BusConfig::from_settings(&mut settings, "journey");
        settings.finish().expect("the login's settings are valid");
        config
    }
}
