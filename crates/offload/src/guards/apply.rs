//! A frame's way through the gates, the policy and the guards.

use super::{AFTER_POLICY, BEFORE_POLICY, Gate, Guard, Guards, Permit};
use crate::{Action, Choice, FrameFacts, Policy, Snapshot, estimate_to_cloud};
use frame::Destination::{Cloud, Edge};
use frame::PerTier;

/// What comes out at the end of that way.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Verdict<K> {
    /// What is done.
    pub(crate) choice: Choice,
    /// What was taken from the budget and may be given back.
    pub(crate) reserved: Option<f64>,
    /// The frame that this one equals, when it is skipped.
    pub(crate) same_as: Option<K>,
}

impl<K: Copy + Eq> Guards<K> {
    /// Decides on a frame. The policy is asked before anything is noted: when it unwinds, every
    /// guard is as it was.
    pub(crate) fn decide(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        policy: &dyn Policy,
        at: f64,
    ) -> Verdict<K> {
        for gate in BEFORE_POLICY {
            let same_as = match gate {
                Gate::Motion => self.motion.equal_to(&frame.camera, frame.change, at),
            };
            if same_as.is_some() {
                let choice = Choice::new(Action::Skip, "no-motion");
                return Verdict { choice, reserved: None, same_as };
            }
        }
        let mut choice = estimate_to_cloud(frame, load, policy);
        if let Some(budget) = self.budget_of(frame) {
            budget.frame(&frame.camera, at);
        }
        let mut reserved = None;
        for guard in AFTER_POLICY {
            choice = match guard {
                Guard::Hysteresis => self.apply_hysteresis(frame, choice, at),
                Guard::Contract => self.apply_contract(frame, load, choice, at),
                Guard::Breakers => self.apply_breakers(frame, load, choice, at),
                Guard::Budget => self.apply_budget(frame, load, choice, at, &mut reserved),
            };
        }
        Verdict { choice, reserved, same_as: None }
    }

    fn apply_hysteresis(&mut self, frame: &FrameFacts, choice: Choice, at: f64) -> Choice {
        let Action::Send(wanted) = choice.action else { return choice };
        let tier = self.dwell.settle(&frame.camera, wanted, choice.lean, at);
        if tier == wanted {
            choice
        } else {
            Choice { action: Action::Send(tier), reason: "dwell", ..choice }
        }
    }

    fn apply_contract(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        choice: Choice,
        at: f64,
    ) -> Choice {
        if frame.terms.contract.is_none() {
            return choice;
        }
        let affordable =
            self.contracts.is_violated(&frame.terms) && self.is_affordable(frame, load, at);
        self.contracts.remedied(frame, load, choice, affordable)
    }

    fn apply_breakers(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        choice: Choice,
        at: f64,
    ) -> Choice {
        let permits = PerTier::from_fn(|tier| self.breakers[tier].permits(at));
        let answered = PerTier::from_fn(|tier| self.breakers[tier].ever_answered());
        // a tier that the policy does not want and that never answered may not even exist
        let wants_cloud =
            matches!(choice.action, Action::Send(Cloud) | Action::Cascade(_)) || answered.cloud;
        let wants_edge = choice.destination() == Some(Edge) || answered.edge;
        // a frame that the edge could not answer in time afterwards is only lost to a probe when no
        // other comes along
        let is_fit = choice.destination() != Some(Edge)
            || frame.can_be_rescued(load)
            || self.breakers.cloud.is_overdue(at);
        let probes = permits.cloud == Permit::Probe && wants_cloud && is_fit;
        if probes && self.is_affordable(frame, load, at) {
            return Choice { action: Action::Send(Cloud), reason: "probe-cloud", ..choice };
        }
        if permits.edge == Permit::Probe && wants_edge {
            return Choice { action: Action::Send(Edge), reason: "probe-edge", ..choice };
        }
        let edge_is_free = permits.edge == Permit::Free;
        let cloud_is_free = permits.cloud == Permit::Free;
        let (tier, reason) = match (&choice.action, edge_is_free, cloud_is_free) {
            (Action::Send(Cloud), true, false) | (Action::Cascade(_), _, false) => {
                (Edge, "cloud-breaker-open")
            }
            (Action::Send(Edge) | Action::Cascade(_), false, true) => (Cloud, "edge-breaker-open"),
            (Action::Send(_), false, false) => (Edge, "both-breakers-open"),
            (Action::Send(Edge), true, _)
            | (Action::Send(Cloud), _, true)
            | (Action::Cascade(_), true, true)
            | (Action::Expire | Action::Skip, _, _) => return choice,
        };
        Choice { action: Action::Send(tier), reason, ..choice }
    }

    /// Whether the budget has enough for this frame in the cloud.
    fn is_affordable(&mut self, frame: &FrameFacts, load: &Snapshot, at: f64) -> bool {
        let Some(budget) = self.budget_of(frame) else { return true };
        let cost = budget.cost(frame.bytes, load.cloud.price);
        let enough = budget.take(&frame.camera, cost, at);
        if enough {
            budget.give_back(&frame.camera, cost, at);
        }
        enough
    }

    /// What goes to the cloud is paid for, what may go there is reserved.
    fn apply_budget(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        choice: Choice,
        at: f64,
        reserved: &mut Option<f64>,
    ) -> Choice {
        let Some(budget) = self.budget_of(frame) else { return choice };
        if !matches!(choice.action, Action::Send(Cloud) | Action::Cascade(_)) {
            return choice;
        }
        let cost = budget.cost(frame.bytes, load.cloud.price);
        if budget.take(&frame.camera, cost, at) {
            *reserved = Some(cost);
            return choice;
        }
        Choice { action: Action::Send(Edge), reason: "budget-spent", ..choice }
    }
}
