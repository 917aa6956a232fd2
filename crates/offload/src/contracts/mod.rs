//! Contracts: what is promised to groups of cameras, whether it is kept, and what is done if not.
//!
//! A contract acts on every frame of its cameras, whichever policy decides: the policy plans with
//! its time ([`Terms`]), its own budget pays, and while it is violated its remedies change the
//! choice. All of it takes constant time for a frame, and bounded memory.

mod attainment;
mod config;
mod remedy;
mod standing;
mod terms;

use crate::guards::{TokenBucket, make_room};
use crate::{End, FrameFacts};
use attainment::{Attainment, Fate};
pub(crate) use config::check;
pub use config::{Contract, OnViolation};
use frame::{CameraId, Order};
pub(crate) use remedy::LOWER_RATE;
pub use standing::{ShareInterval, error_budget_left, wilson};
use std::collections::HashMap;
use std::sync::Arc;
pub use terms::Terms;

/// A contract whose error budget is used up to all but this share of it is in danger.
const IN_DANGER: f64 = 0.25;

/// The contracts of a decider, with what has come of them.
pub(crate) struct Contracts {
    /// In the order of the policy file: a camera has the first that names it.
    kept: Vec<Kept>,
    cameras: HashMap<CameraId, Served>,
    next_number: u64,
}

struct Kept {
    /// Never used again for another contract, or for the same with other terms.
    number: u64,
    name: Arc<str>,
    config: Contract,
    attainment: Attainment,
    budget: Option<TokenBucket>,
}

/// What is remembered of a camera.
#[derive(Clone, Copy, Default)]
struct Served {
    /// The place of its contract.
    index: Option<usize>,
    /// Whether its last frame was dropped to lower the rate.
    dropped: bool,
}

impl Contracts {
    pub(crate) fn new(config: &[Contract], at: f64) -> Self {
        let mut contracts = Self { kept: Vec::new(), cameras: HashMap::new(), next_number: 1 };
        contracts.reconfigure(config, at);
        contracts
    }

    /// Other contracts. One with the same name that promises the same keeps what was counted, and
    /// what is left of its budget.
    pub(crate) fn reconfigure(&mut self, config: &[Contract], at: f64) {
        let mut before = std::mem::take(&mut self.kept);
        for config in config {
            let place = before.iter().position(|kept| kept.config.promises_like(config));
            let mut kept = match place {
                Some(place) => before.swap_remove(place),
                None => {
                    self.next_number += 1;
                    Kept {
                        number: self.next_number,
                        name: config.name.as_str().into(),
                        config: config.clone(),
                        attainment: Attainment::new(config.window_s * 1000.0, config.share, at),
                        budget: config.budget.map(|budget| TokenBucket::new(budget, at)),
                    }
                }
            };
            if let (Some(bucket), Some(budget)) = (&mut kept.budget, config.budget) {
                bucket.reconfigure(budget, at);
            }
            kept.config = config.clone();
            self.kept.push(kept);
        }
        self.cameras.clear();
    }

    /// The facts with the terms of the camera's contract; `None` when no contract has any bearing
    /// on the frame.
    pub(crate) fn with_terms(&mut self, frame: &FrameFacts, at: f64) -> Option<FrameFacts> {
        if self.kept.is_empty() {
            return None;
        }
        let index = self.served(&frame.camera).index;
        for kept in &mut self.kept {
            kept.attainment.advance(at);
        }
        let in_danger = |kept: &&Kept| kept.attainment.is_below(IN_DANGER);
        let urgent = self.kept.iter().filter(in_danger).map(|kept| kept.config.priority).max();
        let kept = index.and_then(|index| self.kept.get(index));
        let priority = kept.map_or(1, |kept| kept.config.priority);
        let yields = match urgent {
            Some(urgent) if urgent > priority => 1.0 - f64::from(priority) / f64::from(urgent),
            Some(_) | None => 0.0,
        };
        if kept.is_none() && yields == 0.0 {
            return None;
        }
        let terms = Terms {
            contract: kept.map(|kept| kept.number),
            left_ms: kept
                .and_then(|kept| kept.config.within_ms)
                .map(|within_ms| within_ms - frame.age_ms),
            may_expire: kept
                .is_some_and(|kept| kept.config.on_violation.contains(&OnViolation::Expire)),
            yields,
            agreement: kept.and_then(|kept| kept.config.agreement),
        };
        Some(FrameFacts { terms, ..frame.clone() })
    }

