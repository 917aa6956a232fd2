//! The regions file: the masks and zones of many cameras, as TOML.

use crate::{Regions, RegionsError};
use frame::CameraId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a regions file says, by camera: `[cameras.NAME]` with `masks` and `zones`.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionsFile {
    /// What is set for each camera that it names.
    #[serde(default)]
    pub cameras: BTreeMap<CameraId, Regions>,
}

impl RegionsFile {
    /// Reads the file's bytes; an empty file sets nothing.
    ///
    /// # Errors
    /// Each case of [`RegionsError`].
    pub fn from_toml(bytes: &[u8]) -> Result<Self, RegionsError> {
        let text = text::decode(bytes.to_vec())
            .map_err(|error| RegionsError::Form { problem: error.to_string(), line: None })?;
        let file: Self =
            toml::from_str(&text).map_err(|error| RegionsError::toml(&error, &text))?;
        let checked = |(camera, regions): (CameraId, Regions)| Ok((camera, regions.checked()?));
        Ok(Self { cameras: file.cameras.into_iter().map(checked).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_cameras_with_their_regions() {
        let text = b"[[cameras.gate.masks]]\npoints = [[0, 0], [0.5, 0], [0.5, 1.0]]\n\
            [cameras.\"back.door\"]\nzones = [{ name = 'mat', points = [[0, 0], [1, 0], [1, 1]] }]";
        let file = RegionsFile::from_toml(text).unwrap();
        let counts: Vec<(&str, usize, usize)> = file
            .cameras
            .iter()
            .map(|(camera, of)| (camera.as_str(), of.masks.len(), of.zones.len()))
            .collect();
        assert_eq!(counts, [("back.door", 0, 1), ("gate", 1, 0)]);
        assert_eq!(RegionsFile::from_toml(b"").unwrap(), RegionsFile::default());
        for (text, words) in [
            (&b"[cameras.'a b']"[..], "cannot name a camera"),
            (b"[camera.gate]", "unknown field"),
            (b"[cameras.gate]\nmask = 1", "unknown field"),
            (b"\xff", "UTF-8"),
        ] {
            let error = RegionsFile::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
