//! A run in numbers.

use crate::record::{Answer, History, Record};
use crate::{Cut, Scenario};
use frame::ContractStanding;
use frame::Destination::{self, Cloud, Edge};
use offload::{BreakerState, Price, wilson};
use serde::Serialize;
use std::collections::BTreeMap;
use virtual_time::Latency;

/// What a run came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Frames that came in.
    pub frames: u64,
    /// Frames that a tier answered, whether in time or not.
    pub answered: u64,
    /// How long answered frames took from coming in to their answer, in milliseconds.
    pub latency_ms: Latency,
    /// How old what was known of a camera had become when its next answer came, in milliseconds:
    /// the peak age of information, over all cameras.
    pub age_ms: Latency,
    /// Frames whose deadline was missed: answered too late, expired, or never answered.
    pub misses: u64,
    /// The same of all frames, in per cent.
    pub miss_percent: f64,
    /// Right answers in time per second: of each frame that was answered by its deadline, how right
    /// the answer was (0 to 1), over the time in which frames came in.
    pub right_per_s: f64,
    /// Frames that were expired by whoever took them up, or at once.
    pub expired: u64,
    /// Frames that equalled the last one.
    pub skipped: u64,
    /// Frames in whose place a newer one of their camera was served.
    pub overtaken: u64,
    /// Frames that never came to an end.
    pub lost: u64,
    /// Frames that the cloud answered, of all that were answered, in per cent.
    pub cloud_percent: f64,
    /// Frames that were sent on to the cloud because they were hard.
    pub escalated: u64,
    /// Frames that the edge was given because the cloud did not answer in time.
    pub redispatched: u64,
    /// Bytes over the uplink, in 10⁶.
    pub uplink_mb: f64,
    /// What all of it cost.
    pub money: f64,
    /// How far the predictions for frames on their first tier were off, as the median of
    /// |predicted − actual|, in milliseconds.
    pub prediction_error_ms: Option<f64>,
    /// Decisions by their reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// What the circuit breakers did.
    pub breakers: Vec<BreakerChange>,
    /// What the autoscalers did.
    pub scalings: Vec<WorkersChange>,
    /// What happened around each cut of the uplink.
    pub cuts: Vec<CutReport>,
    /// What came of each contract, in the order of the policy file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<ContractReport>,
    /// Frames of a cascade that could not be judged hard or easy because their detections are not
    /// known.
    pub unjudged: u64,
}

/// A circuit breaker changed its state.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BreakerChange {
    /// When, in seconds from the start.
    pub at_s: f64,
    /// Whose.
    pub tier: Destination,
    /// `closed`, `open` or `half-open`.
    pub to: &'static str,
}

/// A tier got another number of workers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WorkersChange {
    /// When, in seconds from the start.
    pub at_s: f64,
    /// Which.
    pub tier: Destination,
    /// How many are ready now.
    pub workers: u32,
}

/// What came of a contract.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ContractReport {
    /// Its name.
    pub name: String,
    /// Frames that were answered in time.
    pub met: u64,
    /// Frames that were answered too late, or not at all.
    pub missed: u64,
    /// Frames that the contract itself gave up.
    pub set_aside: u64,
    /// The frames that were answered in time, in per cent of those that were not set aside, with
    /// its Wilson interval of 95 %.
    pub attained_percent: [f64; 3],
    /// The same as it is promised.
    pub promised_percent: Option<f64>,
}

impl ContractReport {
    fn of(standing: &ContractStanding) -> Self {
        let ContractStanding { met, missed, set_aside, .. } = *standing;
        let interval = wilson(met, missed);
        let share = met as f64 / (met + missed).max(1) as f64;
        Self {
            name: standing.name.clone(),
            met,
            missed,
            set_aside,
            attained_percent: [share, interval.low, interval.high].map(|share| 100.0 * share),
            promised_percent: standing.share.map(|share| 100.0 * share),
        }
    }
}

