//! Where values come from: pairs over the environment over a file.

use crate::ConfigError;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The variable that names the settings file.
pub const CONFIG_FILE_VARIABLE: &str = "MLVI_CONFIG";

#[derive(Default)]
pub(crate) struct Source {
    values: BTreeMap<String, String>,
}

/// Names alone: a value may be a password.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Source {
    pub(crate) fn environment() -> Result<Self, ConfigError> {
        // bytes that are no UTF-8 are replaced: where a value matters, it is refused then, and
        // shown
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment =
            Self::pairs(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        let mut source = match environment.get(CONFIG_FILE_VARIABLE) {
            Some(path) => Self::file(path.into())?,
            None => Self::default(),
        };
        source.override_with(environment.values);
        Ok(source)
    }

    /// An empty value counts as unset: manifests often cannot remove a variable.
    pub(crate) fn pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { values: pairs.filter(|(_, value): &(String, String)| !value.is_empty()).collect() }
    }

    fn file(path: PathBuf) -> Result<Self, ConfigError> {
        let refuse = |reason: String| ConfigError::File { path: path.clone(), reason };
        let text = text::read(&path).map_err(|error| refuse(error.to_string()))?;
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| refuse(error.to_string()))?;
        let mut values = BTreeMap::new();
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                _ => return Err(refuse(format!("{name} must be a text, a number or a boolean"))),
            };
            values.insert(name, text);
        }
        Ok(Self { values })
    }

    pub(crate) fn override_with<K: Into<String>, V: Into<String>>(
        &mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) {
        self.values.extend(Self::pairs(pairs).values);
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_texts_numbers_and_booleans() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // as an editor on Windows writes it
        std::fs::write(file.path(), "\u{feff}A = \"x\"\r\nB = 3\nC = true\n").unwrap();
        let source = Source::file(file.path().into()).unwrap();
        assert_eq!(
            (source.get("A"), source.get("B"), source.get("C")),
            (Some("x".into()), Some("3".into()), Some("true".into()))
        );
    }

    #[test]
    fn an_empty_variable_counts_as_unset_and_hides_nothing() {
        let mut source = Source::pairs([("A", "from the file"), ("B", "from the file")]);
        source.override_with([("A", ""), ("B", "from the environment"), ("C", "")]);
        let values = ["A", "B", "C"].map(|name| source.get(name));
        assert_eq!(
            values,
            [Some("from the file".into()), Some("from the environment".into()), None]
        );
    }

    #[test]
    fn values_are_not_shown_since_one_may_be_a_password() {
        let text = format!("{:?}", Source::pairs([("PASSWORD", "sesame")]));
        assert!(text.contains("PASSWORD") && !text.contains("sesame"), "{text}");
    }

    #[test]
    fn a_file_that_is_missing_or_broken_is_named() {
        let missing = Source::file("/nonexistent/mlvi.toml".into()).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/mlvi.toml"), "{missing}");
        let file = tempfile::NamedTempFile::new().unwrap();
        for broken in ["A = [1]", "A ="] {
            std::fs::write(file.path(), broken).unwrap();
            assert!(Source::file(file.path().into()).is_err(), "{broken}");
        }
    }
}
