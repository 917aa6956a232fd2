//! The one decider of this process, shared by all that see something of the tiers.

use crate::guard::{POLICY_PANICKED, guarded};
use crate::metrics::{Metrics, PolicyCall};
use crate::redispatch::CLOUD_LATE;
use accuracy::agreement;
use frame::{
    Agreement, AnnouncedAgreement, AnnouncedLearning, CameraAgreement, CameraId, ContractStanding,
    Decision, Destination, FrameId, FrameResult, MeanWithin, Order, PerTier, Predicted, Status,
    Timestamp,
};
use offload::{
    BreakerState, Capacity, Choice, Decided, Decider, End, FrameFacts, KeptLessons, Policy,
    PolicyConfig, PolicyError, Prepared, TakenTo, TierResult,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Decides and learns; clones share it. Every method takes a lock for microseconds.
#[derive(Clone)]
pub(crate) struct Decisions {
    decider: Arc<Mutex<Decider<FrameId>>>,
    /// Whether the policy is the caller's own, which no configuration replaces.
    own: bool,
    metrics: Metrics,
    /// When it began, by the system's clock and by one that is never set.
    began: (Timestamp, Instant),
}

impl Decisions {
    /// With the configured policy, or with one of the caller's own.
    pub(crate) fn new(
        config: &PolicyConfig,
        own: Option<Box<dyn Policy>>,
        metrics: Metrics,
    ) -> Result<Self, PolicyError> {
        // jitter shall differ between replicas, and nothing else does
        let seed = Timestamp::now().as_micros() ^ u64::from(std::process::id());
        let is_own = own.is_some();
        let decider = match own {
            Some(policy) => Decider::with_policy(policy, config, seed),
            None => Decider::new(config, seed)?,
        };
        Ok(Self {
            decider: Arc::new(Mutex::new(decider)),
            own: is_own,
            metrics,
            began: (Timestamp::now(), Instant::now()),
        })
    }

    /// Decides on a frame; one whose decision panics goes to the edge.
    pub(crate) fn decide(&self, id: FrameId, frame: &FrameFacts) -> Decided<FrameId> {
        let now = self.now();
        let call = || self.lock().decide(id, frame, now);
        let mut decided =
            guarded(&self.metrics, PolicyCall::Decide, call).unwrap_or_else(|| Decided {
                choice: Choice::send(Destination::Edge, POLICY_PANICKED),
                policy: self.policy(),
                predicted_ms: Predicted::default(),
                answer_by: None,
                same_as: None,
                contract: None,
                order: Order::default(),
                weight: 1,
            });
        // what travels is read by others' system clocks
        let left = |answer_by: Timestamp| {
            Duration::from_micros(answer_by.as_micros().saturating_sub(now.as_micros()))
        };
        decided.answer_by = decided.answer_by.map(|answer_by| Timestamp::now() + left(answer_by));
        decided
    }

    /// The time by a clock that never jumps: an edge box that gets the right time from the network
    /// an hour after it was switched on must not keep a breaker open for that hour.
    fn now(&self) -> Timestamp {
        self.began.0 + self.began.1.elapsed()
    }

    /// Whether a frame is on its way to a tier, as far as is known here.
    pub(crate) fn knows(&self, id: FrameId) -> bool {
        self.lock().knows(id)
    }

    /// Whether frames are compared with the one before, because equal ones may be skipped.
    pub(crate) fn wants_change(&self) -> bool {
        self.lock().config().motion.skip_below > 0.0
    }

    /// In which order the camera's waiting frames are served. Uploads without a camera have nothing
    /// to do with each other.
    pub(crate) fn order(&self, camera: &CameraId) -> Order {
        if camera.is_unnamed() { Order::default() } else { self.lock().order(camera) }
    }

    /// The camera's weight beside others where frames wait.
    pub(crate) fn weight(&self, camera: &CameraId) -> u32 {
        self.lock().weight(camera).unwrap_or(1)
    }

    /// A frame of this camera ended before it was decided on: overtaken, or expired.
    pub(crate) fn undecided(&self, camera: &CameraId, overtaken: bool) {
        self.lock().undecided(camera, overtaken, self.now());
    }

    /// How each contract stands.
    pub(crate) fn contracts(&self) -> Vec<ContractStanding> {
        self.lock().contracts(false, self.now())
    }

    /// A result was read; `edge` is the provisional one of the same frame that the cloud's ends.
    /// `own_unit` names this unit: what it answered itself says nothing about the tiers.
    pub(crate) fn result(&self, result: &FrameResult, edge: Option<&FrameResult>, own_unit: &str) {
        let now = self.now();
        let by_us = result.served_by.unit == own_unit;
        if by_us && result.status == Status::Expired && result.attempt.is_some() {
            // of another replica, which took it back from the cloud
            self.learn(|decider| decider.late_and_expired(result.frame_id, now));
            return;
        }
        if result.overtaken_by.is_some() {
            self.lock().overtaken(result.frame_id, now);
            return;
        }
        let promoted =
            |decision: &&Decision| decision.reason == CLOUD_LATE && result.attempt == Some(1);
        let Some(decision) =
            result.decision.as_ref().filter(|decision| !by_us && !promoted(decision))
        else {
            // answered before it came to a tier, by somebody who saw it expire, or with what the
            // edge had said before
            self.lock().ended_elsewhere(result.frame_id, now);
            return;
        };
        let timings = &result.timings_ms;
        let parts = [timings.decode, timings.inference, timings.postprocess];
        let service_ms = timings.inference.map(|_| parts.into_iter().flatten().sum());
        let end = match result.status {
            Status::Done | Status::Provisional => End::Done,
            Status::Failed => End::Failed,
            Status::Expired => End::Expired,
            Status::Skipped => return,
        };
        let provisional = result.status == Status::Provisional;
        let agreed = edge.and_then(|edge| agreed(edge, result));
        let seen = TierResult {
            tier: decision.destination,
            end,
            service_ms,
            provisional,
            measured: result.hardness.as_ref().map(Into::into),
            loss: agreed.map(|agreed| 1.0 - agreed.f1()),
            wrong: agreed.map(|agreed| agreed.wrong() as f64),
        };
        self.learn(|decider| decider.result(result.frame_id, &seen, now));
        self.metrics.answered(result);
    }

    /// The cloud has not answered in time.
    pub(crate) fn late(&self, id: FrameId) -> Option<TakenTo> {
        // a lesson that panicked is not given again: the second call does the rest
        self.learn(|decider| decider.late(id, self.now()))
            .unwrap_or_else(|| self.lock().late(id, self.now()))
    }

    /// The cloud has not answered in time, and the frame's deadline has gone by.
    pub(crate) fn late_and_expired(&self, id: FrameId) {
        self.learn(|decider| decider.late_and_expired(id, self.now()));
    }

    /// How long the cloud is waited for; `None` when frames are not taken back.
    pub(crate) fn cloud_patience(&self, bytes: usize) -> Option<Duration> {
        self.lock().cloud_patience(bytes, self.now())
    }

    /// The same for a frame that the edge has answered provisionally.
    pub(crate) fn provisional_patience(&self, bytes: usize) -> Option<Duration> {
        self.lock().provisional_patience(bytes, self.now())
    }

    /// Whether a frame that the cloud has not answered for `waited` goes there again, because the
    /// edge would answer it later; until when, by the system's clock.
    pub(crate) fn again(&self, id: FrameId, bytes: usize, waited: Duration) -> Option<Timestamp> {
        let now = self.now();
        let answer_by = self.lock().again(id, bytes, waited, now)?;
        Some(
            Timestamp::now()
                + Duration::from_micros(answer_by.as_micros().saturating_sub(now.as_micros())),
        )
    }

    pub(crate) fn lag(&self, tier: Destination, frames: Option<u64>) {
        self.lock().lag(tier, frames);
    }

    pub(crate) fn capacity(
        &self,
        tier: Destination,
        replicas: Option<u32>,
        at_maximum: Option<bool>,
    ) {
        let mut decider = self.lock();
        let of_a_replica = decider.config().prior[tier].workers;
        let workers = replicas.map(|replicas| replicas.saturating_mul(of_a_replica.unwrap_or(1)));
        decider.capacity(tier, Capacity { workers, at_maximum });
    }

    /// Checks a configuration and builds its policy, which may take a while (a rule is compiled):
    /// frames are decided on meanwhile.
    pub(crate) fn prepare(&self, config: &PolicyConfig) -> Result<Prepared, PolicyError> {
        if self.own { Prepared::without_policy(config) } else { Prepared::new(config) }
    }

    pub(crate) fn exchange(&self, prepared: Prepared) {
        let now = self.now();
        self.lock().exchange(prepared, now);
    }

    pub(crate) fn policy(&self) -> String {
        self.lock().policy().to_owned()
    }

    /// The state of each tier's circuit breaker.
    pub(crate) fn breakers(&self) -> PerTier<BreakerState> {
        let now = self.now();
        let mut decider = self.lock();
        PerTier::from_fn(|tier| decider.breaker(tier, now))
    }

    /// How far edge and cloud agree, with so many cameras at most; `None` while no policy compares
    /// them or nothing was compared.
    pub(crate) fn agreement(&self, most: usize) -> Option<AnnouncedAgreement> {
        let decider = self.lock();
        let lessons = decider.lessons()?;
        let all = told(&lessons.overall());
        let cameras = lessons.by_camera(most).into_iter().map(|one| CameraAgreement {
            camera: one.camera,
            agreement: told(&one.agreement),
            resets: one.resets,
        });
        all.all.or(all.easy)?;
        let learned = lessons.experience().map(|known| AnnouncedLearning {
            lessons: known.lessons,
            cameras: known.cameras as u64,
            found_again: known.found_again as u64,
        });
        Some(AnnouncedAgreement { all, cameras: cameras.collect(), learned })
    }

    /// Goes on from what was learned of a camera before, or elsewhere.
    pub(crate) fn keep(&self, kept: KeptLessons) {
        self.lock().keep(kept);
    }

    /// Nothing is kept of a camera's lessons any more.
    pub(crate) fn keep_no_more(&self, camera: &CameraId) {
        self.lock().keep_no_more(camera);
    }

    /// What is to be kept of what was learned since it was kept last; `last`: it is the last time.
    pub(crate) fn to_keep(&self, last: bool) -> Vec<KeptLessons> {
        // others' records are compared with it, so it is the system's clock
        self.lock().to_keep(Timestamp::now(), last)
    }

    /// Puts how things stand into the metrics.
    pub(crate) fn report(&self) {
        let now = self.now();
        let mut decider = self.lock();
        // any size will do for what does not depend on it
        let snapshot = decider.snapshot(0, now);
        for tier in Destination::ALL {
            let breaker = decider.breaker(tier, now);
            self.metrics.tier(tier, snapshot.of(tier), breaker);
        }
        if let Some(left) = decider.budget_left(now) {
            self.metrics.budget_left(left);
        }
        let easy = decider.lessons().and_then(|lessons| lessons.overall().easy);
        self.metrics.agreement(easy);
        let (within, ever) = (decider.contracts(false, now), decider.contracts(true, now));
        drop(decider);
        self.metrics.contracts(&within, &ever);
    }

    /// A call in which the policy learns; a lesson that panics is lost, and the call gives `None`.
    fn learn<T>(&self, call: impl FnOnce(&mut Decider<FrameId>) -> T) -> Option<T> {
        guarded(&self.metrics, PolicyCall::Learn, || call(&mut self.lock()))
    }

    /// A panic under the lock is a lost decision or lesson, and no reason to stop: the decider asks
    /// the policy first when it decides, and last when it learns.
    fn lock(&self) -> MutexGuard<'_, Decider<FrameId>> {
        self.decider.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As it is announced: four digits are plenty, and few bytes.
fn told(known: &offload::Agreement) -> Agreement {
    let short = |value: f64| (value * 1e4).round() / 1e4;
    let within = |known: offload::Interval| MeanWithin {
        mean: short(known.mean),
        low: short(known.low),
        high: short(known.high),
    };
    Agreement {
        easy: known.easy.map(within),
        all: known.all.map(within),
        hard_share: short(known.hard_share),
        audits: short(known.audits),
    }
}

/// How the edge's answer stands against the cloud's; `None` when the cloud ran no detection.
fn agreed(edge: &FrameResult, cloud: &FrameResult) -> Option<accuracy::Agreement> {
    let by_cloud = cloud.status == Status::Done
        && cloud.decision.as_ref().is_some_and(|of| of.destination == Destination::Cloud);
    by_cloud.then(|| agreement(&cloud.detections, &edge.detections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{
        BoundingBox, CameraId, Detection, Envelope, ImageFormat, ImageSize, ModelInfo, Prepared,
        ServedBy, TimingsMs,
    };
    use std::sync::mpsc;

    fn result(tier: Destination, status: Status, classes: &[u32]) -> FrameResult {
        let found = |class_id: &u32| Detection {
            class: "thing".into(),
            class_id: *class_id,
            confidence: 0.5,
            bounding_box: BoundingBox { x: 0.0, y: 0.0, width: 9.0, height: 9.0 },
            zones: None,
        };
        let size = ImageSize { width: 9, height: 9 };
        let envelope = Envelope {
            prepared: Some(Prepared::now(size, Decision::new(tier, "test", "cascade"))),
            ..Envelope::received_now(CameraId::unnamed(), 1, ImageFormat::Jpeg)
        };
        let [name, version, input] = ["m", "v", "9x9"].map(str::to_owned);
        let model = ModelInfo { name, version, input, resize: None };
        let detections = classes.iter().map(found).collect();
        let done = envelope.done(detections, model, ServedBy::default(), TimingsMs::default());
        FrameResult { status, ..done }
    }

    #[test]
    fn the_edges_answer_is_compared_with_the_clouds_alone() {
        let edge = result(Destination::Edge, Status::Provisional, &[1, 2]);
        let cloud = |status, classes: &[u32]| result(Destination::Cloud, status, classes);
        let loss = |edge, cloud: &FrameResult| agreed(edge, cloud).map(|agreed| 1.0 - agreed.f1());
        assert_eq!(loss(&edge, &cloud(Status::Done, &[1, 2])), Some(0.0));
        assert_eq!(loss(&edge, &cloud(Status::Done, &[3])), Some(1.0));
        assert_eq!(loss(&edge, &cloud(Status::Done, &[1, 3])), Some(0.5));
        assert_eq!(loss(&edge, &cloud(Status::Failed, &[])), None);
        assert_eq!(loss(&edge, &result(Destination::Edge, Status::Done, &[1, 2])), None);
    }

    /// Only for a test that hangs instead of failing.
    const HANGS: Duration = Duration::from_secs(60);

    #[test]
    fn a_rule_is_compiled_while_others_decide() {
        let metrics = Metrics::register(&unit::Metrics::default());
        let edge_only = PolicyConfig::named("edge-only").unwrap();
        let decisions = Decisions::new(&edge_only, None, metrics).unwrap();
        let rule = "policy = 'expression'\n[expression]\nrule = 'edge.backlog > 3'";
        let rule = PolicyConfig::from_toml(rule).unwrap();
        let (sender, prepared) = mpsc::channel();
        // somebody decides all the time that it takes
        let deciding = decisions.lock();
        let compiler = decisions.clone();
        std::thread::spawn(move || drop(sender.send(compiler.prepare(&rule).unwrap())));
        let prepared = prepared.recv_timeout(HANGS).unwrap();
        drop(deciding);
        decisions.exchange(prepared);
        assert_eq!(decisions.policy(), "expression");
    }
}
