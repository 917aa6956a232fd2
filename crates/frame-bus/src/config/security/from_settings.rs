//! Security from settings.

use super::{Identity, Login, Mechanism, Password, Security, Tls};
use settings::Settings;
use std::path::{Path, PathBuf};

pub(super) const CA_FILE: &str = "MLVI_KAFKA_CA_FILE";
pub(super) const CERTIFICATE_FILE: &str = "MLVI_KAFKA_CERTIFICATE_FILE";
pub(super) const KEY_FILE: &str = "MLVI_KAFKA_KEY_FILE";
const SECURITY: &str = "MLVI_KAFKA_SECURITY";
const USERNAME: &str = "MLVI_KAFKA_USERNAME";
const PASSWORD: &str = "MLVI_KAFKA_PASSWORD";
const PASSWORD_FILE: &str = "MLVI_KAFKA_PASSWORD_FILE";
/// What stands in an error in place of a password.
const NOT_SHOWN: &str = "(not shown)";

/// The values as they were set.
struct Values {
    protocol: &'static str,
    mechanism: Mechanism,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl Security {
    /// Reads `MLVI_KAFKA_SECURITY` and what goes with it; files are checked here, so that a
    /// missing one is a problem of the settings.
    ///
    /// Files for TLS without TLS are not read, since one Secret may be mounted for several
    /// listeners. A user name or password without a login is refused: whoever set it believes
    /// that it is used.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let values = Values::read(settings);
        let wants_login = values.protocol.starts_with("sasl");
        let wants_tls = values.protocol.ends_with("ssl");
        let login = if wants_login { values.login(settings) } else { None };
        if !wants_login {
            values.refuse_login(settings);
        }
        Self { tls: wants_tls.then(|| values.tls(settings)), login }
    }
}

impl Values {
    fn read(settings: &mut Settings) -> Self {
        let mechanisms = [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain]
            .map(|mechanism| (mechanism.name(), mechanism));
        let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].map(|name| (name, name));
        let mut file = |name, help| settings.optional_text(name, help).map(PathBuf::from);
        let password_file = file(
            PASSWORD_FILE,
            "a file with the password, e.g. of a mounted Secret; read at the start, wins over \
             MLVI_KAFKA_PASSWORD",
        );
        let ca_file = file(
            CA_FILE,
            "the authority that signed the broker's certificate, PEM; the system's authorities if \
             unset; for TLS",
        );
        let certificate_file = file(
            CERTIFICATE_FILE,
            "this client's certificate, PEM, for a broker that wants to see one; for TLS",
        );
        let key_file =
            file(KEY_FILE, "the key of MLVI_KAFKA_CERTIFICATE_FILE, PEM, not encrypted; for TLS");
        Self {
            protocol: settings.choice(
                SECURITY,
                "plaintext",
                &protocols,
                "what the broker's listener speaks: TLS is ssl, a login is sasl",
            ),
            mechanism: settings.choice(
                "MLVI_KAFKA_SASL_MECHANISM",
                Mechanism::default().name(),
                &mechanisms,
                "how the user is proved, when there is a login",
            ),
            username: settings.optional_text(USERNAME, "the user that logs in at the broker"),
            password: settings.optional_text(PASSWORD, "the user's password; never logged"),
            password_file,
            ca_file,
            certificate_file,
            key_file,
        }
    }

    fn login(&self, settings: &mut Settings) -> Option<Login> {
        let password = self.password(settings);
        let Some(username) = self.username.clone() else {
            settings.refuse(
                USERNAME,
                "",
                format!("a user's name, because {SECURITY} is {}", self.protocol),
            );
            return None;
        };
        Some(Login { mechanism: self.mechanism, username, password: password? })
    }

    fn password(&self, settings: &mut Settings) -> Option<Password> {
        let Some(file) = &self.password_file else {
            if self.password.is_none() {
                let allowed = format!(
                    "a password, or unset with {PASSWORD_FILE} naming a file, because {SECURITY} \
                     is {}",
                    self.protocol
                );
                settings.refuse(PASSWORD, "", allowed);
            }
            return self.password.clone().map(Password);
        };
        let shown = file.display().to_string();
        match text::read(file) {
            Ok(text) => {
                // an editor or `echo` ends a file with a line break
                let password = text.trim_end_matches(['\r', '\n']);
                if password.is_empty() {
                    settings.refuse(
                        PASSWORD_FILE,
                        shown,
                        "a file with a password; this one is empty",
                    );
                    return None;
                }
                Some(Password(password.to_owned()))
            }
            Err(error) => {
                settings.refuse(PASSWORD_FILE, shown, format!("a file with a password: {error}"));
                None
            }
        }
    }

    fn refuse_login(&self, settings: &mut Settings) {
        let allowed = format!(
            "unset while {SECURITY} is {}, or that must be sasl_plaintext or sasl_ssl",
            self.protocol
        );
        if let Some(username) = &self.username {
            settings.refuse(USERNAME, username, allowed);
        } else if self.password.is_some() {
            settings.refuse(PASSWORD, NOT_SHOWN, allowed);
        }
    }

    fn tls(&self, settings: &mut Settings) -> Tls {
        let ca_file = self.ca_file.clone();
        if let Some(file) = &ca_file {
            check_pem(settings, CA_FILE, file, "CERTIFICATE");
        }
        let identity = match (&self.certificate_file, &self.key_file) {
            (None, None) => None,
            (Some(certificate_file), Some(key_file)) => {
                check_pem(settings, CERTIFICATE_FILE, certificate_file, "CERTIFICATE");
                check_pem(settings, KEY_FILE, key_file, "PRIVATE KEY");
                Some(Identity {
                    certificate_file: certificate_file.clone(),
                    key_file: key_file.clone(),
                })
            }
            (Some(_), None) => {
                settings.refuse(
                    KEY_FILE,
                    "",
                    format!("the key of {CERTIFICATE_FILE}, which is set"),
                );
                None
            }
            (None, Some(_)) => {
                settings.refuse(
                    CERTIFICATE_FILE,
                    "",
                    format!("the certificate of {KEY_FILE}, which is set"),
                );
                None
            }
        };
        Tls { ca_file, identity }
    }
}

/// Refuses a file that cannot be read, or in which no block of this kind stands.
fn check_pem(settings: &mut Settings, name: &'static str, file: &Path, kind: &str) {
    let shown = file.display().to_string();
    let is_there = |line: &str| {
        line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{kind}-----"))
    };
    match std::fs::read_to_string(file) {
        Ok(text) if text.contains("ENCRYPTED PRIVATE KEY") => {
            settings.refuse(name, shown, "a PEM file with a key that is not encrypted");
        }
        Ok(text) if text.lines().any(is_there) => {}
        Ok(_) => {
            settings.refuse(name, shown, format!("a PEM file; this one has no block BEGIN {kind}"))
        }
        Err(error) => settings.refuse(name, shown, format!("a PEM file that can be read: {error}")),
    }
}
