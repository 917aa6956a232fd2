//! The user's own rule, in the Common Expression Language (CEL).
//!
//! Members such as `edge.backlog` become plain variables when the rule is compiled, so that evaluating it sets only those that it reads.
//! All numbers are floating point, literals too: `edge.backlog * 2` works, although CEL itself does not mix kinds of numbers.

use super::named;
use crate::{Action, Choice, FrameFacts, Policy, PolicyConfig, PolicyError, Snapshot, TierSnapshot};
use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::CelDouble;
use cel::{Context, Env, Program, Value};
use frame::Destination::{Cloud, Edge};
use std::sync::Arc;

/// What a rule can read: object and members.
pub const EXPRESSION_VARIABLES: [(&str, &[&str]); 3] =
    [("frame", FRAME_MEMBERS), ("edge", TIER_MEMBERS), ("cloud", TIER_MEMBERS)];

const FRAME_MEMBERS: &[&str] =
    &["camera", "sequence", "ordinal", "bytes", "width", "height", "pixels", "age_ms", "deadline_left_ms", "change"];
const TIER_MEMBERS: &[&str] = &[
    "backlog",
    "backlog_bytes",
    "service_ms",
    "service_p95_ms",
    "workers",
    "at_maximum",
    "rtt_ms",
    "throughput_bytes_per_s",
    "last_result_ms",
    "price",
    "predicted_ms",
    "predicted_high_ms",
];

/// A compiled rule.
pub(super) struct Rule {
    expression: IdedExpr,
    variables: Vec<Variable>,
    environment: Arc<Env>,
    fallback: Box<dyn Policy>,
}

/// A member that the rule reads.
struct Variable {
    /// As the expression calls it, e.g. `edge.backlog`.
    name: String,
    object: &'static str,
    member: &'static str,
    /// Whether it is only asked whether it is known: `has(edge.backlog)`.
    presence: bool,
}

impl Rule {
    pub(super) fn compile(config: &PolicyConfig) -> Result<Self, PolicyError> {
        let rule = &config.expression.rule;
        let at_start = |problem: &str| PolicyError::Rule { line: 1, column: 1, problem: problem.into() };
        if rule.trim().is_empty() {
            return Err(at_start(
                "there is no rule; an example: edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms",
            ));
        }
        if config.expression.fallback == "expression" {
            return Err(PolicyError::Range {
                field: "[expression] fallback",
                value: "expression".into(),
                allowed: "another policy, for when the rule gives no answer",
            });
        }
        let environment = Arc::new(Env::stdlib());
        let program = environment.compile(rule).map_err(|errors| match errors.errors.first() {
            Some(error) => PolicyError::Rule {
                line: usize::try_from(error.pos.0).unwrap_or(1).max(1),
                column: usize::try_from(error.pos.1).unwrap_or(1).max(1),
                problem: error.msg.clone(),
            },
            None => at_start("it does not compile"),
        })?;
        let mut flattening = Flattening { program: &program, rule, locals: Vec::new(), variables: Vec::new() };
        let mut expression = program.expression().clone();
        flattening.flatten(&mut expression)?;
        let variables = flattening.variables;
        for name in program.references().functions() {
            if !known_function(name) {
                return Err(at_start(&format!("there is no function '{name}'")));
            }
        }
        Ok(Self { expression, variables, environment, fallback: named(&config.expression.fallback, config)? })
    }

    fn evaluate(&self, frame: &FrameFacts, load: &Snapshot) -> Option<Value> {
        let mut context = Context::with_env(Arc::clone(&self.environment));
        for variable in &self.variables {
            let value = match variable.object {
                "frame" => of_frame(frame, variable.member),
                "edge" => of_tier(&load.edge, variable.member),
                _ => of_tier(&load.cloud, variable.member),
            };
            if variable.presence {
                context.add_variable_from_value(variable.name.as_str(), value.is_some());
            } else if let Some(value) = value {
                context.add_variable_from_value(variable.name.as_str(), value);
            }
        }
        Value::resolve(&self.expression, &context).ok()
    }
}

impl Policy for Rule {
    fn name(&self) -> &str {
        "expression"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let sure = |cloud: bool| {
            if cloud { Choice::send(Cloud, "rule").leaning(1.0) } else { Choice::send(Edge, "rule").leaning(-1.0) }
        };
        let weighed = |lean: f64| Choice::send(if lean > 0.0 { Cloud } else { Edge }, "rule").leaning(lean.clamp(-1.0, 1.0));
        match self.evaluate(frame, load) {
            Some(Value::Bool(cloud)) => sure(cloud),
            Some(Value::Float(lean)) if !lean.is_nan() => weighed(lean),
            Some(Value::Int(lean)) => weighed(lean as f64),
            Some(Value::UInt(lean)) => weighed(lean as f64),
            Some(Value::String(text)) => match text.as_str() {
                "cloud" => sure(true),
                "edge" => sure(false),
                "expire" => Choice::new(Action::Expire, "rule"),
                _ => self.fall_back(frame, load),
            },
            _ => self.fall_back(frame, load),
        }
    }