/// What happened around a cut of the uplink.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CutReport {
    /// Which.
    pub cut: Cut,
    /// The latencies of frames that came in while it lasted, in the 10 s before it or in the 10 s
    /// after it.
    pub latency_ms: Latency,
    /// Frames that came in while it lasted and were never answered.
    pub lost: u64,
    /// How long after its beginning the cloud's circuit breaker opened, in seconds; `None`: not
    /// while it lasted.
    pub opened_after_s: Option<f64>,
    /// The same after the first frame that was sent to the cloud while it lasted: before that
    /// nobody could know of the cut.
    pub opened_after_first_frame_s: Option<f64>,
    /// How long after its end it was closed for good, in seconds (0: it was closed); `None`:
    /// never, or not before the next cut.
    pub closed_after_s: Option<f64>,
}

/// What a frame cost, by what the tiers and the uplink really did for it.
fn cost(price: &Price, record: &Record) -> f64 {
    f64::from(record.inferences.edge) * price.edge_per_frame
        + f64::from(record.inferences.cloud) * price.cloud_per_frame
        + record.bytes_up as f64 / 1e9 * price.cloud_per_gigabyte
}

/// How right an answer of a tier to a frame is, from 0 to 1.
pub type Rightness<'a> = &'a dyn Fn(&Record, Destination) -> f64;

/// Right answers in time per second. A frame that equalled the last one has the edge's answer.
fn right_per_s(frames: &[Record], rightness: Rightness<'_>, minutes: f64) -> f64 {
    let in_time = frames.iter().filter(|record| !record.missed());
    let right = in_time.filter_map(|record| match record.answer {
        Some((Answer::Done(tier), _)) => Some(rightness(record, tier)),
        Some((Answer::Skipped, _)) => Some(rightness(record, Edge)),
        Some((Answer::Expired | Answer::Overtaken, _)) | None => None,
    });
    right.sum::<f64>() / (minutes * 60.0)
}

impl Report {
    /// Sums a run up; how right answers are is what the scenario says of the tiers.
    #[must_use]
    pub fn of(history: &History, scenario: &Scenario) -> Self {
        let rightness = |_: &Record, tier: Destination| match tier {
            Edge => scenario.edge.accuracy,
            Cloud => scenario.cloud.accuracy,
        };
        Self::by(history, scenario, &rightness)
    }

    /// Sums a run up in which it is known of each answer how right it is.
    #[must_use]
    pub fn by(history: &History, scenario: &Scenario, rightness: Rightness<'_>) -> Self {
        let frames = &history.frames;
        let count = |which: &dyn Fn(&Record) -> bool| {
            frames.iter().filter(|record| which(record)).count() as u64
        };
        let ended = |answer: Answer| {
            count(&|record: &Record| record.answer.is_some_and(|(given, _)| given == answer))
        };
        let by_cloud = ended(Answer::Done(Cloud));
        let answered = by_cloud + ended(Answer::Done(Edge));
        let percent = |part: u64, whole: u64| {
            if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
        };
        let misses = count(&Record::missed);
        let mut reasons = BTreeMap::new();
        frames.iter().for_each(|record| *reasons.entry(record.reason).or_default() += 1);
        let seconds = |micros| micros as f64 / 1e6;
        let change = |change: &crate::Transition| BreakerChange {
            at_s: seconds(change.at),
            tier: change.tier,
            to: change.to.as_str(),
        };
        Self {
            frames: frames.len() as u64,
            answered,
            latency_ms: Latency::of(frames.iter().filter_map(Record::latency_ms).collect()),
            age_ms: Latency::of(peak_ages_ms(frames)),
            misses,
            miss_percent: percent(misses, frames.len() as u64),
            right_per_s: right_per_s(frames, rightness, scenario.minutes),
            expired: ended(Answer::Expired),
            skipped: ended(Answer::Skipped),
            overtaken: ended(Answer::Overtaken),
            lost: count(&|record: &Record| record.answer.is_none()),
            cloud_percent: percent(by_cloud, answered),
            escalated: count(&|record: &Record| record.escalated),
            redispatched: count(&|record: &Record| record.redispatched),
            uplink_mb: frames.iter().map(|record| record.bytes_up).sum::<u64>() as f64 / 1e6,
            money: frames.iter().map(|record| cost(&scenario.prices, record)).sum(),
            prediction_error_ms: prediction_error_ms(history, scenario),
            reasons,
            breakers: history.transitions.iter().map(change).collect(),
            scalings: (history.scalings.iter())
                .map(|scaling| WorkersChange {
                    at_s: seconds(scaling.at),
                    tier: scaling.tier,
                    workers: scaling.workers,
                })
                .collect(),
            cuts: scenario.uplink.cuts.iter().map(|cut| CutReport::of(*cut, history)).collect(),
            contracts: history.contracts.iter().map(ContractReport::of).collect(),
            unjudged: history.unjudged,
        }
    }
}

