//! A group: its phase, its members, and the steps from one generation to the next.

use super::member::{Identified, JoinRefusal, Joined, JoinedMember, Member, Synced};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody is in it.
    Empty,
    /// Members are being asked to join the next generation.
    Preparing,
    /// The next generation is known, its leader has not said who does what.
    Completing,
    /// Everybody knows what to do.
    Stable,
}

impl Phase {
    /// As Kafka names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing => "PreparingRebalance",
            Self::Completing => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A group for those who only read.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) phase: Phase,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<DescribedMember>,
}

/// A member for those who only read.
#[derive(Debug)]
pub(crate) struct DescribedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

/// A group as a state machine: every step is told the time, answers go out through the members'
/// reply channels.
pub(super) struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: String,
    pub(super) protocol: String,
    pub(super) leader: String,
    pub(super) members: BTreeMap<String, Member>,
    /// Static members: lasting name → the member id of now.
    pub(super) statics: HashMap<String, String>,
    /// Ids given out to clients that have to come again with them, and until when.
    pub(super) pending: HashMap<String, Instant>,
    /// A rebalance does not complete before this.
    pub(super) earliest: Instant,
    /// While preparing: who has not joined by then is out. While completing: who has not asked for
    /// its assignment is.
    pub(super) deadline: Instant,
    pub(super) rebalance_delay: Duration,
}

impl Group {
    pub(super) fn new(now: Instant, rebalance_delay: Duration) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            statics: HashMap::new(),
            pending: HashMap::new(),
            earliest: now,
            deadline: now,
            rebalance_delay,
        }
    }

    /// The member that a request speaks for.
    pub(super) fn identify(&mut self, who: &Identified) -> Result<&mut Member, ResponseError> {
        if let Some(instance) = &who.instance_id {
            match self.statics.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if *current != who.member_id => {
                    return Err(ResponseError::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        let generation = self.generation;
        let member = self.members.get_mut(&who.member_id).ok_or(ResponseError::UnknownMemberId)?;
        if who.generation == generation {
            Ok(member)
        } else {
            Err(ResponseError::IllegalGeneration)
        }
    }

    fn longest_rebalance(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Calls everybody to join the next generation.
    pub(super) fn prepare(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            if let Some(reply) = member.sync.take() {
                member.expires = now + member.session_timeout;
                let _ = reply.send(Err(ResponseError::RebalanceInProgress));
            }
        }
        self.earliest = if self.phase == Phase::Empty { now + self.rebalance_delay } else { now };
        self.deadline = now + self.longest_rebalance();
        self.phase = Phase::Preparing;
    }

    /// Begins the next generation once everybody has joined or time is up.
    pub(super) fn complete_if_due(&mut self, now: Instant) {
        if self.phase != Phase::Preparing {
            return;
        }
        let all_joined = self.pending.is_empty() && self.members.values().all(Member::has_joined);
        if !self.members.is_empty() && (now < self.earliest || (!all_joined && now < self.deadline))
        {
            return;
        }
        // a static member may be away for as long as its session lasts, and keeps its place
        self.members.retain(|_, member| member.has_joined() || member.instance_id.is_some());
        let members = &self.members;
        self.statics.retain(|_, id| members.contains_key(id));
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.leader.clear();
            self.protocol.clear();
            return;
        }
        let leads = |id: &String| members.get(id).is_some_and(Member::has_joined);
        if !leads(&self.leader) {
            match members.iter().find(|(_, member)| member.has_joined()) {
                Some((id, _)) => self.leader = id.clone(),
                None => {
                    // only static members, and all are away: wait for them or for the end of their
                    // sessions
                    self.deadline = now + self.longest_rebalance();
                    return;
                }
            }
        }
        self.protocol = self.vote();
        self.phase = Phase::Completing;
        self.deadline = now + self.longest_rebalance();
        self.announce(now);
    }

    /// The strategy that every member knows and most like best.
    fn vote(&self) -> String {
        let common = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes = BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
            .unwrap_or_default()
    }

    fn announce(&mut self, now: Instant) {
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.alive(now);
                member.assignment = Bytes::new();
                if let Some(reply) = member.join.take() {
                    let _ = reply.send(Ok(joined));
                }
            }
        }
    }

    /// The generation of now, as it is told to this member.
    pub(super) fn joined(&self, member_id: &str) -> Joined {
        let list = |(id, member): (&String, &Member)| JoinedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&self.protocol),
        };
        let members = if member_id == self.leader {
            self.members.iter().map(list).collect()
        } else {
            Vec::new()
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: member_id.into(),
            members,
        }
    }

    pub(super) fn synced(&self, assignment: Bytes) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }

    /// Takes a member out, and rebalances those who stay.
    pub(super) fn remove(&mut self, member_id: &str, now: Instant) {
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(instance) = &member.instance_id {
            self.statics.remove(instance);
        }
        if let Some(reply) = member.join {
            let refusal =
                JoinRefusal { error: ResponseError::UnknownMemberId, member_id: member_id.into() };
            let _ = reply.send(Err(refusal));
        }
        if let Some(reply) = member.sync {
            let _ = reply.send(Err(ResponseError::UnknownMemberId));
        }
        if matches!(self.phase, Phase::Stable | Phase::Completing) {
            self.prepare(now);
        }
        self.complete_if_due(now);
    }

    /// Whether nothing would be lost if the group were forgotten; its offsets are kept elsewhere.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Empty && self.pending.is_empty()
    }

    pub(super) fn describe(&self) -> Description {
        let settled = matches!(self.phase, Phase::Stable | Phase::Completing);
        let describe = |(id, member): (&String, &Member)| DescribedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if settled { member.metadata(&self.protocol) } else { Bytes::new() },
            assignment: member.assignment.clone(),
        };
        Description {
            phase: self.phase,
            protocol_type: self.protocol_type.clone(),
            protocol: if settled { self.protocol.clone() } else { String::new() },
            members: self.members.iter().map(describe).collect(),
        }
    }
}