    /// The name, order and priority of the frame's contract. Uploads without a camera have nothing
    /// to do with each other: none overtakes another.
    pub(crate) fn served_by(&self, frame: &FrameFacts) -> Option<(Arc<str>, Order, u32)> {
        let kept = self.of(&frame.terms)?;
        let order = if frame.camera.is_unnamed() { Order::default() } else { kept.config.order };
        Some((Arc::clone(&kept.name), order, kept.config.priority))
    }

    /// Whether the frame's contract is still there.
    pub(crate) fn has(&self, terms: &Terms) -> bool {
        self.of(terms).is_some()
    }

    /// In which order a camera's waiting frames are served.
    pub(crate) fn order(&mut self, camera: &CameraId) -> Order {
        if self.kept.is_empty() {
            return Order::default();
        }
        let index = self.served(camera).index;
        index
            .and_then(|index| self.kept.get(index))
            .map_or(Order::default(), |kept| kept.config.order)
    }

    /// The camera's weight beside others where frames wait; `None` when there are no contracts.
    pub(crate) fn weight(&mut self, camera: &CameraId) -> Option<u32> {
        if self.kept.is_empty() {
            return None;
        }
        let index = self.served(camera).index;
        let kept = index.and_then(|index| self.kept.get(index));
        Some(kept.map_or(1, |kept| kept.config.priority))
    }

    /// The budget that pays for the frame, if its contract has one of its own.
    pub(crate) fn budget(&mut self, terms: &Terms) -> Option<&mut TokenBucket> {
        let number = terms.contract?;
        self.kept.iter_mut().find(|kept| kept.number == number)?.budget.as_mut()
    }

    /// A frame has got an answer, `took_ms` after it was received.
    pub(crate) fn answered(&mut self, terms: &Terms, end: End, took_ms: f64, at: f64) {
        let Some(kept) = self.of_mut(terms) else { return };
        let in_time =
            end == End::Done && kept.config.within_ms.is_none_or(|within_ms| took_ms <= within_ms);
        kept.attainment.count(if in_time { Fate::Met } else { Fate::Missed }, at);
    }

    /// A frame has ended without an answer.
    pub(crate) fn unanswered(&mut self, terms: &Terms, at: f64) {
        if let Some(kept) = self.of_mut(terms) {
            kept.attainment.count(Fate::Missed, at);
        }
    }

    /// A frame of this camera has ended before it was decided on.
    pub(crate) fn undecided(&mut self, camera: &CameraId, is_set_aside: bool, at: f64) {
        if self.kept.is_empty() {
            return;
        }
        let index = self.served(camera).index;
        if let Some(kept) = index.and_then(|index| self.kept.get_mut(index)) {
            kept.attainment.count(if is_set_aside { Fate::SetAside } else { Fate::Missed }, at);
        }
    }

    /// The contract itself gives the frame up.
    pub(crate) fn set_aside(&mut self, terms: &Terms, at: f64) {
        if let Some(kept) = self.of_mut(terms) {
            kept.attainment.count(Fate::SetAside, at);
        }
    }

    /// Whether the frame's contract is violated.
    pub(crate) fn is_violated(&self, terms: &Terms) -> bool {
        self.of(terms).is_some_and(|kept| kept.attainment.is_violated())
    }

    fn of(&self, terms: &Terms) -> Option<&Kept> {
        let number = terms.contract?;
        self.kept.iter().find(|kept| kept.number == number)
    }

    fn of_mut(&mut self, terms: &Terms) -> Option<&mut Kept> {
        let number = terms.contract?;
        self.kept.iter_mut().find(|kept| kept.number == number)
    }

    fn served(&mut self, camera: &CameraId) -> Served {
        if let Some(served) = self.cameras.get(camera) {
            return *served;
        }
        let index = self.kept.iter().position(|kept| kept.config.names(camera));
        make_room(&mut self.cameras, camera, |served| served.dropped);
        let served = Served { index, dropped: false };
        self.cameras.insert(camera.clone(), served);
        served
    }
}

#[cfg(test)]
mod tests;
