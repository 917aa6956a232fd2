//! Everything together: what was seen of the tiers, the policy, its guards, and the frames on their
//! way.

use crate::guards::{Admission, BreakerState, CircuitBreaker, Dwell, MotionGate, TokenBucket};
use crate::learn::{Capacity, Tier, TierResult};
use crate::{
    Action, Choice, End, FrameFacts, Outcome, Policy, PolicyConfig, PolicyError, Snapshot,
    TierSnapshot, estimate_to_cloud, policies,
};
use frame::Destination::{self, Cloud, Edge};
use frame::{Predicted, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// Frames that a tier never answers are forgotten beyond this number, oldest first.
const MOST_ON_THEIR_WAY: usize = 65_536;
/// A cloud that is slow but steady gets this many times the expected time before frames are taken
/// back from it.
const SLOW_BUT_STEADY: f64 = 2.0;
/// But not more than so many times the configured time when it answers nobody: what is expected of
/// a silent cloud has no bound.
const MOST_PATIENCE: f64 = 3.0;
/// Of the configured time: clocks of several machines differ a little.
const NEARLY: f64 = 0.9;

/// Decides on frames and learns from their results. `K` names frames.
///
/// It has no clock: every call says what time it is.
pub struct Decider<K> {
    config: PolicyConfig,
    policy: Box<dyn Policy>,
    /// Whether the policy is the caller's own, so that no configuration replaces it.
    own: bool,
    edge: Tier,
    cloud: Tier,
    edge_breaker: CircuitBreaker,
    cloud_breaker: CircuitBreaker,
    budget: Option<TokenBucket>,
    dwell: Dwell,
    motion: MotionGate<K>,
    on_their_way: HashMap<K, Pending>,
    in_order: BTreeMap<u64, K>,
    serial: u64,
}

/// A frame that was sent to a tier.
struct Pending {
    /// Its place in the order of decisions.
    number: u64,
    frame: FrameFacts,
    load: Snapshot,
    choice: Choice,
    first: Destination,
    decided: f64,
    /// The flights to each tier.
    edge: Option<u64>,
    cloud: Option<u64>,
    /// What was taken from the budget and may be given back.
    reserved: Option<f64>,
    /// The edge has answered, the cloud looks again.
    provisional: bool,
    learned: bool,
}

/// A decision with everything that travels with the frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Decided<K> {
    /// What is done, after all guards.
    pub choice: Choice,
    /// The policy's name.
    pub policy: String,
    /// In how many milliseconds each tier was expected to answer.
    pub predicted_ms: Predicted,
    /// When the frame is to be taken back if there is no answer; `None` on the edge.
    pub answer_by: Option<Timestamp>,
    /// The frame that this one equals, when it is skipped.
    pub same_as: Option<K>,
}

/// What becomes of a frame that the cloud did not answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenTo {
    /// The edge looks at it.
    Edge,
    /// The edge has looked before: its provisional answer counts.
    Provisional,
}

