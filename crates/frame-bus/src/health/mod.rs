//! What is known of the broker: whether it answers, what it allows, and who belongs to which group.

pub(crate) mod broker;
pub(crate) mod membership;
pub(crate) mod outage;
pub(crate) mod rejection;
pub(crate) mod rights;
pub(crate) mod unready;

#[cfg(test)]
mod tests;
