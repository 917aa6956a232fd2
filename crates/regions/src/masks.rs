//! One camera's masks and zones.

use crate::RegionsError;
use frame::{Polygon, Zone, ZoneName, Zones};
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hasher};

/// A camera has no more masks than this, and no more zones.
pub const MAX_REGIONS: usize = 32;
/// All polygons of a camera together have no more corners than this: zones travel with each frame.
pub const MAX_ALL_CORNERS: usize = 512;

/// What is set for one camera.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// What nobody may see.
    #[serde(default)]
    pub masks: Vec<Mask>,
    /// What has a name.
    #[serde(default)]
    pub zones: Vec<Zone>,
}

/// A part of the picture that is black in everything that is inferred, shown and sent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ZoneName>,
    /// Where it is.
    pub points: Polygon,
}

impl Regions {
    /// With everything masked.
    #[must_use]
    pub fn all_black() -> Self {
        let mask = Mask { name: None, points: Polygon::whole() };
        Self { masks: vec![mask], zones: Vec::new() }
    }

    /// Reads TOML: `masks` and `zones`, each a list of tables with `points` and `name`.
    ///
    /// # Errors
    /// Each case of [`RegionsError`].
    pub fn from_toml(text: &str) -> Result<Self, RegionsError> {
        toml::from_str::<Self>(text).map_err(|error| RegionsError::toml(&error, text))?.checked()
    }

    /// Reads the same as JSON.
    ///
    /// # Errors
    /// Each case of [`RegionsError`].
    pub fn from_json(text: &str) -> Result<Self, RegionsError> {
        serde_json::from_str::<Self>(text).map_err(|error| RegionsError::json(&error))?.checked()
    }

    /// As [`Self::from_json`] reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and finite numbers can be written as JSON")
    }

    pub(crate) fn checked(self) -> Result<Self, RegionsError> {
        let most = self.masks.len().max(self.zones.len());
        if most > MAX_REGIONS {
            return Err(RegionsError::TooMany(most));
        }
        let polygons = self.polygons().chain(self.zones.iter().map(|zone| &zone.points));
        let corners = polygons.map(|points| points.corners().len()).sum();
        if corners > MAX_ALL_CORNERS {
            return Err(RegionsError::TooManyCorners(corners));
        }
        Ok(self)
    }

    /// The masks' polygons.
    pub fn polygons(&self) -> impl Iterator<Item = &Polygon> {
        self.masks.iter().map(|mask| &mask.points)
    }

    /// The zones as they travel with a frame; `None` without.
    #[must_use]
    pub fn zones(&self) -> Option<Zones> {
        (!self.zones.is_empty()).then(|| Zones(self.zones.clone()))
    }

    /// Tells masks apart: the same ones give the same number. `None` without masks.
    #[must_use]
    pub fn mask_tag(&self) -> Option<u64> {
        if self.masks.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        for polygon in self.polygons() {
            hasher.write_usize(polygon.corners().len());
            for corner in polygon.corners() {
                hasher.write_u64(corner.x.to_bits());
                hasher.write_u64(corner.y.to_bits());
            }
        }
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read_as_toml_and_as_json() {
        let toml = "[[masks]]\nname = 'window'\npoints = [[0, 0], [0.5, 0], [0.5, 1.0]]\n\
                    [[zones]]\nname = 'drive'\npoints = [[0, 0], [1, 0], [1, 1]]\n";
        let regions = Regions::from_toml(toml).unwrap();
        assert_eq!((regions.masks.len(), regions.zones.len()), (1, 1));
        assert_eq!(Regions::from_json(&regions.to_json()).unwrap(), regions);
        assert_eq!(Regions::from_json("{}").unwrap(), Regions::default());
        assert_eq!(Regions::default().zones(), None);
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        let corner = "[0, 0]";
        let many = format!("{{ points = [{}] }}, ", [corner; 3].join(", ")).repeat(33);
        let long = format!("{{ points = [{}] }}, ", [corner; 64].join(", ")).repeat(9);
        for (text, words, line) in [
            ("[[masks]]\npoints = [[0, 0], [1, 1]]", "3 to 64 points", Some(2)),
            ("[[masks]]\npoints = [[0, 0], [1, 1], [0, 1.5]]", "outside of the picture", Some(2)),
            ("[[zones]]\npoints = [[0, 0], [1, 1], [0, 1]]", "missing field `name`", Some(1)),
            ("mask = []", "unknown field", Some(1)),
            (&format!("masks = [{many}]"), "at most 32 masks", None),
            (&format!("masks = [{long}]"), "at most 512 points", None),
        ] {
            let error = Regions::from_toml(text).unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
            assert_eq!(error.line(), line, "{error}");
        }
        let json = Regions::from_json("{\n\"masks\": 1}").unwrap_err();
        assert_eq!(json.line(), Some(2), "{json}");
    }

    #[test]
    fn other_masks_have_another_tag() {
        let of = |points: &str| {
            Regions::from_json(&format!("{{\"masks\":[{{\"points\":{points}}}]}}")).unwrap()
        };
        let one = of("[[0,0],[1,0],[1,1]]");
        assert_eq!(one.mask_tag(), of("[[0,0],[1,0],[1,1.0]]").mask_tag());
        assert_ne!(one.mask_tag(), of("[[0,0],[1,0],[1,0.9]]").mask_tag());
        assert_eq!(Regions::default().mask_tag(), None);
        assert!(Regions::all_black().mask_tag().is_some());
    }
}
