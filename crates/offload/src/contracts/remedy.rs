//! What is done with a frame while its contract is violated.

use super::{Contracts, OnViolation};
use crate::{Action, Choice, FrameFacts, Snapshot};
use frame::Destination::{self, Cloud, Edge};

/// Why a frame was dropped: its contract lowers the rate of the camera.
pub(crate) const LOWER_RATE: &str = "lower-rate";
/// Why a policy that wanted to drop a frame could not.
const MAY_NOT_EXPIRE: &str = "may-not-expire";

impl Contracts {
    /// The choice after the contract's remedies; `affordable` says whether the cloud could be paid.
    pub(crate) fn remedied(
        &mut self,
        frame: &FrameFacts,
        load: &Snapshot,
        choice: Choice,
        affordable: bool,
    ) -> Choice {
        let terms = &frame.terms;
        let Some(kept) = self.of(terms) else { return choice };
        if choice.action == Action::Skip {
            return choice;
        }
        let choice = if choice.action == Action::Expire && !frame.may_expire() {
            let tier = if sooner(Cloud, load) { Cloud } else { Edge };
            Choice { action: Action::Send(tier), reason: MAY_NOT_EXPIRE, ..choice }
        } else {
            choice
        };
        let served = self.cameras.get(&frame.camera).copied().unwrap_or_default();
        let (mut dropped, mut remedied) = (false, None);
        if kept.attainment.is_violated() {
            let left_ms = frame.wanted_within_ms();
            for step in &kept.config.on_violation {
                remedied = match step {
                    OnViolation::Cloud
                        if choice.destination() == Some(Edge)
                            && affordable
                            && sooner(Cloud, load) =>
                    {
                        Some(Choice::send(Cloud, "contract-cloud"))
                    }
                    OnViolation::Edge
                        if choice.destination() == Some(Cloud) && sooner(Edge, load) =>
                    {
                        Some(Choice::send(Edge, "contract-edge"))
                    }
                    OnViolation::LowerRate if !served.dropped => {
                        dropped = true;
                        Some(Choice::new(Action::Expire, LOWER_RATE))
                    }
                    OnViolation::Expire if left_ms.is_some_and(|left| none_within(left, load)) => {
                        Some(Choice::new(Action::Expire, "contract-expire"))
                    }
                    OnViolation::Cloud
                    | OnViolation::Edge
                    | OnViolation::LowerRate
                    | OnViolation::Expire => None,
                };
                if remedied.is_some() {
                    break;
                }
            }
        }
        if let Some(served) = self.cameras.get_mut(&frame.camera) {
            served.dropped = dropped;
        }
        match remedied {
            Some(remedied) => Choice { lean: choice.lean, ..remedied },
            None => choice,
        }
    }
}

/// Whether no tier is expected to answer within this time, as far as anything is known.
fn none_within(left_ms: f64, load: &Snapshot) -> bool {
    let known = || Destination::ALL.iter().filter_map(|tier| load[*tier].predicted_ms);
    known().next().is_some() && known().all(|predicted_ms| predicted_ms > left_ms)
}

/// Whether a tier is expected to answer sooner than the other one; one of which nothing is known is
/// tried now and then.
fn sooner(tier: Destination, load: &Snapshot) -> bool {
    let other = if tier == Cloud { Edge } else { Cloud };
    let (this, other) = (&load[tier], &load[other]);
    if this.shut {
        return false;
    }
    match (this.predicted_ms, other.predicted_ms.filter(|_| !other.shut)) {
        (Some(this), Some(other)) => this < other,
        (Some(_), None) => true,
        (None, _) => this.may_be_tried(),
    }
}
