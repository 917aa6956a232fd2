//! TLS and login: what a client needs for a listener that is not open to everyone.

mod from_settings;

#[cfg(test)]
mod tests;

use rdkafka::ClientConfig;
use std::fmt;
use std::path::PathBuf;
use tracing::warn;

/// How clients connect: with or without TLS, with or without a login. The default is neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS, if the listener speaks it.
    pub tls: Option<Tls>,
    /// The login, if the listener wants one.
    pub login: Option<Login>,
}

/// What TLS needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authority that signed the broker's certificate (PEM); the system's authorities if
    /// `None`.
    pub ca_file: Option<PathBuf>,
    /// What this client shows, for a listener that wants to see it (mutual TLS).
    pub identity: Option<Identity>,
}

/// A client's certificate and its key, PEM files both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, with those between it and the authority.
    pub certificate_file: PathBuf,
    /// Its key, not encrypted.
    pub key_file: PathBuf,
}

/// A user and how it proves to be that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The way of proving it.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Password,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// A challenge; the password does not travel.
    #[default]
    ScramSha512,
    /// The same with a shorter hash.
    ScramSha256,
    /// The password as it is: only over TLS.
    Plain,
}

impl Mechanism {
    /// The name that Kafka knows it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}

impl Security {
    /// The protocol's name in Kafka's words, as `MLVI_KAFKA_SECURITY` has it.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }

    /// Whom the broker takes this client for, in words.
    pub(crate) fn who(&self) -> String {
        match &self.login {
            Some(login) => format!("user '{}'", login.username),
            None => "a client without a login".into(),
        }
    }

    /// Says at the start that a password travels so that anybody on the way can read it.
    pub(crate) fn warn_of_open_password(&self) {
        if let (None, Some(Login { mechanism: Mechanism::Plain, username, .. })) =
            (&self.tls, &self.login)
        {
            let mend = "set MLVI_KAFKA_SECURITY to sasl_ssl, or MLVI_KAFKA_SASL_MECHANISM to \
                        SCRAM-SHA-512";
            warn!(
                username,
                mend, "PLAIN over sasl_plaintext: the password goes to the broker as readable text"
            );
        }
    }

    /// Sets the client's properties.
    pub(crate) fn apply(&self, properties: &mut ClientConfig) {
        properties.set("security.protocol", self.protocol());
        if let Some(login) = &self.login {
            properties
                .set("sasl.mechanisms", login.mechanism.name())
                .set("sasl.username", &login.username)
                .set("sasl.password", &login.password.0);
        }
        let Some(tls) = &self.tls else { return };
        // librdkafka's defaults since 2.0, said here since everything hangs on them: a certificate
        // must be trusted, and made for the name by which the broker is called
        properties
            .set("enable.ssl.certificate.verification", "true")
            .set("ssl.endpoint.identification.algorithm", "https");
        if let Some(file) = &tls.ca_file {
            properties.set("ssl.ca.location", file.to_string_lossy());
        }
        if let Some(identity) = &tls.identity {
            properties
                .set("ssl.certificate.location", identity.certificate_file.to_string_lossy())
                .set("ssl.key.location", identity.key_file.to_string_lossy());
        }
    }
}

/// A client's complaint about its properties, in the words of our variables.
pub(crate) fn in_our_words(complaint: &str) -> String {
    [
        ("ssl.ca.location", from_settings::CA_FILE),
        ("ssl.certificate.location", from_settings::CERTIFICATE_FILE),
        ("ssl.key.location", from_settings::KEY_FILE),
    ]
    .iter()
    .fold(complaint.to_owned(), |text, (property, variable)| text.replace(property, variable))
}
