//! Rules that decide, rules that are refused, and whatever else somebody may write.

use super::*;
use crate::testing::facts;

fn config(rule: &str, fallback: &str) -> WithFallback {
    let expression = Expression { rule: rule.into(), fallback: fallback.parse().unwrap() };
    WithFallback::of(&PolicyConfig { expression, ..PolicyConfig::of(PolicyName::Expression) })
}

fn load() -> Snapshot {
    let edge =
        TierSnapshot { backlog_frames: Some(4), service_ms: Some(80.0), ..TierSnapshot::default() };
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
            "edge.backlog * edge.service_ms > cloud.rtt_ms + cloud.service_ms \
             && frame.bytes < 200000",
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
    let error = Rule::compile(&config("frame.bytes > 5 &&\n  edge.temperature > 60", "edge-only"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("line 2, column 7"), "{error}");
    let coin = "policy = 'expression'\n[expression]\nrule = 'true'\nfallback = 'coin'";
    let error = PolicyConfig::from_toml(coin).unwrap_err().to_string();
    assert!(error.contains("there is no policy 'coin'"), "{error}");
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
        assert_eq!((choice.destination(), choice.reason), (Some(destination), "rule"), "{rule}");
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
fn rules_too_long_too_deep_or_too_costly_are_refused() {
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
        let compiled = on_a_small_stack(|| Rule::compile(&config(&rule, "edge-only")).map(drop));
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

const LITERALS: [&str; 11] =
    ["0", "1", "2.5", "1e308", "-7", "'gate'", "'cloud'", "true", "x", "[1, 2]", "['a']"];

fn text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let member = EXPRESSION_VARIABLES.into_iter().flat_map(|(object, members)| {
        members.iter().map(move |member| format!("{object}.{member}"))
    });
    let leaf = prop_oneof![
        4 => prop::sample::select(member.collect::<Vec<_>>()),
        2 => prop::sample::select(LITERALS.to_vec()).prop_map(str::to_owned),
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

    /// In a bounded number of steps, which evaluating counts itself.
    #[test]
    fn whatever_is_accepted_decides(
        rule in proptest::prop_oneof![3 => text(), 1 => soup()],
        number in 0.0..1e6f64, known: bool,
    ) {
        on_a_small_stack(|| {
            let Ok(rule) = Rule::compile(&config(&rule, "edge-only")) else { return };
            let frame = frame_of(number);
            let tier = if known { tier_of(number, true) } else { TierSnapshot::default() };
            let load = Snapshot { edge: tier, cloud: tier };
            let choice = rule.choose(&frame, &load);
            assert!(["rule", "rule-without-answer"].contains(&choice.reason));
            assert!(choice.lean.is_none_or(|lean| (-1.0..=1.0).contains(&lean)));
        });
    }
}
