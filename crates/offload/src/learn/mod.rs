//! What is learned from results: how long a tier takes, how fast the way to it is, how much is on
//! its way.

mod hardest;
mod link;
mod prior;
mod quantile;
mod random;
mod scores;
mod service;
mod tier;

pub(crate) use hardest::Hardest;
pub(crate) use link::{Awaited, Link, Waiting};
pub use prior::{Prior, TierPrior};
pub(crate) use prior::{check_prior, read_prior, write_prior};
pub(crate) use quantile::Recent;
pub(crate) use random::SplitMix;
pub(crate) use scores::Scores;
pub(crate) use service::Service;
pub(crate) use tier::Tier;
pub use tier::{Capacity, TierResult};
