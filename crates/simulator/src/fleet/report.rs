//! What became of a fleet's frames, what they needed and what they cost.

use super::Fleet;
use crate::Micros;
use serde::Serialize;

const HOURS_A_MONTH: f64 = 730.0;

/// A minute of the fleet, or any other span.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FleetMinute {
    /// Frames that came in.
    pub frames: u64,
    /// Frames that the edge answered in time.
    pub edge: u64,
    /// Frames that the cloud answered in time.
    pub cloud: u64,
    /// Frames whose deadline was missed.
    pub missed: u64,
    /// Of them, those that the cloud would have answered in time with more workers.
    pub for_region: u64,
    /// Of them, those for which the uplink was too slow.
    pub for_uplink: u64,
    /// Bytes to the cloud.
    pub bytes_up: u64,
}

/// Counts of each span of ten seconds.
pub(super) struct Counts(Vec<FleetMinute>);

/// How long a span is.
const SPAN: Micros = 10_000_000;

impl Counts {
    pub(super) fn new(end: Micros) -> Self {
        Self(vec![FleetMinute::default(); (end / SPAN + 1) as usize])
    }

    pub(super) fn minute(&mut self, arrival: Micros) -> &mut FleetMinute {
        let last = self.0.len() - 1;
        &mut self.0[((arrival / SPAN) as usize).min(last)]
    }
}

/// How much of something was needed.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Need {
    /// Of what.
    pub of: Limit,
    /// At the busiest ten seconds, in the resource's own unit.
    pub peak: f64,
    /// How much there is.
    pub has: f64,
    /// The first over the second, from 0 on. What was not taken because it was full counts as
    /// needed.
    pub utilisation: f64,
}

/// What can be too little.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Workers of cloud-inference.
    Workers,
    /// Replicas of cloud-inference that partitions let take frames.
    Partitions,
    /// What the brokers take in and give out, in 10⁶ bytes a second.
    Brokers,
    /// Frames a second of the web-servers.
    WebServers,
    /// What the sites' uplinks carry, in frames a second.
    Uplinks,
}

impl Limit {
    /// As people call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workers => "cloud workers",
            Self::Partitions => "partitions",
            Self::Brokers => "brokers, MB/s",
            Self::WebServers => "web-servers, frames/s",
            Self::Uplinks => "uplinks, frames/s",
        }
    }
}

/// A fleet in numbers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetReport {
    /// Cameras at all sites.
    pub cameras: u64,
    /// All of it.
    pub total: FleetMinute,
    /// The same of each ten seconds.
    pub spans: Vec<FleetMinute>,
    /// Missed deadlines of all frames, in per cent.
    pub miss_percent: f64,
    /// What was needed of each resource, what is fullest first: it breaks first as the fleet grows.
    pub needs: Vec<Need>,
    /// What a camera costs a month, by part.
    pub money: Vec<(&'static str, f64)>,
}

impl FleetReport {
    pub(super) fn of(fleet: &Fleet, counts: &Counts) -> Self {
        let end_s = fleet.site.minutes * 60.0;
        // the last span may be shorter, or only begin
        let spans: Vec<FleetMinute> =
            counts.0.iter().take((end_s / 10.0).ceil() as usize).copied().collect();
        let mut total = FleetMinute::default();
        for span in &spans {
            total.frames += span.frames;
            total.edge += span.edge;
            total.cloud += span.cloud;
            total.missed += span.missed;
            total.for_region += span.for_region;
            total.for_uplink += span.for_uplink;
            total.bytes_up += span.bytes_up;
        }
        let miss_percent = 100.0 * total.missed as f64 / total.frames.max(1) as f64;
        let mut needs = needs(fleet, &spans);
        needs.sort_by(|a, b| b.utilisation.total_cmp(&a.utilisation));
        let money = money(fleet, &total, end_s);
        Self { cameras: fleet.cameras(), total, spans, miss_percent, needs, money }
    }

    /// What a camera costs a month.
    #[must_use]
    pub fn camera_month(&self) -> f64 {
        self.money.iter().map(|(_, amount)| amount).sum()
    }
}

fn needs(fleet: &Fleet, spans: &[FleetMinute]) -> Vec<Need> {
    let span_s = SPAN as f64 / 1e6;
    let peak = |of: &dyn Fn(&FleetMinute) -> f64| {
        spans.iter().map(|span| of(span) / span_s).fold(0.0, f64::max)
    };
    let region = &fleet.region;
    let service_s = fleet.site.cloud.service_ms / 1000.0;
    // what the region could not take would have come there, too
    let workers = peak(&|span| (span.cloud + span.for_region) as f64) * service_s;
    // each byte comes in, goes to the other replicas and out to the worker
    let copies = f64::from(region.replication) + 1.0;
    let broker = peak(&|span| span.bytes_up as f64) / 1e6 * copies;
    let web = peak(&|span| (span.edge + span.cloud) as f64);
    let uplinks = peak(&|span| (span.cloud + span.for_uplink) as f64);
    let carried = peak(&|span| span.cloud as f64);
    let replicas = |workers: f64| workers / f64::from(region.workers_per_replica);
    let need = |of, peak: f64, has: f64| Need { of, peak, has, utilisation: peak / has.max(1e-9) };
    let mut needs = vec![
        need(Limit::Workers, workers, f64::from(region.workers)),
        need(Limit::Partitions, replicas(workers), f64::from(region.partitions)),
        need(Limit::Brokers, broker, f64::from(region.brokers) * region.broker_mb_s),
        need(Limit::WebServers, web, f64::from(region.web_servers) * region.web_server_fps),
    ];
    // what the links could carry at most is known only of spans in which they did
    if spans.iter().any(|span| span.for_uplink > 0) {
        needs.push(need(Limit::Uplinks, uplinks, carried));
    }
    needs
}

fn money(fleet: &Fleet, total: &FleetMinute, end_s: f64) -> Vec<(&'static str, f64)> {
    let (region, prices) = (&fleet.region, &fleet.prices);
    let cameras = fleet.cameras() as f64;
    let months = end_s / 3600.0 / HOURS_A_MONTH;
    let hourly = |count: u32, price: f64| f64::from(count) * price * HOURS_A_MONTH / cameras;
    vec![
        ("edge nodes", f64::from(fleet.sites) * prices.site_month / cameras),
        ("cloud workers", hourly(region.workers, prices.worker_hour)),
        ("brokers", hourly(region.brokers, prices.broker_hour)),
        ("web-servers", hourly(region.web_servers, prices.web_server_hour)),
        ("uplink", total.bytes_up as f64 / 1e9 * prices.gigabyte / months / cameras),
    ]
}
