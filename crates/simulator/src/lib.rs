//! Edge and cloud in virtual time: a workload over an uplink trace through the same policies that
//! decide in the preprocessor.
//!
//! # The world
//!
//! Times are whole microseconds from the start ([`Micros`]); nothing happens between two events.
//! All random numbers come from the scenario's seed, each kind from a sequence of its own, so that
//! every policy meets the same frames: the same scenario, trace and policy give the same history to
//! the last bit.
//!
//! - **Frames** ([`Load`], [`workload`]) come from cameras that share a rate (frames/s), which is
//!   higher in bursts; each has a size (bytes, log-normal), a deadline after its arrival (ms) and
//!   its own service time on each tier (ms, log-normal).
//! - **Preprocessing** takes a fixed time (ms); then the frame is decided on.
//! - **The edge** ([`TierSetup`]) has workers that take frames in the order in which they were sent
//!   there; with contracts, cameras get the next worker by their weights, as in the inference
//!   worker. A worker that takes up a frame whose deadline has gone by answers `expired` at once.
//!   Its results are seen as soon as they are there.
//! - **The uplink** ([`UplinkSetup`], [`Trace`]) carries the bytes of one frame after the other as
//!   fast as the trace says; the trace begins anew at its end. Then half a round trip (ms) goes by.
//!   In a cut ([`Cut`]) or an outage ([`Outages`]) nothing is carried in either direction: what waits
//!   goes on waiting. Lost packets ([`Loss`]) make the link as slow and frames as late as TCP would.
//!   Results are small and take half a round trip back.
//! - **The cloud** is like the edge, but passes over frames that it takes up after the time by
//!   which they were to be answered: the edge has them by then. The first result of a frame
//!   counts.
//! - **A cascade** lets the edge run the detection first; what it finds in the frame's image
//!   decides whether the cloud does so, too. Meanwhile there is a provisional answer, which becomes the answer at the
//!   deadline or when the cloud cannot give a better one.
//! - **Autoscaling** ([`Autoscale`]) follows a tier's utilisation every 15 s; new workers need a
//!   time to start (s).
//! - **Several sites** ([`simulate_sites`]) each have their frames, edge, uplink and policy; they
//!   share the cloud: its workers, its queue and its autoscaler.
//! - **What the policy hears** is what the preprocessor hears: its own decisions, results when they
//!   are seen at the edge, every 2 s how much was sent to a tier and is not finished as far as the
//!   edge knows, and the number of ready workers.
//!
//! Not in it: pixels, brokers that fail, clocks that disagree, batches.
//!
//! # The oracle
//!
//! [`foresee`] knows all of this in advance and misses the fewest deadlines; its [`Schedule`] is
//! run like any policy. [`least_misses`] is a bound from below: what no schedule can avoid.
//! [`foresee_each`] knows what each frame would meet, and nothing of the frames to come.

mod autoscaler;
mod bound;
pub mod cascade;
mod dispatcher;
mod each;
mod engine;
mod events;
mod fleet;
mod front;
mod interval;
mod judge;
mod oracle;
mod queue;
mod record;
mod report;
mod scenario;
mod service_times;
mod tier;
mod trace;
mod uplink;
mod workload;

pub use bound::{Knowing, least_misses};
pub use dispatcher::{Deciding, Dispatcher, Routed};
pub use each::foresee_each;
pub use engine::{EdgeAnswer, Judge, World, simulate, simulate_sites};
pub use fleet::{
    Fleet, FleetMinute, FleetPrices, FleetReport, Limit, Need, Region, simulate_fleet,
};
pub use interval::Interval;
pub use judge::{Judgement, judge, judge_policy};
pub use oracle::{Beam, Schedule, at_full_capacity, foresee};
pub use record::{Answer, History, Record, Scaling, Transition};
pub use report::{BreakerChange, ContractReport, CutReport, Report, Rightness, WorkersChange};
pub use scenario::{Arrivals, Autoscale, Load, Scenario, ScenarioError, TierSetup, UplinkSetup};
pub use service_times::{Measured, ServiceTimes, TimesError, TimesFile};
pub use trace::{Columns, PACKET_BYTES, Trace, TraceError, TraceFormat};
pub use uplink::{Cut, InvalidCut, InvalidOutages, Loss, Outages};
pub use virtual_time::{Latency, Micros};
pub use workload::{Job, measured_workload, workload};
