//! What is read every now and then: how much waits, and how busy workers are.

use super::Engine;
use crate::Micros;
use crate::autoscaler;
use crate::events::Event;
use crate::record::Scaling;
use frame::Destination::{self, Cloud, Edge};
use offload::Capacity;

impl Engine<'_> {
    /// Says what capacity there is, and begins to read lag and load.
    pub(super) fn open(&mut self) {
        for site in 0..self.sites.len() {
            for tier in Destination::ALL {
                self.tell_capacity(tier, site);
                let at = self.tier(tier, site);
                let (workers, is_scaled) = (at.ready(), at.at_maximum().is_some());
                if is_scaled {
                    self.sites[site].history.scalings.push(Scaling { at: 0, tier, workers });
                }
            }
            self.events.at(self.lag_every(site), site, Event::Lag);
            let scales_edge = self.sites[site].edge.at_maximum().is_some();
            if scales_edge || site == 0 && self.cloud.at_maximum().is_some() {
                self.events.at(autoscaler::EVERY, site, Event::Scale);
            }
        }
    }

    fn lag_every(&self, site: usize) -> Micros {
        ((self.worlds[site].scenario.lag_every_ms * 1000.0) as Micros).max(1)
    }

    pub(super) fn read_lag(&mut self, site: usize, now: Micros) {
        let all: u64 = self.sites.iter().map(|site| site.in_cloud).sum();
        let at = &mut self.sites[site];
        // frames of other sites count as soon as they are there
        let cloud_lag = at.cloud_lag + (all - at.in_cloud);
        at.dispatcher.lag(Edge, at.edge.lag);
        at.dispatcher.lag(Cloud, cloud_lag);
        at.watch_breakers(now);
        if at.is_running() {
            self.events.at(now + self.lag_every(site), site, Event::Lag);
        }
    }

    pub(super) fn read_load(&mut self, site: usize, now: Micros) {
        // the first site's events carry the cloud's autoscaler
        let tiers = if site == 0 { &Destination::ALL[..] } else { &[Edge][..] };
        for tier in tiers.iter().copied() {
            let Some(scaled) = self.tier(tier, site).evaluate(now) else { continue };
            if scaled.after > 0 {
                let event = Event::Started { tier, workers: scaled.desired };
                self.events.at(now + scaled.after, site, event);
            } else {
                self.tier(tier, site).scale(scaled.desired);
            }
            self.scaled(tier, site, now);
        }
        let goes_on = match site {
            0 => self.sites.iter().any(super::Site::is_running),
            _ => self.sites[site].is_running(),
        };
        if goes_on {
            self.events.at(now + autoscaler::EVERY, site, Event::Scale);
        }
    }

    pub(super) fn scaled(&mut self, tier: Destination, site: usize, now: Micros) {
        let workers = self.tier(tier, site).ready();
        let concerned = match tier {
            Edge => site..site + 1,
            Cloud => 0..self.sites.len(),
        };
        for site in concerned {
            let scalings = &mut self.sites[site].history.scalings;
            let last = scalings.iter().rev().find(|scaling| scaling.tier == tier);
            if last.is_none_or(|last| last.workers != workers) {
                scalings.push(Scaling { at: now, tier, workers });
            }
            self.tell_capacity(tier, site);
        }
        self.take_up(tier, site, now);
    }

    fn tell_capacity(&mut self, tier: Destination, site: usize) {
        let at = self.tier(tier, site);
        let capacity = Capacity { workers: Some(at.ready()), at_maximum: at.at_maximum() };
        self.sites[site].dispatcher.capacity(tier, capacity);
    }
}
