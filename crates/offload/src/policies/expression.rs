//! The user's own rule, in the Common Expression Language (CEL).
//!
//! All numbers are floating point, literals too: `edge.backlog * 2` works, although CEL itself does
//! not mix kinds of numbers. What is accepted decides on any frame in a bounded number of steps.

mod compile;
mod value;

use super::named;
use crate::{
    Action, Choice, FrameFacts, Policy, PolicyConfig, PolicyError, Snapshot, TierSnapshot,
};
use compile::{Compiled, compile};
use frame::Destination::{Cloud, Edge};
use frame::ImageSize;
use value::{Evaluation, Node, Value};

/// What a rule can read: object and members.
pub const EXPRESSION_VARIABLES: [(&str, &[&str]); 3] =
    [("frame", FRAME_MEMBERS), ("edge", TIER_MEMBERS), ("cloud", TIER_MEMBERS)];

const FRAME_MEMBERS: &[&str] = &[
    "camera",
    "sequence",
    "ordinal",
    "bytes",
    "width",
    "height",
    "pixels",
    "age_ms",
    "deadline_left_ms",
    "change",
];
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

/// The texts that are answers.
const ANSWERS: [&str; 3] = ["cloud", "edge", "expire"];

/// A compiled rule.
pub(super) struct Rule {
    expression: Node,
    variables: Vec<Variable>,
    fallback: Box<dyn Policy>,
}

/// A member that the rule reads.
#[derive(Debug)]
struct Variable {
    object: &'static str,
    member: &'static str,
}

