//! What is believed of the tiers before anything was seen of them.

use crate::PolicyError;
use crate::config::range;
use frame::PerTier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[prior.edge]`, `[prior.cloud]`
pub type Prior = PerTier<TierPrior>;

/// What is believed of a tier before anything was seen; absent: nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierPrior {
    /// How long a worker takes for a frame, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_ms: Option<f64>,
    /// How many frames one replica works on at a time. Without a cluster to ask, one replica is
    /// assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// The way there and back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// How fast bytes get there, in 10⁶ bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbit_s: Option<f64>,
}

impl TierPrior {
    fn check(&self) -> Result<(), PolicyError> {
        let Self { service_ms, workers, rtt_ms, mbit_s } = *self;
        if let Some(ms) = service_ms {
            range::short_time("[prior] service_ms", ms)?;
        }
        if let Some(ms) = rtt_ms {
            range::short_time("[prior] rtt_ms", ms)?;
        }
        if let Some(speed) = mbit_s {
            let ok = (0.001..=1e6).contains(&speed);
            range::require("[prior] mbit_s", speed, ok, "from 0.001 to 1000000")?;
        }
        if let Some(workers) = workers {
            let ok = (1..=10_000).contains(&workers);
            range::require("[prior] workers", f64::from(workers), ok, "from 1 to 10000")?;
        }
        Ok(())
    }
}

pub(crate) fn check_prior(prior: &Prior) -> Result<(), PolicyError> {
    prior.values().try_for_each(TierPrior::check)
}

/// Writes the section.
pub(crate) fn write_prior<S: Serializer>(prior: &Prior, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Section<'a> {
        edge: &'a TierPrior,
        cloud: &'a TierPrior,
    }
    Section { edge: &prior.edge, cloud: &prior.cloud }.serialize(serializer)
}

/// Reads the section; a tier that is left out has no prior.
pub(crate) fn read_prior<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Prior, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        edge: TierPrior,
        cloud: TierPrior,
    }
    let Section { edge, cloud } = Section::deserialize(deserializer)?;
    Ok(Prior { edge, cloud })
}
