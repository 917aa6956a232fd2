//! The user's own rule, in the Common Expression Language (CEL).
//!
//! All numbers are floating point, literals too: `edge.backlog * 2` works, although CEL itself does
//! not mix kinds of numbers. What is accepted decides on any frame in a bounded number of steps.

mod compile;
mod value;
mod variables;

pub use variables::EXPRESSION_VARIABLES;

use super::{PolicyName, PolicySettings, PolicySpec};
use crate::config::{from_text, to_text};
use crate::{
    Action, Choice, FrameFacts, Outcome, Policy, PolicyConfig, PolicyError, Snapshot, Terms,
    TierSnapshot,
};
use compile::{Compiled, compile};
use frame::Destination::{Cloud, Edge};
use frame::ImageSize;
use serde::{Deserialize, Serialize};
use value::{Evaluation, Node, Value};
use variables::Variable;

/// `[expression]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expression {
    /// A rule in CEL over `frame`, `edge` and `cloud`. True, a number above 0, or `"cloud"` sends
    /// a frame to the cloud; false, any other number, or `"edge"` to the edge; `"expire"` to
    /// nobody.
    pub rule: String,
    /// Which policy decides when the rule gives no answer, e.g. because it asks for what is not
    /// known.
    #[serde(deserialize_with = "from_text", serialize_with = "to_text")]
    pub fallback: PolicyName,
}

impl Default for Expression {
    fn default() -> Self {
        Self { rule: String::new(), fallback: PolicyName::Deadline }
    }
}

/// A rule, and the policy for when it gives no answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct WithFallback {
    rule: String,
    /// `None`: the rule itself, which cannot be.
    fallback: Option<Box<PolicySpec>>,
}

impl WithFallback {
    pub(super) fn of(config: &PolicyConfig) -> Self {
        let Expression { rule, fallback } = config.expression.clone();
        let fallback = (fallback != PolicyName::Expression)
            .then(|| Box::new(PolicySpec::of(fallback, config)));
        Self { rule, fallback }
    }
}

impl PolicySettings for WithFallback {
    /// A rule is checked when it is built: what is left out is needed only then.
    fn check(&self) -> Result<(), PolicyError> {
        self.build().map(drop)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Rule::compile(self)?))
    }
}

/// The texts that are answers.
const ANSWERS: [&str; 3] = ["cloud", "edge", "expire"];

/// A compiled rule.
struct Rule {
    expression: Node,
    variables: Vec<Variable>,
    fallback: Box<dyn Policy>,
}

impl Rule {
    fn compile(settings: &WithFallback) -> Result<Self, PolicyError> {
        let at_start =
            |problem: &str| PolicyError::Rule { line: 1, column: 1, problem: problem.into() };
        if settings.rule.trim().is_empty() {
            return Err(at_start(
                "there is no rule; an example: \
                 edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms",
            ));
        }
        let Some(fallback) = &settings.fallback else {
            return Err(PolicyError::Range {
                field: "[expression] fallback",
                value: PolicyName::Expression.to_string(),
                allowed: "another policy, for when the rule gives no answer",
            });
        };
        let Compiled { expression, variables } = compile(&settings.rule)?;
        let rule = Self { expression, variables, fallback: fallback.build()? };
        if rule.ever_answers() {
            Ok(rule)
        } else {
            Err(at_start(
                "it gives no answer for any frame, whatever is known: \
                 a value that is no number, or an index out of range",
            ))
        }
    }

    /// Whether it answers for one of some frames of which everything is known.
    fn ever_answers(&self) -> bool {
        let mut cameras = vec!["gate"];
        self.expression.texts(&mut cameras);
        let cameras: Vec<_> = cameras.into_iter().filter_map(|name| name.parse().ok()).collect();
        // primes, so that no two of them cancel out in what a rule may compute
        [0.0, 1.0, 13.0, 997.0, 100_003.0].into_iter().enumerate().any(|(nth, number)| {
            let at_maximum = nth % 2 == 0;
            let (edge, cloud) =
                (tier_of(number, at_maximum), tier_of(number * 2.0 + 3.0, !at_maximum));
            cameras.iter().any(|camera| {
                let frame = FrameFacts { camera: Clone::clone(camera), ..frame_of(number) };
                self.answer(&frame, &Snapshot { edge, cloud }).is_some()
            })
        })
    }

    /// What the rule says, if that is an answer.
    fn answer(&self, frame: &FrameFacts, load: &Snapshot) -> Option<Value> {
        self.evaluate(frame, load).filter(|value| match value {
            Value::Bool(_) => true,
            Value::Number(number) => !number.is_nan(),
            Value::Text(text) => ANSWERS.contains(&&**text),
            Value::List(_) => false,
        })
    }

    fn evaluate(&self, frame: &FrameFacts, load: &Snapshot) -> Option<Value> {
        let known = |variable: &Variable| variable.value(frame, load);
        let variables: Vec<Option<Value>> = self.variables.iter().map(known).collect();
        Evaluation::new(&variables).of(&self.expression).ok()
    }
}

/// A frame of which everything is known.
fn frame_of(number: f64) -> FrameFacts {
    let whole = number as u32;
    FrameFacts {
        camera: frame::CameraId::unnamed(),
        sequence: u64::from(whole),
        ordinal: u64::from(whole),
        bytes: whole as usize,
        image: ImageSize { width: whole.max(1), height: whole.max(1) },
        age_ms: number,
        deadline_left_ms: Some(number),
        change: Some((number / 1000.0).min(1.0)),
        terms: Terms::default(),
    }
}

/// A tier of which everything is known.
fn tier_of(number: f64, at_maximum: bool) -> TierSnapshot {
    TierSnapshot {
        backlog_frames: Some(number as u64),
        backlog_bytes: Some(number as u64),
        service_ms: Some(number),
        service_p95_ms: Some(number),
        workers: Some(number as u32),
        at_maximum: Some(at_maximum),
        rtt_ms: Some(number),
        throughput_bytes_per_s: Some(number),
        last_result_ms: Some(number),
        last_sent_ms: Some(number),
        shut: false,
        price: number,
        predicted_ms: Some(number),
        predicted_high_ms: Some(number),
    }
}

impl Policy for Rule {
    fn name(&self) -> &str {
        "expression"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let sure = |cloud: bool| {
            if cloud {
                Choice::send(Cloud, "rule").leaning(1.0)
            } else {
                Choice::send(Edge, "rule").leaning(-1.0)
            }
        };
        let weighed = |lean: f64| {
            Choice::send(if lean > 0.0 { Cloud } else { Edge }, "rule")
                .leaning(lean.clamp(-1.0, 1.0))
        };
        match self.answer(frame, load) {
            Some(Value::Bool(cloud)) => sure(cloud),
            Some(Value::Number(lean)) => weighed(lean),
            Some(Value::Text(text)) => match &*text {
                "cloud" => sure(true),
                "edge" => sure(false),
                "expire" => Choice::new(Action::Expire, "rule"),
                _ => self.fall_back(frame, load),
            },
            Some(Value::List(_)) | None => self.fall_back(frame, load),
        }
    }

    fn learn(&mut self, outcome: &Outcome) {
        self.fallback.learn(outcome);
    }
}

impl Rule {
    /// The rule gave no answer: it asked for what is not known, or the answer is of no kind that
    /// means anything. The reason is counted.
    fn fall_back(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        Choice { reason: "rule-without-answer", ..self.fallback.choose(frame, load) }
    }
}

#[cfg(test)]
mod tests;
