//! What the web-server is told about access at its start.

use super::origin::{Hosts, Origins};
use super::right::{Rights, UnknownRight};
use super::tokens::Tokens;
use settings::Settings;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use unit::WatchedFiles;
use unit::http::Tls;

/// Who may do what.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    /// What needs no token, if it is said.
    pub open: Option<Rights>,
    /// The tokens, if there are any.
    pub tokens: Option<(WatchedFiles, Tokens)>,
    /// The certificate and its key, if the port speaks HTTPS.
    pub tls: Option<(WatchedFiles, Tls)>,
    /// How often these files are read.
    pub reload: Duration,
    /// Whose pages are let in, too.
    pub origins: Origins,
    /// Under which names this server is asked.
    pub hosts: Hosts,
    /// Requests per second of a token that does not say itself.
    pub token_rate: Option<f64>,
    /// Frames per second of a camera.
    pub camera_rate: Option<f64>,
    /// Whether anybody may change settings over HTTP.
    pub settings_changes: bool,
}

/// A setting whose default depends on others.
struct Auto(Option<Rights>);

impl FromStr for Auto {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        if text == "auto" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

impl AccessConfig {
    /// Reads the settings, and the files that they name.
    pub(crate) fn from_settings(settings: &mut Settings) -> Self {
        let tokens = tokens(settings);
        let open: Auto = settings.parsed(
            "MLVI_OPEN_RIGHTS",
            "auto",
            "auto, none, or some of send, read and settings, separated by commas",
            "what needs no token; auto: send and read, or nothing if there is MLVI_TOKENS_FILE; and \
             settings if there is none and MLVI_SETTINGS_CHANGES is on",
        );
        let settings_changes = settings.choice(
            "MLVI_SETTINGS_CHANGES",
            "off",
            &[("off", false), ("on", true)],
            "whether PUT and DELETE may change by which policy the suite decides, and cameras' masks \
             and zones; off: only with a token that has the right 'settings'",
        );
        let tls = tls(settings);
        let reload = settings.duration(
            "MLVI_FILES_RELOAD",
            Duration::from_secs(2),
            Duration::from_millis(10)..=Duration::from_secs(3600),
            "how often MLVI_TOKENS_FILE, MLVI_TLS_CERT and MLVI_TLS_KEY are read",
        );
        let origins = settings.parsed(
            "MLVI_ALLOWED_ORIGINS",
            "none",
            "none, or origins such as https://wall.example.com:8443, separated by commas",
            "whose pages may use this server from browsers, besides its own; none: no CORS",
        );
        let hosts = settings.parsed(
            "MLVI_ALLOWED_HOSTS",
            "none",
            "none, or names such as mlvi.example.com or *.example.com, separated by commas",
            "names under which clients ask this server; none: localhost alone on the loopback \
             interface, and any beyond it; addresses are always taken",
        );
        let mut rate = |name, help| {
            Some(settings.number(name, 0.0, 0.0..=1e6, help)).filter(|rate| *rate > 0.0)
        };
        let token_rate = rate(
            "MLVI_TOKEN_RATE",
            "requests per second of one token, unless its entry says; further ones get 429; 0: no \
             bound",
        );
        let camera_rate = rate(
            "MLVI_CAMERA_RATE",
            "frames per second of one camera; further ones get 429; 0: no bound",
        );
        Self {
            open: open.0,
            settings_changes,
            tokens,
            tls,
            reload,
            origins,
            hosts,
            token_rate,
            camera_rate,
        }
    }
}

fn tokens(settings: &mut Settings) -> Option<(WatchedFiles, Tokens)> {
    let path = settings.optional_text(
        "MLVI_TOKENS_FILE",
        "who may do what, in TOML (`mlvi token new`); read again when it changes",
    )?;
    let files = WatchedFiles::read([PathBuf::from(&path)]);
    match read_tokens(&files) {
        Ok(tokens) => Some((files, tokens)),
        Err(problem) => {
            let allowed = format!("a tokens file that can be used: {problem}");
            settings.refuse("MLVI_TOKENS_FILE", path, allowed);
            None
        }
    }
}

fn tls(settings: &mut Settings) -> Option<(WatchedFiles, Tls)> {
    let certificate = settings.optional_text(
        "MLVI_TLS_CERT",
        "the certificate and those behind it, PEM: the HTTP port speaks HTTPS then; read again \
         when it changes",
    );
    let key = settings.optional_text("MLVI_TLS_KEY", "the key of MLVI_TLS_CERT, PEM");
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return None,
        (Some(_), None) => {
            settings.refuse("MLVI_TLS_KEY", "", "a file: MLVI_TLS_CERT is set");
            return None;
        }
        (None, Some(_)) => {
            settings.refuse("MLVI_TLS_CERT", "", "a file: MLVI_TLS_KEY is set");
            return None;
        }
    };
    let files = WatchedFiles::read([PathBuf::from(&certificate), PathBuf::from(&key)]);
    let read = pair(&files).and_then(|(certificate, key)| {
        Tls::from_pem(certificate, key).map_err(|error| error.to_string())
    });
    match read {
        Ok(tls) => Some((files, tls)),
        Err(problem) => {
            let allowed = format!("a certificate with its key: {problem}");
            settings.refuse("MLVI_TLS_CERT", certificate, allowed);
            None
        }
    }
}

/// The tokens in the file, as it was last read.
pub(super) fn read_tokens(files: &WatchedFiles) -> Result<Tokens, String> {
    let seen = files.seen().map_err(ToString::to_string)?;
    let bytes = seen.first().map_or(&[][..], Vec::as_slice);
    Tokens::from_toml(bytes).map_err(|error| error.to_string())
}

/// The certificate and the key, as they were last read.
pub(super) fn pair(files: &WatchedFiles) -> Result<(&[u8], &[u8]), String> {
    match files.seen() {
        Ok([certificate, key]) => Ok((certificate, key)),
        Ok(_) => Err("two files belong together".into()),
        Err(error) => Err(error.to_string()),
    }
}