impl Rule {
    pub(super) fn compile(config: &PolicyConfig) -> Result<Self, PolicyError> {
        let rule = &config.expression.rule;
        let at_start =
            |problem: &str| PolicyError::Rule { line: 1, column: 1, problem: problem.into() };
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
        let Compiled { expression, variables } = compile(rule)?;
        let rule =
            Self { expression, variables, fallback: named(&config.expression.fallback, config)? };
        if rule.ever_answers() {
            Ok(rule)
        } else {
            Err(at_start(
                "it gives no answer for any frame, whatever is known: a value that is no number, or an index out of range",
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
        let known = |variable: &Variable| match variable.object {
            "frame" => of_frame(frame, variable.member),
            "edge" => of_tier(&load.edge, variable.member),
            _ => of_tier(&load.cloud, variable.member),
        };
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

    fn learn(&mut self, outcome: &crate::Outcome) {
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

fn of_frame(frame: &FrameFacts, member: &str) -> Option<Value> {
    Some(Value::Number(match member {
        "camera" => return Some(Value::Text(frame.camera.as_str().into())),
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
    Some(Value::Number(match member {
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
        let edge = TierSnapshot {
            backlog_frames: Some(4),
            service_ms: Some(80.0),
            ..TierSnapshot::default()
        };
        let cloud = TierSnapshot {
            rtt_ms: Some(40.0),
            service_ms: Some(20.0),
            at_maximum: Some(true),
            ..TierSnapshot::default()
        };
        Snapshot { edge, cloud }
    }

    fn choose(rule: &str) -> Choice {
        Rule::compile(&config(rule, "edge-only"))
            .unwrap_or_else(|error| panic!("{rule}: {error}"))
            .choose(&facts(), &load())
    }

    #[test]
    fn rules_decide() {
        let cases = [
            (
                "edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms && frame.bytes < 200000",
                Some(Cloud),
            ),
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
        for rule in
            ["edge.rtt_ms > 5", "cloud.predicted_ms < 100", "frame.bytes == 30000 ? [1, 0][2] : 0"]
        {
            let choice = choose(rule);
            assert_eq!(
                (choice.destination(), choice.reason),
                (Some(Edge), "rule-without-answer"),
                "{rule}"
            );
        }
        let cloud = Rule::compile(&config("edge.rtt_ms > 5", "cloud-only")).unwrap();
        assert_eq!(cloud.choose(&facts(), &load()).destination(), Some(Cloud));
    }

    #[test]
    fn what_does_not_compile_is_named_with_its_place() {
        let cases = [
            ("edge.backlog >", 1, "line 1"),
            (
                "edge.backlog > 5 &&\n  edge.temperature > 60",
                2,
                "edge has no 'temperature'; it has: backlog",
            ),
            ("frame.bytes > 5 &&\n\n    camera == 'x'", 3, "there is no 'camera'"),
            ("weather(frame.bytes)", 1, "there is no function 'weather'"),
            ("  ", 1, "there is no rule"),
        ];
        for (rule, expected_line, part) in cases {
            let error = Rule::compile(&config(rule, "edge-only"))
                .err()
                .unwrap_or_else(|| panic!("{rule} compiles"));
            let PolicyError::Rule { line, column, .. } = error else { panic!("{error}") };
            assert!(line == expected_line && column >= 1, "{rule}: {line}:{column}");
            assert!(error.to_string().contains(part), "{rule}: {error}");
        }
        let error =
            Rule::compile(&config("frame.bytes > 5 &&\n  edge.temperature > 60", "edge-only"))
                .err()
                .unwrap();
        assert!(error.to_string().contains("line 2, column 7"), "{error}");
        assert!(Rule::compile(&config("true", "coin")).is_err());
        assert!(Rule::compile(&config("true", "expression")).is_err());
    }

    #[test]
    fn what_is_accepted_works() {
        let cases = [
            ("min(edge.backlog, 2) == 2 && max(1, edge.backlog, 3) == 4", Cloud),
            ("min([7, 5, 6]) > 4 ? 'cloud' : 'edge'", Cloud),
            ("[1, 4, 9].exists_one(x, x == edge.backlog)", Cloud),
            ("[4, 4].exists_one(x, x == edge.backlog)", Edge),
            ("[1, 4].all(x, x <= edge.backlog) && !['yard'].exists(c, c == frame.camera)", Cloud),
            ("size([1, 2, 3, 4].filter(x, x > 1).map(x, x * 2)) == 3", Cloud),
            ("[1, 2].map(x, x > 1, x * 10)[0] == 20", Cloud),
            ("[[1, 2], [3]].exists(row, row.exists(x, x == 3))", Cloud),
            ("frame.ordinal % 2 == 1", Edge),
            (
                "size(frame.camera) == 4 && frame.camera.size() == 4 && frame.camera.contains('at')",
                Cloud,
            ),
            ("frame.camera.endsWith('te') && frame.camera < 'yard'", Cloud),
            ("int(edge.service_ms / 30) == 2 && double(7) == 7", Cloud),
            ("edge.rtt_ms > 5 || true", Cloud),
            ("has(edge.rtt_ms) && edge.rtt_ms > 5", Edge),
            ("[edge.rtt_ms, 1].exists(x, x == 1) || edge.backlog == 4", Cloud),
            ("-edge.backlog + 5", Cloud),
        ];
        for (rule, destination) in cases {
            let choice = choose(rule);
            assert_eq!(
                (choice.destination(), choice.reason),
                (Some(destination), "rule"),
                "{rule}"
            );
        }
    }

    #[test]
    fn what_can_never_answer_is_refused_with_what_is_allowed() {
        let cases = [
            (
                "frame.camera.matches('^c') ? 'cloud' : 'edge'",
                "no function 'matches'; there are: size, contains",
            ),
            ("duration('1s') > duration('2s')", "no function 'duration'"),
            ("timestamp('2026-01-01T00:00:00Z').getHours() > 5", "no function"),
            ("type(frame.bytes) == type(1)", "no function 'type'"),
            ("string(frame.bytes) == '5'", "no function 'string'"),
            ("frame.camera.lowerAscii() == 'gate'", "no function"),
            ("min()", "'min' does not take such values"),
            ("size(5) > 1", "'size' does not take such values"),
            ("'moon'", "the answer 'moon' means nothing; it must be true, false"),
            ("edge.backlog > 3 ? 'cloud' : 'moon'", "the answer 'moon'"),
            ("[1, 2]", "a list is no answer"),
            ("[1, 2].map(x, x)", "a list is no answer"),
            ("0.0 / 0.0", "no answer for any frame"),
            ("edge.backlog % 0", "no answer for any frame"),
            ("[1][5] > 0", "no answer for any frame"),
            ("frame.camera > 5", "'>' does not take such values"),
            ("frame.camera == 5", "'==' does not take such values"),
            ("frame.camera + 1 > 5", "'+' does not take such values"),
            ("edge.backlog && true", "'&&' does not take such values"),
            ("edge.backlog.exists(x, x > 1)", "only a list has elements"),
            ("{'a': 1}.a > 0", "have members"),
            ("b'abc' == b'abc'", "bytes and null"),
            ("null == null", "bytes and null"),
        ];
        for (rule, part) in cases {
            let error = Rule::compile(&config(rule, "edge-only"))
                .err()
                .unwrap_or_else(|| panic!("{rule} compiles"))
                .to_string();
            assert!(error.contains(part), "{rule}: {error}");
        }
    }

    /// On a thread with as little stack as any that decides, or compiles, may have.
    fn on_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(256 * 1024);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap()
        })
    }

    #[test]
    fn rules_that_are_too_long_too_deep_or_too_costly_are_refused_in_time() {
        let nested = |levels: usize| {
            let list = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
            let open: String = (0..levels).map(|level| format!("{list}.all(x{level}, ")).collect();
            format!("{open}frame.bytes > 0{}", ")".repeat(levels))
        };
        let chain = |sign: &str, terms: usize| format!("{} > 2", vec!["1"; terms].join(sign));
        let cases = [
            (chain("+", 3000), "too long"),
            (chain("+", 2000), "too long"),
            (chain("+", 200), "deeper"),
            (chain("-", 200), "deeper"),
            (format!("{}1{} > 0", "(".repeat(2000), ")".repeat(2000)), "too long"),
            (format!("{}true", "!".repeat(490)), ""),
            (format!("{}1 > 0", "-".repeat(490)), ""),
            (format!("{}1{} > 0", "(".repeat(240), ")".repeat(240)), ""),
            (format!("{}{}", "[".repeat(240), "]".repeat(240)), ""),
            (format!("{}true", "true ? false : ".repeat(120)), ""),
            (format!("frame.camera == '{}'", "x".repeat(5000)), "too long"),
            ("[".repeat(490), ""),
            ("(".repeat(490), ""),
            (nested(5), "steps"),
            (nested(4), "steps"),
            ("[[1, 1], [1, 1]]".to_owned() + &".map(a, [a, a])".repeat(40) + " == [[1]]", ""),
        ];
        for (rule, part) in cases {
            let started = std::time::Instant::now();
            let compiled =
                on_a_small_stack(|| Rule::compile(&config(&rule, "edge-only")).map(drop));
            let problem = compiled.err().map(|error| error.to_string());
            // what the parser makes short may be accepted
            let error = if part.is_empty() {
                problem.unwrap_or_default()
            } else {
                problem.unwrap_or_else(|| panic!("{rule}"))
            };
            assert!(error.contains(part), "{}: {error}", &rule[..rule.len().min(60)]);
            assert!(
                started.elapsed().as_secs() < 10,
                "{:?} for {}",
                started.elapsed(),
                &rule[..rule.len().min(60)]
            );
        }
        assert_eq!(choose(&nested(2)).reason, "rule");
        assert_eq!(on_a_small_stack(|| choose(&chain("+", 60))).destination(), Some(Cloud));
    }

    fn text() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let member = EXPRESSION_VARIABLES.into_iter().flat_map(|(object, members)| {
            members.iter().map(move |member| format!("{object}.{member}"))
        });
        let leaf = prop_oneof![
            4 => prop::sample::select(member.collect::<Vec<_>>()),
            2 => prop::sample::select(vec!["0", "1", "2.5", "1e308", "-7", "'gate'", "'cloud'", "true", "x", "[1, 2]", "['a']"])
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(6, 40, 4, |inner| {
            let sign = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "<", ">=", "==", "!=", "&&", "||", "in",
            ]);
            let makro = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
            let function =
                prop::sample::select(vec!["size", "min", "max", "int", "double", "contains"]);
            prop_oneof![
                (inner.clone(), sign, inner.clone())
                    .prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
                (inner.clone(), makro, inner.clone())
                    .prop_map(|(list, makro, of)| format!("[{list}, 1].{makro}(x, {of})")),
                (function, inner.clone()).prop_map(|(function, of)| format!("{function}({of})")),
                (inner.clone(), inner).prop_map(|(list, at)| format!("{list}[{at}]")),
            ]
        })
    }

    fn soup() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let words = vec![
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ".",
            ",",
            "?",
            ":",
            "!",
            "-",
            "+",
            "&&",
            "||",
            "'",
            "\"",
            "\\",
            "1",
            "0x",
            "1e",
            "frame",
            "frame.bytes",
            "edge.backlog",
            "x",
            ".all(x, ",
            ".map(x, ",
            "has(",
            "b'",
            "r'",
            "\n",
            "//",
            "in",
            "null",
            "é",
            "\u{0}",
        ];
        prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|words| words.concat())
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

        /// Whatever is accepted decides on any frame, in a bounded number of steps (which evaluating counts itself).
        #[test]
        fn whatever_is_accepted_decides(rule in proptest::prop_oneof![3 => text(), 1 => soup()], number in 0.0..1e6f64, known: bool) {
            on_a_small_stack(|| {
                let Ok(rule) = Rule::compile(&config(&rule, "edge-only")) else { return };
                let (frame, tier) = (frame_of(number), if known { tier_of(number, true) } else { TierSnapshot::default() });
                let load = Snapshot { edge: tier, cloud: tier };
                let choice = rule.choose(&frame, &load);
                assert!(["rule", "rule-without-answer"].contains(&choice.reason));
                assert!(choice.lean.is_none_or(|lean| (-1.0..=1.0).contains(&lean)));
            });
        }
    }
}
