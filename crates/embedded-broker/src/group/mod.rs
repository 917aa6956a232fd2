//! Consumer groups by Kafka's classic protocol: who is in a group, which generation it has, and who
//! leads it.
//!
//! The rules are those of Kafka's group coordinator: KIP-62 (rebalance timeout), KIP-345 (static
//! members), KIP-394 (a member gets its id before it joins). Who reads which partition is decided
//! by the leading client, not here.

mod commit;
mod coordinator;
mod join;
mod member;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod tick;

pub(crate) use coordinator::Coordinator;
pub(crate) use member::{
    Identified, JoinCall, JoinRefusal, Joined, JoinedMember, SyncCall, Synced,
};
pub(crate) use state::{Description, Phase};