    fn learn(&mut self, outcome: &crate::Outcome) {
        self.fallback.learn(outcome);
    }
}

impl Rule {
    /// The rule gave no answer: it asked for what is not known, or the answer is of no kind that means anything. The reason is counted.
    fn fall_back(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        Choice { reason: "rule-without-answer", ..self.fallback.choose(frame, load) }
    }
}

fn of_frame(frame: &FrameFacts, member: &str) -> Option<Value> {
    Some(Value::Float(match member {
        "camera" => return Some(Value::String(Arc::new(frame.camera.as_str().to_owned()))),
        "sequence" => frame.sequence as f64,
        "ordinal" => frame.ordinal as f64,
        "bytes" => frame.bytes as f64,
        "width" => f64::from(frame.image.width),
        "height" => f64::from(frame.image.height),
        "pixels" => f64::from(frame.image.width) * f64::from(frame.image.height),
        "age_ms" => frame.age_ms,
        "deadline_left_ms" => frame.deadline_left_ms?,
        _ => frame.change?,
    }))
}

fn of_tier(tier: &TierSnapshot, member: &str) -> Option<Value> {
    Some(Value::Float(match member {
        "backlog" => tier.backlog_frames? as f64,
        "backlog_bytes" => tier.backlog_bytes? as f64,
        "service_ms" => tier.service_ms?,
        "service_p95_ms" => tier.service_p95_ms?,
        "workers" => f64::from(tier.workers?),
        "at_maximum" => return tier.at_maximum.map(Value::Bool),
        "rtt_ms" => tier.rtt_ms?,
        "throughput_bytes_per_s" => tier.throughput_bytes_per_s?,
        "last_result_ms" => tier.last_result_ms?,
        "price" => tier.price,
        "predicted_ms" => tier.predicted_ms?,
        _ => tier.predicted_high_ms?,
    }))
}

/// Operators are functions to CEL; the rest must be in the standard library.
fn known_function(name: &str) -> bool {
    const STANDARD: [&str; 22] = [
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "int",
        "uint",
        "double",
        "string",
        "bool",
        "bytes",
        "type",
        "dyn",
        "min",
        "max",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "duration",
    ];
    !name.starts_with(|first: char| first.is_ascii_alphabetic()) || STANDARD.contains(&name)
}

/// Turns members into variables and literals into floating point.
struct Flattening<'a> {
    program: &'a Program,
    rule: &'a str,
    /// Variables of the comprehensions around, e.g. `x` in `[1, 2].exists(x, x > frame.bytes)`.
    locals: Vec<String>,
    variables: Vec<Variable>,
}