fn ms(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// What is known, but of the edge's queue.
fn without_edge(load: Snapshot) -> Snapshot {
    Snapshot {
        edge: TierSnapshot { predicted_ms: None, predicted_high_ms: None, ..load.edge },
        ..load
    }
}

/// Never panics: what is no number is no time, and nothing is waited for longer than a day.
fn duration(ms: f64) -> Duration {
    const DAY_MS: f64 = 86_400_000.0;
    Duration::from_micros((ms.clamp(0.0, DAY_MS) * 1000.0) as u64)
}

impl<K: Copy + Eq + Hash> Decider<K> {
    /// With the policy that the configuration names. `seed` is for the breakers' jitter.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &PolicyConfig, seed: u64) -> Result<Self, PolicyError> {
        config.check()?;
        Ok(Self { own: false, ..Self::with_policy(policies::build(config)?, config, seed) })
    }

    /// With a policy of the caller's own; of the configuration all but the policy counts.
    #[must_use]
    pub fn with_policy(policy: Box<dyn Policy>, config: &PolicyConfig, seed: u64) -> Self {
        Self {
            policy,
            own: true,
            edge: Tier::new(Edge, &config.prior.edge),
            cloud: Tier::new(Cloud, &config.prior.cloud),
            edge_breaker: CircuitBreaker::new(config.breaker, seed),
            cloud_breaker: CircuitBreaker::new(config.breaker, seed.wrapping_add(1)),
            budget: config.budget.map(|budget| TokenBucket::new(budget, 0.0)),
            dwell: Dwell::new(config.hysteresis),
            motion: MotionGate::new(config.motion),
            on_their_way: HashMap::new(),
            in_order: BTreeMap::new(),
            serial: 0,
            config: config.clone(),
        }
    }

    /// Exchanges policy and guards. What was seen of the tiers stays, and so does what the policy
    /// has learned if it is the same one.
    ///
    /// # Errors
    /// When the configuration cannot be used; then nothing has changed.
    pub fn reconfigure(
        &mut self,
        config: &PolicyConfig,
        now: Timestamp,
    ) -> Result<(), PolicyError> {
        config.check()?;
        let tuned = |config: &PolicyConfig| {
            let PolicyConfig { policy, ratio, deadline, cascade, bandit, expression, .. } =
                config.clone();
            (policy, ratio, deadline, cascade, bandit, expression)
        };
        if !self.own && tuned(config) != tuned(&self.config) {
            self.policy = policies::build(config)?;
        }
        for (tier, breaker) in [(Edge, &mut self.edge_breaker), (Cloud, &mut self.cloud_breaker)] {
            if config.policy == self.config.policy {
                breaker.reconfigure(config.breaker);
            } else {
                // another policy may never go there, and then nothing would ever close it
                *breaker =
                    CircuitBreaker::new(config.breaker, now.as_micros().wrapping_add(tier as u64));
            }
        }
        self.edge.believe(&config.prior.edge);
        self.cloud.believe(&config.prior.cloud);
        let counted = |config: &PolicyConfig| config.budget.map(|budget| (budget.unit, budget.per));
        if counted(config) != counted(&self.config) {
            // what was reserved in another unit cannot be given back in this one
            self.on_their_way.values_mut().for_each(|pending| pending.reserved = None);
        }
        match (&mut self.budget, config.budget) {
            (Some(bucket), Some(budget)) => bucket.reconfigure(budget, ms(now)),
            (bucket, budget) => *bucket = budget.map(|budget| TokenBucket::new(budget, ms(now))),
        }
        self.dwell.reconfigure(config.hysteresis);
        self.motion.reconfigure(config.motion);
        self.config = config.clone();
        Ok(())
    }

    /// What it is configured with.
    #[must_use]
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// The policy's name.
    #[must_use]
    pub fn policy(&self) -> &str {
        self.policy.name()
    }

    /// Decides on a frame, and notes that it is sent where the choice says.
    pub fn decide(&mut self, key: K, frame: &FrameFacts, now: Timestamp) -> Decided<K> {
        let at = ms(now);
        let mut load = self.snapshot(frame.bytes, now);
        load.edge.shut = self.edge_breaker.admits(at) == Admission::Refused;
        load.cloud.shut = self.cloud_breaker.admits(at) == Admission::Refused;
        let predicted_ms =
            Predicted { edge: load.edge.predicted_ms, cloud: load.cloud.predicted_ms };
        let policy = self.policy.name().to_owned();
        if let Some(same_as) = self.motion.equal_to(&frame.camera, frame.change, at) {
            let choice = Choice::new(Action::Skip, "no-motion");
            return Decided {
                choice,
                policy,
                predicted_ms,
                answer_by: None,
                same_as: Some(same_as),
            };
        }
        if let Some(budget) = &mut self.budget {
            budget.frame(&frame.camera, at);
        }
        let choice = estimate_to_cloud(frame, &load, self.policy.as_ref());
        let choice = self.settled(frame, choice, at);
        let choice = self.admitted(frame, &load, choice, at);
        let (choice, reserved) = self.afforded(frame, &load, choice, at);
        let mut answer_by = None;
        if let Some(first) = choice.destination() {
            self.motion.looks_at(&frame.camera, key, at);
            if first == Cloud {
                answer_by = self.answer_by(frame, &load, now);
            }
            self.dispatched(key, frame, load, &choice, first, reserved, at);
        }
        Decided { choice, policy, predicted_ms, answer_by, same_as: None }
    }

    /// A result was seen. When the frame goes on to the cloud after a provisional one, gives the
    /// moment at which it is to be taken back.
    pub fn result(&mut self, key: K, result: &TierResult, now: Timestamp) -> Option<Timestamp> {
        let at = ms(now);
        if self
            .on_their_way
            .get(&key)
            .is_some_and(|pending| pending.provisional && result.tier == Edge)
        {
            // the edge's answer again, made final by whoever did not want to wait for the cloud:
            // nothing new of the edge
            if !result.provisional {
                self.late(key, now);
            }
            return None;
        }
        let flight = self.on_their_way.get(&key).and_then(|pending| match result.tier {
            Edge => pending.edge,
            Cloud => pending.cloud,
        });
        // of a frame that is not known here (another process sent it), how long it took is still
        // worth knowing
        let serial = flight.unwrap_or(u64::MAX);
        self.tier(result.tier).answered(serial, at, result.end, result.service_ms);
        if matches!(result.end, End::Done | End::Failed) {
            let tier = self.tier(result.tier);
            let still_waiting = tier.is_waited_for().then(|| (at, tier.next_answer_ms(at)));
            self.breaker_of(result.tier).answered(still_waiting);
        }
        if result.provisional {
            return self.goes_on(key, now);
        }
        let pending = self.forget(key)?;
        let elsewhere = result.tier != pending.first && !pending.provisional;
        if let (true, Some(serial)) = (elsewhere, pending.cloud) {
            // another process has taken the frame back
            self.cloud.late(serial, at);
        }
        self.withdraw(&pending, at);
        if result.tier == Edge {
            self.refund(&pending, at);
        }
        if result.end != End::Done {
            self.motion.did_not_see(&pending.frame.camera, key);
        }
        if !pending.learned {
            self.learn(pending, if elsewhere { End::Late } else { result.end }, at);
        }
        None
    }

    /// Whether a frame is on its way to a tier, as far as is known here.
    #[must_use]
    pub fn knows(&self, key: K) -> bool {
        self.on_their_way.contains_key(&key)
    }

    /// The cloud did not answer in time, and then the frame's deadline had gone by.
    pub fn late_and_expired(&mut self, key: K, now: Timestamp) {
        let at = ms(now);
        let Some(pending) = self.forget(key) else { return };
        if let Some(serial) = pending.cloud {
            self.cloud.late(serial, at);
        }
        self.withdraw(&pending, at);
        self.motion.did_not_see(&pending.frame.camera, key);
        if !pending.learned {
            self.learn(pending, End::Late, at);
        }
    }

    /// How long the cloud is waited for; `None` when frames are not taken back.
    #[must_use]
    pub fn cloud_patience(&self, bytes: usize, now: Timestamp) -> Option<Duration> {
        self.patience_ms(&self.snapshot(bytes, now)).map(duration)
    }

    /// The same for a frame that the edge has looked at: it need not wait there again.
    #[must_use]
    pub fn provisional_patience(&self, bytes: usize, now: Timestamp) -> Option<Duration> {
        self.patience_ms(&without_edge(self.snapshot(bytes, now))).map(duration)
    }

    /// A frame of `bytes` got no answer of the cloud for `waited`. When the cloud answers others,
    /// and this one sooner than the edge would, it goes there again: gives the moment at which
    /// it is to be taken back then. `None`: it is to be taken back now.
    ///
    /// A tier that is cut off answers nobody; one that has too much to do must not get rid of it at
    /// one that has more.
    pub fn again(
        &mut self,
        key: K,
        bytes: usize,
        waited: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let at = ms(now);
        let load = self.snapshot(bytes, now);
        let has_waited = waited >= duration(self.config.redispatch.after_ms * NEARLY);
        let answers = self.cloud_answers(&load);
        let is_closed = self.cloud_breaker.state(at) == BreakerState::Closed;
        let sooner = load.cloud.predicted_ms? < load.edge.predicted_ms?;
        if !(self.config.redispatch.enabled && has_waited && answers && is_closed && sooner) {
            return None;
        }
        if let Some(pending) = self.on_their_way.get_mut(&key) {
            if pending.provisional || pending.edge.is_some() {
                return None;
            }
            let serial = self.serial;
            self.serial += 1;
            if let Some(before) = pending.cloud.replace(serial) {
                self.cloud.give_up(before, at);
            }
            self.cloud.sent(serial, at, bytes, load.cloud.predicted_ms);
            self.cloud_breaker.sent(at, load.cloud.predicted_high_ms);
        }
        Some(now + duration(self.patience_ms(&load)?))
    }

    /// Whether somebody's frame was answered by the cloud lately.
    fn cloud_answers(&self, load: &Snapshot) -> bool {
        load.cloud.last_result_ms.is_some_and(|ms| ms <= self.config.breaker.silence_ms)
    }

    /// The same in milliseconds, for tiers that have been looked at already.
    fn patience_ms(&self, load: &Snapshot) -> Option<f64> {
        let high_ms = SLOW_BUT_STEADY * load.cloud.predicted_high_ms.unwrap_or(0.0);
        // taken back, it would wait there
        let edge_ms = load.edge.predicted_high_ms.unwrap_or(0.0);
        let configured_ms = self.config.redispatch.after_ms;
        let most_ms =
            if self.cloud_answers(load) { f64::INFINITY } else { MOST_PATIENCE * configured_ms };
        let patience_ms = configured_ms.max(high_ms.max(edge_ms).min(most_ms));
        self.config.redispatch.enabled.then_some(patience_ms)
    }

    /// The cloud did not answer in time: the frame is looked at on the edge, or its provisional
    /// answer counts. It is `None` when the frame is known to have been answered.
    pub fn late(&mut self, key: K, now: Timestamp) -> Option<TakenTo> {
        let at = ms(now);
        let pending = self.on_their_way.get_mut(&key)?;
        let serial = pending.cloud?;
        self.cloud.late(serial, at);
        if pending.provisional {
            let pending = self.forget(key)?;
            self.learn(pending, End::Late, at);
            return Some(TakenTo::Provisional);
        }
        if pending.edge.is_some() {
            return None;
        }
        let edge_serial = self.serial;
        self.serial += 1;
        pending.edge = Some(edge_serial);
        pending.learned = true;
        let (bytes, outcome) = (pending.frame.bytes, outcome_of(pending, End::Late, at));
        self.edge.sent(edge_serial, at, bytes, None);
        self.edge_breaker.sent(at, None);
        self.policy.learn(&outcome);
        Some(TakenTo::Edge)
    }

    /// The frame was answered without a tier, e.g. because somebody saw it expire.
    pub fn ended_elsewhere(&mut self, key: K, now: Timestamp) {
        if let Some(pending) = self.forget(key) {
            self.withdraw(&pending, ms(now));
            self.refund(&pending, ms(now));
            self.motion.did_not_see(&pending.frame.camera, key);
        }
    }

    /// What the broker says of how far a tier's group is behind.
    pub fn lag(&mut self, tier: Destination, frames: Option<u64>) {
        self.tier(tier).lag(frames);
    }

    /// What an orchestrator says of a tier.
    pub fn capacity(&mut self, tier: Destination, capacity: Capacity) {
        self.tier(tier).capacity(capacity);
    }

    /// The tiers as they are seen now, for a frame of this size.
    #[must_use]
    pub fn snapshot(&self, bytes: usize, now: Timestamp) -> Snapshot {
        let price = &self.config.price;
        Snapshot {
            edge: self.edge.snapshot(bytes, price.of(Edge, bytes), ms(now)),
            cloud: self.cloud.snapshot(bytes, price.of(Cloud, bytes), ms(now)),
        }
    }

    /// How a tier's breaker stands.
    pub fn breaker(&mut self, tier: Destination, now: Timestamp) -> BreakerState {
        self.breaker_of(tier).state(ms(now))
    }

    /// What is left of the budget, in its unit; of the camera that has the least, where each has
    /// its own. `None` without a budget.
    pub fn budget_left(&mut self, now: Timestamp) -> Option<f64> {
        self.budget.as_mut().map(|budget| budget.left(ms(now)))
    }

    fn tier(&mut self, tier: Destination) -> &mut Tier {
        match tier {
            Edge => &mut self.edge,
            Cloud => &mut self.cloud,
        }
    }

    fn breaker_of(&mut self, tier: Destination) -> &mut CircuitBreaker {
        match tier {
            Edge => &mut self.edge_breaker,
            Cloud => &mut self.cloud_breaker,
        }
    }

    /// Hysteresis.
    fn settled(&mut self, frame: &FrameFacts, choice: Choice, at: f64) -> Choice {
        let Action::Send(wanted) = choice.action else { return choice };
        let tier = self.dwell.settle(&frame.camera, wanted, choice.lean, at);
        if tier == wanted {
            choice
        } else {
            Choice { action: Action::Send(tier), reason: "dwell", ..choice }
        }
    }

    /// Circuit breakers.
    fn admitted(&mut self, frame: &FrameFacts, load: &Snapshot, choice: Choice, at: f64) -> Choice {
        let (edge, cloud) = (self.edge_breaker.admits(at), self.cloud_breaker.admits(at));
        // a tier that the policy does not want and that never answered may not even exist
        let wants_cloud = matches!(choice.action, Action::Send(Cloud) | Action::Cascade(_))
            || self.cloud_breaker.ever_answered();
        let wants_edge = choice.destination() == Some(Edge) || self.edge_breaker.ever_answered();
        if cloud == Admission::Probe && wants_cloud && self.affordable(frame, load, at) {
            return Choice { action: Action::Send(Cloud), reason: "probe-cloud", ..choice };
        }
        if edge == Admission::Probe && wants_edge {
            return Choice { action: Action::Send(Edge), reason: "probe-edge", ..choice };
        }
        let (edge, cloud) = (edge == Admission::Free, cloud == Admission::Free);
        match choice.action {
            Action::Send(Cloud) if !cloud && edge => {
                Choice { action: Action::Send(Edge), reason: "cloud-breaker-open", ..choice }
            }
            Action::Send(Edge) if !edge && cloud => {
                Choice { action: Action::Send(Cloud), reason: "edge-breaker-open", ..choice }
            }
            Action::Send(_) if !edge && !cloud => {
                Choice { action: Action::Send(Edge), reason: "both-breakers-open", ..choice }
            }
            Action::Cascade(_) if !cloud => {
                Choice { action: Action::Send(Edge), reason: "cloud-breaker-open", ..choice }
            }
            Action::Cascade(_) if !edge => {
                Choice { action: Action::Send(Cloud), reason: "edge-breaker-open", ..choice }
            }
            _ => choice,
        }
    }

    /// Whether the budget has enough for this frame in the cloud.
    fn affordable(&mut self, frame: &FrameFacts, load: &Snapshot, at: f64) -> bool {
        let Some(budget) = &mut self.budget else { return true };
        let cost = budget.cost(frame.bytes, load.cloud.price);
        let enough = budget.take(&frame.camera, cost, at);
        if enough {
            budget.give_back(&frame.camera, cost, at);
        }
        enough
    }

    /// Budget: what goes to the cloud is paid for, what may go there is reserved.
    fn afforded(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        choice: Choice,
        at: f64,
    ) -> (Choice, Option<f64>) {
        let Some(budget) = &mut self.budget else { return (choice, None) };
        if !matches!(choice.action, Action::Send(Cloud) | Action::Cascade(_)) {
            return (choice, None);
        }
        let cost = budget.cost(frame.bytes, load.cloud.price);
        if budget.take(&frame.camera, cost, at) {
            return (choice, Some(cost));
        }
        (Choice { action: Action::Send(Edge), reason: "budget-spent", ..choice }, None)
    }

    /// When a frame in the cloud is to be taken back: early enough for the edge to meet its
    /// deadline, if that is not before the cloud is expected to answer; else when its deadline
    /// goes by; or after the configured time.
    fn answer_by(&self, frame: &FrameFacts, load: &Snapshot, now: Timestamp) -> Option<Timestamp> {
        let high_ms = load.cloud.predicted_high_ms.unwrap_or(0.0);
        let configured_ms = self.patience_ms(load)?;
        let after_ms = match frame.deadline_left_ms {
            None => configured_ms,
            Some(left_ms) => {
                let rescue_ms = left_ms - load.edge.predicted_high_ms.unwrap_or(f64::INFINITY);
                configured_ms.min(if rescue_ms >= high_ms && rescue_ms > 0.0 {
                    rescue_ms
                } else {
                    left_ms
                })
            }
        };
        Some(now + duration(after_ms))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one record, at its only call")]
    fn dispatched(
        &mut self,
        key: K,
        frame: &FrameFacts,
        load: Snapshot,
        choice: &Choice,
        first: Destination,
        reserved: Option<f64>,
        at: f64,
    ) {
        let serial = self.serial;
        self.serial += 1;
        let (expected, high) = (load.of(first).predicted_ms, load.of(first).predicted_high_ms);
        self.tier(first).sent(serial, at, frame.bytes, expected);
        self.breaker_of(first).sent(at, high);
        let pending = Pending {
            number: serial,
            frame: frame.clone(),
            load,
            choice: choice.clone(),
            first,
            decided: at,
            edge: (first == Edge).then_some(serial),
            cloud: (first == Cloud).then_some(serial),
            reserved,
            provisional: false,
            learned: false,
        };
        if let Some(before) = self.on_their_way.insert(key, pending) {
            self.in_order.remove(&before.number);
            self.withdraw(&before, at);
            self.refund(&before, at);
        }
        self.in_order.insert(serial, key);
        while self.in_order.len() > MOST_ON_THEIR_WAY {
            let Some((_, oldest)) = self.in_order.pop_first() else { break };
            if let Some(pending) = self.on_their_way.remove(&oldest) {
                self.withdraw(&pending, at);
                self.refund(&pending, at);
            }
        }
    }

    /// The edge found the frame hard: it is on its way to the cloud now.
    fn goes_on(&mut self, key: K, now: Timestamp) -> Option<Timestamp> {
        let at = ms(now);
        let pending = self.on_their_way.get_mut(&key)?;
        let serial = self.serial;
        self.serial += 1;
        pending.provisional = true;
        pending.edge = None;
        pending.cloud = Some(serial);
        let bytes = pending.frame.bytes;
        let load = self.snapshot(bytes, now);
        self.cloud.sent(serial, at, bytes, load.cloud.predicted_ms);
        self.cloud_breaker.sent(at, load.cloud.predicted_high_ms);
        let without_deadline =
            FrameFacts { deadline_left_ms: None, ..self.on_their_way.get(&key)?.frame.clone() };
        self.answer_by(&without_deadline, &without_edge(load), now)
    }

    /// What was reserved for the cloud and not spent there.
    fn refund(&mut self, pending: &Pending, at: f64) {
        if let (Some(cost), Some(budget), None) =
            (pending.reserved, &mut self.budget, pending.cloud)
        {
            budget.give_back(&pending.frame.camera, cost, at);
        }
    }

    fn forget(&mut self, key: K) -> Option<Pending> {
        let pending = self.on_their_way.remove(&key)?;
        self.in_order.remove(&pending.number);
        Some(pending)
    }

    /// The frame is answered: its flights are not waited for any more.
    fn withdraw(&mut self, pending: &Pending, at: f64) {
        for (tier, serial) in [(Edge, pending.edge), (Cloud, pending.cloud)] {
            if let Some(serial) = serial {
                self.tier(tier).give_up(serial, at);
            }
        }
    }

    fn learn(&mut self, pending: Pending, end: End, at: f64) {
        self.policy.learn(&outcome_of(&pending, end, at));
    }
}

fn outcome_of(pending: &Pending, end: End, at: f64) -> Outcome {
    Outcome {
        frame: pending.frame.clone(),
        load: pending.load,
        choice: pending.choice.clone(),
        tier: pending.first,
        end,
        took_ms: at - pending.decided,
    }
}

impl<K> std::fmt::Debug for Decider<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decider")
            .field("policy", &self.policy.name())
            .field("on_their_way", &self.on_their_way.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
