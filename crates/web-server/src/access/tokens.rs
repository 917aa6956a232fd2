//! The tokens file: who may do what.
//!
//! ```toml
//! [[token]]
//! name = "gate cameras"
//! hash = "sha256:…"                    # of `mlvi token new`
//! rights = ["send"]                    # of: send, read, settings
//! cameras = ["gate-*"]                 # send for these alone; all of them if left out
//! expires = 2027-01-01T00:00:00Z       # never if left out
//! rate = 20                            # requests per second; MLVI_TOKEN_RATE if left out
//! ```

use super::right::Rights;
use super::secret::{Hash, Pass};
use crate::moment::parse_rfc3339;
use frame::Glob;
use frame::{CameraId, Timestamp};
use serde::Deserialize;
use serde::de::Error as _;
use std::sync::Arc;
use toml::value::Datetime;

/// Each is compared with what a client brings, for every request.
const MAX_TOKENS: usize = 256;
const MAX_NAME: usize = 64;
const MAX_CAMERAS: usize = 64;

/// All tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Arc<Token>>);

/// One token, without its secret.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) hash: Hash,
    pub(crate) rights: Rights,
    /// For which cameras frames may be sent; `None`: for all.
    pub(crate) cameras: Option<Vec<Glob>>,
    pub(crate) expires: Option<Timestamp>,
    /// Requests per second, if the file says.
    pub(crate) rate: Option<f64>,
}

/// A tokens file that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokensError {
    /// It is no text.
    #[error(transparent)]
    Text(#[from] text::TextError),
    /// A line is not as it has to be: the error shows it.
    #[error("{0}")]
    Line(#[from] toml::de::Error),
    /// Two tokens have one name.
    #[error("two tokens are named '{0}'")]
    SameName(String),
    /// Nobody could do anything.
    #[error("there is no token in it: nobody could do anything")]
    Empty,
    /// There are too many.
    #[error("it has {0} tokens, and may have {MAX_TOKENS}")]
    TooMany(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Name,
    #[serde(deserialize_with = "hash")]
    hash: Hash,
    #[serde(deserialize_with = "rights")]
    rights: Rights,
    #[serde(default, deserialize_with = "cameras")]
    cameras: Option<Vec<Glob>>,
    #[serde(default, deserialize_with = "expires")]
    expires: Option<Timestamp>,
    #[serde(default, deserialize_with = "rate")]
    rate: Option<f64>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let printable = name.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if printable && name.trim() == name && (1..=MAX_NAME).contains(&name.len()) {
            Ok(Self(name))
        } else {
            Err(format!("a name has 1 to {MAX_NAME} printable characters of ASCII"))
        }
    }
}

fn hash<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn rights<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Rights, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    if names.is_empty() {
        return Err(D::Error::custom("a token needs a right: send, read or settings"));
    }
    Rights::of_names(names.iter().map(String::as_str)).map_err(D::Error::custom)
}

fn cameras<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Glob>>, D::Error> {
    let patterns = Vec::<String>::deserialize(from)?;
    if !(1..=MAX_CAMERAS).contains(&patterns.len()) {
        return Err(D::Error::custom(format!("1 to {MAX_CAMERAS} patterns of cameras")));
    }
    let could_fit = |pattern: &String| pattern.replace('*', "x").parse::<CameraId>().is_ok();
    if let Some(odd) = patterns.iter().find(|pattern| !could_fit(pattern)) {
        let allowed = "letters, digits, '.', '_', '-', and '*' for any of them";
        return Err(D::Error::custom(format!("no camera fits '{odd}': use {allowed}")));
    }
    let globs: Result<Vec<Glob>, _> = patterns.iter().map(|pattern| pattern.parse()).collect();
    globs.map(Some).map_err(D::Error::custom)
}

fn expires<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let written = Datetime::deserialize(from)?.to_string();
    let moment = parse_rfc3339(&written);
    let refuse = || D::Error::custom("a time needs its offset, e.g. 2027-01-01T00:00:00Z");
    moment.ok_or_else(refuse).map(Some)
}

fn rate<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let rate = f64::deserialize(from)?;
    let allowed = (0.001..=1e6).contains(&rate);
    let refuse = || D::Error::custom("a rate is 0.001 to 1000000 requests per second");
    allowed.then_some(Some(rate)).ok_or_else(refuse)
}