/// The age of each camera's newest answered frame whenever a newer one was answered, in
/// milliseconds.
fn peak_ages_ms(frames: &[Record]) -> Vec<f64> {
    let mut answers: Vec<_> = frames
        .iter()
        .filter_map(|record| match record.answer {
            Some((Answer::Done(_) | Answer::Skipped, at)) => {
                Some((at, record.camera, record.arrival))
            }
            Some((Answer::Expired | Answer::Overtaken, _)) | None => None,
        })
        .collect();
    answers.sort_unstable();
    let mut newest = BTreeMap::new();
    let mut ages = Vec::new();
    for (at, camera, arrival) in answers {
        match newest.get_mut(&camera) {
            Some(known) if arrival > *known => {
                ages.push((at - std::mem::replace(known, arrival)) as f64 / 1000.0);
            }
            Some(_) => {}
            None => drop(newest.insert(camera, arrival)),
        }
    }
    ages
}

fn prediction_error_ms(history: &History, scenario: &Scenario) -> Option<f64> {
    let errors = history.frames.iter().filter_map(|record| {
        let first = record.destination.filter(|tier| {
            record.answer.is_some_and(|(answer, _)| answer == Answer::Done(*tier))
        })?;
        // an edge answer after an escalation, or one that was taken back and came all the same, was
        // not what was predicted
        let as_planned = !(record.escalated || record.redispatched && first == Cloud);
        let predicted = record.predicted_ms.filter(|_| as_planned)?;
        Some((record.latency_ms()? - scenario.preprocess_ms - predicted).abs())
    });
    let errors: Vec<f64> = errors.collect();
    (!errors.is_empty()).then(|| Latency::of(errors).p50)
}

impl CutReport {
    fn of(cut: Cut, history: &History) -> Self {
        let (from, until) = (cut.from(), cut.until());
        let during =
            || history.frames.iter().filter(move |record| (from..until).contains(&record.arrival));
        let around = (history.frames.iter()).filter(|record| {
            (from.saturating_sub(10_000_000)..until + 10_000_000).contains(&record.arrival)
        });
        let cloud = || history.transitions.iter().filter(|change| change.tier == Cloud);
        let opened = cloud()
            .find(|change| change.to == BreakerState::Open && (from..until).contains(&change.at));
        let first_sent =
            during().find(|record| record.destination == Some(Cloud)).map(|record| record.arrival);
        let standing = cloud()
            .take_while(|change| change.at < until)
            .last()
            .map_or(BreakerState::Closed, |change| change.to);
        let closed = cloud().find(|change| change.to == BreakerState::Closed && change.at >= until);
        let closed_after_s = match (standing, closed) {
            (BreakerState::Closed, _) => Some(0.0),
            (_, closed) => closed.map(|change| (change.at - until) as f64 / 1e6),
        };
        Self {
            cut,
            latency_ms: Latency::of(around.filter_map(Record::latency_ms).collect()),
            lost: during().filter(|record| record.answer.is_none()).count() as u64,
            opened_after_first_frame_s: opened
                .zip(first_sent)
                .map(|(change, sent)| (change.at as f64 - sent as f64) / 1e6),
            opened_after_s: opened.map(|change| (change.at - from) as f64 / 1e6),
            closed_after_s,
        }
    }
}
