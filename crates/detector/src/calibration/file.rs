//! The calibration file.

use super::equalize;
use engine::{Graph, Range};
use serde::Deserialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is written, and the only thing that is read.
const VERSION: u32 = 1;

/// The ranges of values of a network's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The sha256 of the weights, in lowercase hexadecimal.
    pub(super) weights: String,
    /// Over how many photos.
    pub(super) photos: usize,
    /// In the order of running.
    pub(super) layers: Vec<Layer>,
}

/// What a layer puts out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) range: Range,
    /// Which part of the range each channel takes, 0 to 1; empty where channels stay as they are.
    pub(super) shares: Vec<f32>,
}

/// Why a calibration file is not used.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// It cannot be read.
    #[error(
        "cannot read the calibration {path}, which int8 needs: {source}; \
         make one with `mlvi models calibrate`"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no calibration file of a version that is known.
    #[error("the calibration {path} cannot be followed: {problem}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It belongs to another network.
    #[error(
        "the calibration {path} belongs to another model: {problem}; \
         make one with `mlvi models calibrate {model}`"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What differs.
        problem: String,
        /// The model that it is to be used for.
        model: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: u32,
    weights: String,
    photos: usize,
    #[serde(rename = "layer")]
    layers: Vec<LayerTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerTable {
    name: String,
    range: [f32; 2],
    #[serde(default)]
    shares: Vec<f32>,
}

impl Calibration {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is of another version or form.
    pub fn read(path: &Path) -> Result<Self, CalibrationError> {
        let text = text::read(path)
            .map_err(|source| CalibrationError::Unreadable { path: path.into(), source })?;
        Self::parse(&text)
            .map_err(|problem| CalibrationError::Malformed { path: path.into(), problem })
    }

    fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // another version may have other keys
        let wrong = |error: toml::de::Error| error.to_string().trim_end().to_owned();
        let Version { version } = toml::from_str(text).map_err(wrong)?;
        if version != VERSION {
            return Err(format!("it is of version {version}; known is version {VERSION}"));
        }
        let File { _version: _, weights, photos, layers } = toml::from_str(text).map_err(wrong)?;
        for LayerTable { name, range: [low, high], shares } in &layers {
            if !(low <= high && low.is_finite() && high.is_finite()) {
                return Err(format!("the range of {name} is {low} to {high}"));
            }
            if let Some(share) = shares.iter().find(|share| !(**share > 0.0 && **share <= 1.0)) {
                return Err(format!(
                    "a share of {name} is {share}; it must be above 0 and at most 1"
                ));
            }
        }
        let layer = |LayerTable { name, range: [low, high], shares }| Layer {
            name,
            range: Range { low, high },
            shares,
        };
        Ok(Self { weights, photos, layers: layers.into_iter().map(layer).collect() })
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# The values of the network's layers on photos, by `mlvi models calibrate`.\n\
             version = {VERSION}\n\
             # the sha256 of the weights that this belongs to\n\
             weights = \"{}\"\n\
             photos = {}\n",
            self.weights, self.photos
        );
        for Layer { name, range: Range { low, high }, shares } in &self.layers {
            // a name is made of an operation and a number, and has nothing to escape
            let name = name.replace(['"', '\\'], "?");
            // writing to a text does not fail
            let _ = write!(text, "\n[[layer]]\nname = \"{name}\"\nrange = [{low:?}, {high:?}]\n");
            if !shares.is_empty() {
                let shares: Vec<String> = shares.iter().map(|share| format!("{share:?}")).collect();
                let _ = writeln!(text, "shares = [{}]", shares.join(", "));
            }
        }
        text
    }

    /// Over how many photos.
    #[must_use]
    pub fn photos(&self) -> usize {
        self.photos
    }

    /// The ranges of a graph's layers, in their order. Channels are divided by their shares in the
    /// graph, which gives the same numbers as before.
    ///
    /// # Errors
    /// What differs, when the weights or the layers are not those that it was made with.
    pub(crate) fn ranges(&self, weights: &str, graph: &mut Graph) -> Result<Vec<Range>, String> {
        if self.weights != weights {
            return Err(format!("its weights have the sha256 {}, not {weights}", self.weights));
        }
        let names = || graph.nodes.iter().map(|node| &node.name);
        if !self.layers.iter().map(|layer| &layer.name).eq(names()) {
            return Err("its layers are not those of the network".into());
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if !layer.shares.is_empty() {
                equalize::divide(graph, index, &layer.shares)?;
            }
        }
        Ok(self.layers.iter().map(|layer| layer.range).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        let layer = |name: &str, low, high| Layer {
            name: name.into(),
            range: Range { low, high },
            shares: vec![],
        };
        let layers = vec![layer("0 convolutional", -1.25, 1e-7), layer("1 maxpool", 0.0, 3.0)];
        Calibration { weights: "ab12".into(), photos: 3, layers }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Calibration::parse(&calibration().to_text()), Ok(calibration()));
        let mut divided = calibration();
        divided.layers[0].shares = vec![1.0, 0.015625, 0.3];
        assert_eq!(Calibration::parse(&divided.to_text()), Ok(divided.clone()));
        let text = divided.to_text().replace("0.3]", "0.0]");
        assert!(Calibration::parse(&text).unwrap_err().contains("0 convolutional"));
    }

    #[test]
    fn it_is_for_the_weights_and_layers_that_it_was_made_with() {
        let shape = engine::Shape { channels: 1, height: 1, width: 1 };
        let graph = |names: [&str; 2]| Graph {
            input: shape,
            nodes: names
                .map(|name| engine::Node {
                    name: name.into(),
                    operation: engine::Operation::Concat,
                    inputs: vec![engine::Value::Input],
                    shape,
                })
                .into(),
            outputs: Vec::new(),
        };
        let mut own = graph(["0 convolutional", "1 maxpool"]);
        let ranges = calibration().ranges("ab12", &mut own).unwrap();
        assert_eq!(ranges, [Range { low: -1.25, high: 1e-7 }, Range { low: 0.0, high: 3.0 }]);
        let other_weights = calibration().ranges("cd34", &mut own).unwrap_err();
        assert!(other_weights.contains("ab12") && other_weights.contains("cd34"));
        let mut other = graph(["0 convolutional", "1 upsample"]);
        assert!(calibration().ranges("ab12", &mut other).unwrap_err().contains("layers"));
        let mut divided = calibration();
        divided.layers[0].shares = vec![0.5];
        assert!(divided.ranges("ab12", &mut own).unwrap_err().contains("divided"));
    }

    #[test]
    fn other_versions_and_ranges_are_refused() {
        let text = calibration().to_text();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from));
            Calibration::parse(&text.replace(from, to)).unwrap_err()
        };
        assert!(refused("version = 1", "version = 2\nnew = 1").contains("version 2"));
        assert!(refused("photos = 3", "phots = 3").contains("phots"));
        assert!(refused("[0.0, 3.0]", "[4.0, 3.0]").contains("1 maxpool"));
        assert!(refused("[0.0, 3.0]", "[0.0, inf]").contains("1 maxpool"));
    }
}