impl Tokens {
    /// Reads a tokens file.
    ///
    /// # Errors
    /// When it cannot be used; the error shows the line.
    pub fn from_toml(bytes: &[u8]) -> Result<Self, TokensError> {
        let file: File = toml::from_str(&text::decode(bytes.to_vec())?)?;
        let tokens = file.token;
        if tokens.is_empty() {
            return Err(TokensError::Empty);
        }
        if tokens.len() > MAX_TOKENS {
            return Err(TokensError::TooMany(tokens.len()));
        }
        let mut names: Vec<&str> = tokens.iter().map(|entry| entry.name.0.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TokensError::SameName(pair[0].to_owned()));
        }
        let token = |Entry { name: Name(name), hash, rights, cameras, expires, rate }| {
            Arc::new(Token { name, hash, rights, cameras, expires, rate })
        };
        Ok(Self(tokens.into_iter().map(token).collect()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which no file may say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token that a pass belongs to, unless its time is over. All are compared, whichever fits:
    /// the time tells nothing.
    pub(crate) fn of_pass(&self, pass: Pass, now: Timestamp) -> Option<Arc<Token>> {
        let fits = |found: Option<Arc<Token>>, token: &Arc<Token>| {
            if token.hash.is_of(pass) { Some(token.clone()) } else { found }
        };
        let found = self.0.iter().fold(None, fits);
        found.filter(|token| token.expires.is_none_or(|expires| now < expires))
    }

    /// The token with this line, unless its time is over.
    pub(super) fn of_hash(&self, hash: &Hash, now: Timestamp) -> Option<Arc<Token>> {
        let found = self.0.iter().find(|token| token.hash == *hash)?;
        found.expires.is_none_or(|expires| now < expires).then(|| found.clone())
    }
}

impl Token {
    pub(crate) fn may_send(&self, camera: &str) -> bool {
        self.cameras.as_ref().is_none_or(|cameras| cameras.iter().any(|glob| glob.fits(camera)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::right::Right;
    use super::super::secret::Secret;
    use super::*;
    use std::time::Duration;

    /// A token, and its entry with further lines.
    pub(crate) fn entry(name: &str, lines: &str) -> (Secret, String) {
        let secret = Secret::fresh().unwrap();
        let hash = secret.hash().unwrap();
        (secret, format!("[[token]]\nname = '{name}'\nhash = '{hash}'\n{lines}\n"))
    }

    #[test]
    fn a_token_has_what_its_entry_says() {
        let (gate, gate_lines) = entry("gate", "rights = ['send']\ncameras = ['gate-*', 'yard']");
        let (eye, eye_lines) = entry("eye", "rights = ['read', 'settings']\nrate = 2");
        let tokens = Tokens::from_toml(format!("{gate_lines}{eye_lines}").as_bytes()).unwrap();
        let now = Timestamp::now();
        let gate = tokens.of_pass(gate.pass(), now).unwrap();
        assert_eq!(gate.name, "gate");
        assert!(gate.rights.allow(Right::Send) && !gate.rights.allow(Right::Read));
        assert!(gate.may_send("gate-7") && gate.may_send("yard") && !gate.may_send("door"));
        let eye = tokens.of_pass(eye.pass(), now).unwrap();
        assert_eq!(eye.rights.names().collect::<Vec<_>>(), ["read", "settings"]);
        assert_eq!((eye.rate, eye.cameras.is_none()), (Some(2.0), true));
        assert!(tokens.of_pass(Secret::fresh().unwrap().pass(), now).is_none());
    }

    #[test]
    fn a_token_ends() {
        let (secret, lines) = entry("a", "rights = ['read']\nexpires = 2027-01-01T00:00:00+01:00");
        let tokens = Tokens::from_toml(lines.as_bytes()).unwrap();
        let end = parse_rfc3339("2026-12-31T23:00:00Z").unwrap();
        assert!(tokens.of_pass(secret.pass(), end).is_none());
        let before = Timestamp::from_micros(end.as_micros() - 1);
        assert!(tokens.of_pass(secret.pass(), before).is_some());
        assert!(tokens.of_pass(secret.pass(), end + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        let good = entry("a", "rights = ['read']").1;
        for (lines, said) in [
            (good.replace("rights", "right"), "unknown field `right`"),
            (good.replace("name = 'a'", "name = ''"), "a name has"),
            (good.replace("sha256:", "sha1:"), "a hash is"),
            (good.replace("'read'", "'write'"), "there is no right 'write'"),
            (good.replace("'read'", ""), "a token needs a right"),
            (format!("{good}cameras = []"), "patterns of cameras"),
            (format!("{good}cameras = ['gate/*']"), "no camera fits 'gate/*'"),
            (format!("{good}expires = 2027-01-01"), "needs its offset"),
            (format!("{good}expires = '2027-01-01T00:00:00Z'"), "line 5"),
            (format!("{good}rate = 0"), "a rate is"),
            (format!("[tokens]\n{good}"), "unknown field `tokens`"),
        ] {
            let error = Tokens::from_toml(lines.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("line "), "{said}: {error}");
        }
        for (lines, said) in [
            (String::new(), "no token"),
            (format!("{good}{good}"), "two tokens are named 'a'"),
            (format!("{good}\u{0}"), "line"),
        ] {
            let error = Tokens::from_toml(lines.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
