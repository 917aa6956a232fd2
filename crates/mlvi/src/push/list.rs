//! The list of cameras of `--cameras FILE`.

use super::address::{AddressError, expand, redacted};
use frame::CameraId;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A process with more would have some hundreds of threads: start a second one.
const MOST: usize = 64;

/// A camera of the list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Under which name its frames are sent.
    pub(super) name: CameraId,
    /// Where it is; `${NAME}` stands for a secret.
    pub(super) address: String,
    /// Frames a second; as the camera has it without.
    pub(super) rate: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "camera")]
    cameras: Vec<Entry>,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub(super) struct ListError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    #[error("{0}")]
    Malformed(String),
    #[error("it has {0} cameras; from 1 to {MOST} are possible")]
    Number(usize),
    #[error("{0}: the name is there twice")]
    Twice(CameraId),
    #[error("{0}: rate is above 0, in frames a second")]
    Rate(CameraId),
    #[error("{0}: address: {1}")]
    Address(CameraId, AddressError),
}

/// Reads the list.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, ListError> {
    let parsed = text::read(path).map_err(Fault::Unreadable).and_then(|text| parse(&text));
    parsed.map_err(|fault| ListError { path: path.into(), fault })
}

fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    // what it shows of the file may have a password in it
    let malformed = |error: toml::de::Error| Fault::Malformed(redacted(error.message()));
    let Document { cameras } = toml::from_str(text).map_err(malformed)?;
    if !(1..=MOST).contains(&cameras.len()) {
        return Err(Fault::Number(cameras.len()));
    }
    let mut names = HashSet::new();
    for Entry { name, address, rate } in &cameras {
        if !names.insert(name) {
            return Err(Fault::Twice(name.clone()));
        }
        if rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err(Fault::Rate(name.clone()));
        }
        // secrets may come later
        expand(address, |_| Some(String::new()))
            .map_err(|error| Fault::Address(name.clone(), error))?;
    }
    Ok(cameras)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_cameras() {
        let text = "[[camera]]\nname = 'gate'\naddress = '${gate}'\nrate = 5\n\
            [[camera]]\nname = 'yard'\naddress = 'rtsp://10.0.0.8/1'\n";
        let entry = |name: &str, address: &str, rate| Entry {
            name: name.parse().unwrap(),
            address: address.into(),
            rate,
        };
        let both = [entry("gate", "${gate}", Some(5.0)), entry("yard", "rtsp://10.0.0.8/1", None)];
        assert_eq!(parse(text).unwrap(), both);
    }

    #[test]
    fn what_is_wrong_is_named_without_passwords() {
        let camera = |rest: &str| format!("[[camera]]\nname = 'gate'\n{rest}\n");
        let twice = camera("address = 'rtsp://a/1'").repeat(2);
        for (text, words) in [
            ("", "it has 0 cameras"),
            ("cameras = []", "unknown field `cameras`"),
            (&camera(""), "missing field `address`"),
            (&camera("address = 'rtsp://u:secret@a/1'\nfps = 3"), "unknown field `fps`"),
            (&camera("address = 'rtsp://u:secret@a/1"), "string"),
            (&camera("address = 'rtsp://a/1'\nrate = 0"), "gate: rate is above 0"),
            (&camera("address = '${gate'"), "gate: address: a '${' has no '}'"),
            (&twice, "gate: the name is there twice"),
            ("[[camera]]\nname = 'a b'\naddress = 'x'", "a b"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        }
    }
}