impl Flattening<'_> {
    fn flatten(&mut self, node: &mut IdedExpr) -> Result<(), PolicyError> {
        let id = node.id;
        match &mut node.expr {
            Expr::Select(select) => {
                let object = match &select.operand.expr {
                    Expr::Ident(object) if !self.locals.contains(object) => object.clone(),
                    _ => return self.flatten(&mut select.operand),
                };
                let found = EXPRESSION_VARIABLES.iter().find(|(name, _)| *name == object);
                let Some((object, members)) = found else { return Err(self.unknown_object(id, &object)) };
                let Some(member) = members.iter().find(|member| **member == select.field) else {
                    let problem = format!("{object} has no '{}'; it has: {}", select.field, members.join(", "));
                    return Err(self.error(id, problem));
                };
                let presence = select.test;
                let name = if presence { format!("has {object}.{member}") } else { format!("{object}.{member}") };
                if !self.variables.iter().any(|variable| variable.name == name) {
                    self.variables.push(Variable { name: name.clone(), object, member, presence });
                }
                node.expr = Expr::Ident(name);
                Ok(())
            }
            Expr::Ident(name) if !self.locals.contains(name) && !name.starts_with('@') => {
                let name = name.clone();
                Err(self.unknown_object(id, &name))
            }
            Expr::Literal(literal) => {
                match literal {
                    LiteralValue::Int(value) => *literal = LiteralValue::Double(CelDouble::from(*value.inner() as f64)),
                    LiteralValue::UInt(value) => *literal = LiteralValue::Double(CelDouble::from(*value.inner() as f64)),
                    _ => {}
                }
                Ok(())
            }
            Expr::Call(call) => {
                call.target.iter_mut().try_for_each(|target| self.flatten(target))?;
                call.args.iter_mut().try_for_each(|argument| self.flatten(argument))
            }
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.flatten(element)),
            Expr::Comprehension(inner) => {
                self.flatten(&mut inner.iter_range)?;
                let before = self.locals.len();
                self.locals.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
                self.locals.extend(inner.iter_var2.clone());
                [&mut inner.loop_cond, &mut inner.loop_step, &mut inner.result]
                    .into_iter()
                    .try_for_each(|part| self.flatten(part))?;
                self.locals.truncate(before);
                Ok(())
            }
            Expr::Map(_) | Expr::Struct(_) => Err(self.error(id, "maps and structures have no use in a rule".into())),
            Expr::Ident(_) | Expr::Unspecified => Ok(()),
        }
    }

    fn unknown_object(&self, id: u64, name: &str) -> PolicyError {
        self.error(id, format!("there is no '{name}'; there are frame, edge and cloud with their members, e.g. edge.backlog"))
    }

    fn error(&self, id: u64, problem: String) -> PolicyError {
        let start = self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
        let before = self.rule.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        PolicyError::Rule { line, column, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Expression;
    use crate::testing::facts;

    fn config(rule: &str, fallback: &str) -> PolicyConfig {
        let expression = Expression { rule: rule.into(), fallback: fallback.into() };
        PolicyConfig { expression, ..PolicyConfig::named("expression").unwrap() }
    }

    fn load() -> Snapshot {
        let edge = TierSnapshot { backlog_frames: Some(4), service_ms: Some(80.0), ..TierSnapshot::default() };
        let cloud =
            TierSnapshot { rtt_ms: Some(40.0), service_ms: Some(20.0), at_maximum: Some(true), ..TierSnapshot::default() };
        Snapshot { edge, cloud }
    }

    fn choose(rule: &str) -> Choice {
        Rule::compile(&config(rule, "edge-only")).unwrap_or_else(|error| panic!("{rule}: {error}")).choose(&facts(), &load())
    }

    #[test]
    fn rules_decide() {
        let cases = [
            ("edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms && frame.bytes < 200000", Some(Cloud)),
            ("edge.backlog * 2 > 9", Some(Edge)),
            ("edge.backlog > 3 ? 'cloud' : 'edge'", Some(Cloud)),
            ("'expire'", None),
            ("(edge.backlog * edge.service_ms - 320.0) / 100", Some(Edge)),
            ("frame.camera.startsWith('ga') && cloud.at_maximum", Some(Cloud)),
            ("has(edge.rtt_ms) ? false : has(cloud.rtt_ms)", Some(Cloud)),
            ("[100, 40000].exists(limit, frame.bytes < limit)", Some(Cloud)),
            ("frame.camera in ['gate', 'yard']", Some(Cloud)),
            ("frame.width * frame.height == frame.pixels", Some(Cloud)),
        ];
        for (rule, destination) in cases {
            let choice = choose(rule);
            assert_eq!((choice.destination(), choice.reason), (destination, "rule"), "{rule}");
        }
        assert_eq!(choose("0.25").lean, Some(0.25));
    }

    #[test]
    fn a_rule_without_an_answer_falls_back_and_says_so() {
        for rule in ["edge.rtt_ms > 5", "cloud.predicted_ms < 100", "'moon'", "[1, 2]", "0.0 / 0.0", "frame.camera > 5"] {
            let choice = choose(rule);
            assert_eq!((choice.destination(), choice.reason), (Some(Edge), "rule-without-answer"), "{rule}");
        }
        let cloud = Rule::compile(&config("edge.rtt_ms > 5", "cloud-only")).unwrap();
        assert_eq!(cloud.choose(&facts(), &load()).destination(), Some(Cloud));
    }

    #[test]
    fn what_does_not_compile_is_named_with_its_place() {
        let cases = [
            ("edge.backlog >", 1, "line 1"),
            ("edge.backlog > 5 &&\n  edge.temperature > 60", 2, "edge has no 'temperature'; it has: backlog"),
            ("frame.bytes > 5 &&\n\n    camera == 'x'", 3, "there is no 'camera'"),
            ("weather(frame.bytes)", 1, "there is no function 'weather'"),
            ("  ", 1, "there is no rule"),
        ];
        for (rule, expected_line, part) in cases {
            let error = Rule::compile(&config(rule, "edge-only")).err().unwrap_or_else(|| panic!("{rule} compiles"));
            let PolicyError::Rule { line, column, .. } = error else { panic!("{error}") };
            assert!(line == expected_line && column >= 1, "{rule}: {line}:{column}");
            assert!(error.to_string().contains(part), "{rule}: {error}");
        }
        let error = Rule::compile(&config("frame.bytes > 5 &&\n  edge.temperature > 60", "edge-only")).err().unwrap();
        assert!(error.to_string().contains("line 2, column 7"), "{error}");
        assert!(Rule::compile(&config("true", "coin")).is_err());
        assert!(Rule::compile(&config("true", "expression")).is_err());
    }
}
