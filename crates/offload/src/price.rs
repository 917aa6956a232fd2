//! What a frame costs.

use crate::PolicyError;
use crate::config::range;
use frame::Destination;
use serde::{Deserialize, Serialize};

/// `[price]`, in any currency.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Of a frame on the edge.
    pub edge_per_frame: f64,
    /// Of a frame in the cloud.
    pub cloud_per_frame: f64,
    /// Of the way to the cloud, per 10⁹ bytes.
    pub cloud_per_gigabyte: f64,
}

impl Default for Price {
    fn default() -> Self {
        Self { edge_per_frame: 0.0, cloud_per_frame: 0.0001, cloud_per_gigabyte: 0.1 }
    }
}

impl Price {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { edge_per_frame, cloud_per_frame, cloud_per_gigabyte } = *self;
        range::amount("[price] edge_per_frame", edge_per_frame)?;
        range::amount("[price] cloud_per_frame", cloud_per_frame)?;
        range::amount("[price] cloud_per_gigabyte", cloud_per_gigabyte)
    }

    /// Of a frame of this size on a tier.
    #[must_use]
    pub fn of(&self, tier: Destination, bytes: usize) -> f64 {
        match tier {
            Destination::Edge => self.edge_per_frame,
            Destination::Cloud => {
                self.cloud_per_frame + self.cloud_per_gigabyte * bytes as f64 / 1e9
            }
        }
    }
}
