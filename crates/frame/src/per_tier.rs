//! One of a thing for the edge and one for the cloud.

use crate::Destination;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Index, IndexMut};

/// What there is once for each tier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PerTier<T> {
    /// The edge's.
    pub edge: T,
    /// The cloud's.
    pub cloud: T,
}

impl<T> PerTier<T> {
    /// Makes the edge's, then the cloud's.
    #[must_use]
    pub fn from_fn(mut make: impl FnMut(Destination) -> T) -> Self {
        Self { edge: make(Destination::Edge), cloud: make(Destination::Cloud) }
    }

    /// That of one tier.
    #[must_use]
    pub const fn of(&self, tier: Destination) -> &T {
        match tier {
            Destination::Edge => &self.edge,
            Destination::Cloud => &self.cloud,
        }
    }

    /// That of one tier, to be changed.
    #[must_use]
    pub const fn of_mut(&mut self, tier: Destination) -> &mut T {
        match tier {
            Destination::Edge => &mut self.edge,
            Destination::Cloud => &mut self.cloud,
        }
    }

    /// The edge's, then the cloud's.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        [&self.edge, &self.cloud].into_iter()
    }
}

impl<T> Index<Destination> for PerTier<T> {
    type Output = T;

    fn index(&self, tier: Destination) -> &T {
        self.of(tier)
    }
}

impl<T> IndexMut<Destination> for PerTier<T> {
    fn index_mut(&mut self, tier: Destination) -> &mut T {
        self.of_mut(tier)
    }
}

impl<T> PerTier<Option<T>> {
    /// Whether nothing is known of either tier.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.edge.is_none() && self.cloud.is_none()
    }
}

/// An object with the tiers of which something is known, such as `{"edge": 30.0}`.
#[derive(Serialize, Deserialize)]
struct Known<T> {
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    edge: Option<T>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    cloud: Option<T>,
}

const fn none<T>() -> Option<T> {
    None
}

impl<T: Serialize> Serialize for PerTier<Option<T>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Known { edge: self.edge.as_ref(), cloud: self.cloud.as_ref() }.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerTier<Option<T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Known { edge, cloud } = Known::deserialize(deserializer)?;
        Ok(Self { edge, cloud })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tier_has_its_own() {
        let mut names = PerTier::from_fn(Destination::as_str);
        assert_eq!((names.edge, names.cloud), ("edge", "cloud"));
        for tier in Destination::ALL {
            assert_eq!(names[tier], tier.as_str());
            names[tier] = "none";
            assert_eq!(names.of(tier), &"none");
        }
        assert!(names.values().all(|name| *name == "none"));
    }

    #[test]
    fn json_has_the_tiers_that_are_known() {
        for (json, known) in [
            (r#"{"edge":30.0,"cloud":45.5}"#, PerTier { edge: Some(30.0), cloud: Some(45.5) }),
            (r#"{"cloud":45.5}"#, PerTier { edge: None, cloud: Some(45.5) }),
            ("{}", PerTier::default()),
        ] {
            assert_eq!(serde_json::to_string(&known).unwrap(), json);
            assert_eq!(serde_json::from_str::<PerTier<Option<f64>>>(json).unwrap(), known);
        }
        let newer = r#"{"edge":1.0,"moon":2.0}"#;
        assert_eq!(serde_json::from_str::<PerTier<Option<f64>>>(newer).unwrap().edge, Some(1.0));
    }
}
