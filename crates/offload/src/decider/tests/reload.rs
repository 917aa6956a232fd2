//! Another policy file: each field of each section takes effect, and nothing is lost but what it
//! changes.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// A field of the policy file, with all that it needs to matter, and two values that make a
/// difference; `""` leaves the field out.
struct Field {
    path: &'static str,
    base: &'static str,
    before: &'static str,
    after: &'static str,
}

const fn field(
    path: &'static str,
    base: &'static str,
    before: &'static str,
    after: &'static str,
) -> Field {
    Field { path, base, before, after }
}

const DEADLINE: &str = "policy = 'deadline'";
const DEGRADE_EDGE: &str = "policy = 'deadline'\ndeadline.degrade = ['edge', 'expire']";
const DEGRADE_LATE: &str = "policy = 'deadline'\ndeadline.degrade = ['late', 'edge']";
const RULE: &str = "policy = 'expression'";
const RULE_WITHOUT_ANSWER: &str =
    "policy = 'expression'\nexpression.rule = 'edge.at_maximum && cloud.at_maximum'";
const BUDGET_OF: [&str; 4] = [
    "policy = 'cloud-only'\nbudget.rate = 0.5\nbudget.burst = 3",
    "policy = 'cloud-only'\nbudget.unit = 'share'\nbudget.burst = 3",
    "policy = 'cloud-only'\nbudget.unit = 'share'\nbudget.rate = 0.5",
    "policy = 'cloud-only'\nbudget.unit = 'share'\nbudget.rate = 0.5\nbudget.burst = 3",
];
const MOTION: &str = "policy = 'edge-only'\nmotion.skip_below = 0.05";
const HYSTERESIS: &str = "policy = 'deadline'\nhysteresis.dwell_ms = 500";
const CLOUD: &str = "policy = 'cloud-only'";
const MONEY: &str = "policy = 'deadline'\ndeadline.comfort = 1";

const CONTRACT: &str = "[{ name = 'gates', cameras = ['gate'], within_ms = 80, share = 0.9 }]";

const FIELDS: [Field; 45] = [
    field("policy", "", "'edge-only'", "'cloud-only'"),
    field("ratio.cloud_share", "policy = 'ratio'", "0.2", "0.7"),
    field("deadline.target_ms", DEADLINE, "1000", "70"),
    field("deadline.comfort", DEADLINE, "0", "1"),
    field("deadline.degrade", DEADLINE, "['expire']", "['late']"),
    field("deadline.edge_backlog_up_to", DEGRADE_EDGE, "100", "1000"),
    field("deadline.late_up_to_ms", DEGRADE_LATE, "1000", "1"),
    field("deadline.refresh_ms", DEADLINE, "5000", "400"),
    field("cascade.hardness", "policy = 'cascade'", "'mean-confidence<0.5'", "'ibt(0.5)>=0.5'"),
    field("cascade.share", "policy = 'cascade'", "0.2", "0.6"),
    field("cascade.audit", "policy = 'cascade'", "0", "0.4"),
    field("cascade.agreement", "policy = 'cascade'", "", "0.9"),
    field("cascade.confidence", "policy = 'cascade'\ncascade.agreement = 0.9", "0.6", "0.999"),
    field("bandit.target_ms", "policy = 'bandit'", "1000", "60"),
    field("freshness.cloud_share", "policy = 'freshness'", "0.1", "0.8"),
    field("expression.rule", RULE, "'edge.backlog > 3'", "'edge.backlog > 1'"),
    field("expression.fallback", RULE_WITHOUT_ANSWER, "'edge-only'", "'cloud-only'"),
    field("budget.unit", BUDGET_OF[0], "'share'", "'money'"),
    field("budget.rate", BUDGET_OF[1], "0.5", "0.1"),
    field("budget.burst", BUDGET_OF[2], "3", "9"),
    field("budget.per", BUDGET_OF[3], "'camera'", "'all'"),
    field("hysteresis.dwell_ms", DEADLINE, "0", "3000"),
    field("hysteresis.to_cloud_above", HYSTERESIS, "0.1", "0.99"),
    field("hysteresis.to_edge_below", HYSTERESIS, "0.1", "-0.99"),
    field("breaker.enabled", CLOUD, "true", "false"),
    field("breaker.silence_ms", CLOUD, "1000", "400"),
    field("breaker.first_silence_ms", CLOUD, "10000", "30"),
    field("breaker.probe_after_ms", CLOUD, "250", "1500"),
    field("breaker.probe_at_most_ms", CLOUD, "2000", "300"),
    field("motion.skip_below", "policy = 'edge-only'", "0", "0.05"),
    field("motion.look_every_ms", MOTION, "10000", "300"),
    field("redispatch.enabled", CLOUD, "true", "false"),
    field("redispatch.after_ms", CLOUD, "5000", "800"),
    field("price.edge_per_frame", MONEY, "0", "1"),
    field("price.cloud_per_frame", MONEY, "0.0001", "0.002"),
    field("price.cloud_per_gigabyte", MONEY, "0.1", "7"),
    field("prior.edge.service_ms", DEADLINE, "", "700"),
    field("prior.edge.workers", DEADLINE, "", "3"),
    field("prior.edge.rtt_ms", DEADLINE, "", "7"),
    field("prior.edge.mbit_s", DEADLINE, "", "7"),
    field("prior.cloud.service_ms", DEADLINE, "", "30"),
    field("prior.cloud.workers", DEADLINE, "", "3"),
    field("prior.cloud.rtt_ms", DEADLINE, "", "7"),
    field("prior.cloud.mbit_s", DEADLINE, "", "7"),
    field("contract", DEADLINE, "", CONTRACT),
];

impl Field {
    fn config(&self, value: &str) -> PolicyConfig {
        let line =
            if value.is_empty() { String::new() } else { format!("{} = {value}", self.path) };
        let text = format!("{}\n{line}", self.base);
        PolicyConfig::from_toml(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }
}

/// The fields below `path` that a policy file may have, as the error about an unknown one tells.
fn fields_below(path: &str, fields: &mut BTreeSet<String>) {
    let probe = format!("{path}x_unknown = 1\npolicy = 'edge-only'");
    let probe = probe.replace("policy.x_unknown = 1\npolicy = 'edge-only'", "policy.x_unknown = 1");
    let error = PolicyConfig::from_toml(&probe).unwrap_err().to_string();
    let Some((_, expected)) = error.split_once("unknown field `x_unknown`, expected ") else {
        fields.insert(path.trim_end_matches('.').to_owned());
        return;
    };
    for name in expected.split('`').skip(1).step_by(2) {
        fields_below(&format!("{path}{name}."), fields);
    }
}

#[test]
fn the_table_has_every_field_of_every_section() {
    let mut fields = BTreeSet::new();
    fields_below("", &mut fields);
    let tested: BTreeSet<String> = FIELDS.iter().map(|field| field.path.to_owned()).collect();
    assert_eq!(tested, fields);
}

/// Two cameras for half a minute, in which a tier has too much to do, or is silent, or the lights
/// are out: everything that is decided, waited for and known, moment by moment.
fn history(mut decider: Decider<u64>, reload: Option<(u64, &PolicyConfig)>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut answers: BTreeMap<(u64, u64), TierResult> = BTreeMap::new();
    let mut overdue: BTreeMap<(Timestamp, u64), ()> = BTreeMap::new();
    for key in 0..600 {
        let now = key * 50;
        if let Some((_, config)) = reload.filter(|(when, _)| *when == now) {
            decider.reconfigure(config, at(now)).unwrap();
        }
        while let Some(((due, of), result)) = answers.pop_first() {
            if due > now {
                answers.insert((due, of), result);
                break;
            }
            if let Some(answer_by) = decider.result(of, &result, at(due)) {
                overdue.insert((answer_by, of), ());
                let loss = Some(if of % 10 > 6 { 0.3 } else { 0.0 });
                answers.insert((due + 70, of), TierResult { loss, ..done(Cloud) });
            }
        }
        while let Some(((due, of), ())) = overdue.pop_first() {
            if due > at(now) {
                overdue.insert((due, of), ());
                break;
            }
            if decider.late(of, at(now)) == Some(TakenTo::Edge) {
                answers.insert((now + 60, of), done(Edge));
            }
        }
        let is_busy = (3000..6000).contains(&now);
        if now % 1000 == 0 {
            decider.lag(Edge, is_busy.then_some(150));
            decider.lag(Cloud, is_busy.then_some(20));
        }
        let frame = FrameFacts {
            camera: if key % 3 == 0 { "yard" } else { "gate" }.parse().unwrap(),
            deadline_left_ms: (key % 4 != 0).then_some(300.0),
            change: Some(if key / 40 % 2 == 0 { 0.01 } else { 0.3 }),
            ..nth(key)
        };
        let decided = decider.decide(key, &frame, at(now));
        let breakers = Destination::ALL.map(|tier| decider.breaker(tier, at(now)));
        let (left, patience) = (decider.budget_left(at(now)), decider.cloud_patience(1, at(now)));
        let load = decider.snapshot(30_000, at(now));
        lines.push(format!("{now} {decided:?} {breakers:?} {left:?} {patience:?} {load:?}"));
        overdue.extend(decided.answer_by.map(|answer_by| ((answer_by, key), ())));
        let is_silent = match decided.choice.destination() {
            Some(Edge) => (12_000..14_000).contains(&now),
            Some(Cloud) => (8000..13_000).contains(&now),
            None => true,
        };
        if let (Some(tier), false) = (decided.choice.destination(), is_silent) {
            let is_measured = matches!(decided.choice.action, Action::Cascade(_));
            let provisional = is_measured && key % 5 != 0;
            let score = Some((key % 10) as f64 / 10.0);
            let measured = is_measured.then_some(Measured { score, features: None });
            let after = if tier == Edge { 60 } else { 90 };
            answers.insert((now + after, key), TierResult { provisional, measured, ..done(tier) });
        }
    }
    lines
}

/// Breakers that begin anew at a reload draw their jitter from the moment; so do all here.
fn new(config: &PolicyConfig) -> Decider<u64> {
    Decider::new(config, at(0).as_micros()).unwrap()
}

fn assert_same(name: &str, left: &[String], right: &[String]) {
    let first = left.iter().zip(right).find(|(left, right)| left != right);
    assert!(first.is_none(), "{name}: {first:#?}");
}

#[test]
fn each_field_takes_effect_at_a_reload() {
    let mut without_effect = Vec::new();
    for field in FIELDS {
        let (before, after) = (field.config(field.before), field.config(field.after));
        let as_new = history(new(&after), None);
        if as_new == history(new(&before), None) {
            without_effect.push(field.path);
        }
        let reloaded = history(new(&before), Some((0, &after)));
        assert_same(field.path, &reloaded, &as_new);
    }
    assert_eq!(without_effect, ["prior.edge.rtt_ms"], "no link leads to the edge");
}

#[test]
fn each_field_takes_effect_later_too() {
    // what is believed until a tier has answered makes no difference after that
    let is_for_the_start =
        |path: &str| path.starts_with("prior.") || path == "breaker.first_silence_ms";
    let mut without_effect = Vec::new();
    for field in FIELDS.iter().filter(|field| !is_for_the_start(field.path)) {
        let (before, after) = (field.config(field.before), field.config(field.after));
        let later = history(new(&before), Some((2000, &after)));
        let unchanged = history(new(&before), None);
        assert_same(field.path, &later[..40], &unchanged[..40]);
        if later == unchanged {
            without_effect.push(field.path);
        }
    }
    assert!(without_effect.is_empty(), "{without_effect:?}");
}

#[test]
fn what_the_policy_learned_stays_when_other_sections_change() {
    let late = |decider: &mut Decider<u64>| {
        for key in 0..200 {
            let now = key * 400;
            decider.decide(key, &FrameFacts { deadline_left_ms: Some(25.0), ..nth(key) }, at(now));
            decider.result(key, &done(Edge), at(now + 60));
        }
    };
    let reason = |decider: &mut Decider<u64>| {
        let frame = FrameFacts { deadline_left_ms: Some(25.0), ..nth(1001) };
        format!("{:?}", decider.decide(1001, &frame, at(100_000)).choice)
    };
    let bandit = PolicyConfig::of(PolicyName::Bandit);
    let mut kept = new(&bandit);
    late(&mut kept);
    let mut same = new(&bandit);
    late(&mut same);
    let mut others = bandit.clone();
    (others.ratio.cloud_share, others.deadline.target_ms) = (0.1, 50.0);
    others.expression.rule = "edge.backlog > 3".into();
    kept.reconfigure(&others, at(99_000)).unwrap();
    assert_eq!(reason(&mut kept), reason(&mut same));
    let mut changed = new(&bandit);
    late(&mut changed);
    let mut target = bandit;
    target.bandit.target_ms = 999.0;
    changed.reconfigure(&target, at(99_000)).unwrap();
    assert_ne!(reason(&mut changed), reason(&mut same), "new settings make a new policy");
}

#[test]
fn a_fallback_is_reloaded_with_its_own_section() {
    let text = |share: &str| {
        format!("{RULE_WITHOUT_ANSWER}\nexpression.fallback = 'ratio'\nratio.cloud_share = {share}")
    };
    let mut decider = with(&text("0"));
    let tier = |decider: &mut Decider<u64>, key| {
        decider.decide(key, &nth(key), at(key)).choice.destination()
    };
    assert_eq!(tier(&mut decider, 1), Some(Edge));
    decider.reconfigure(&PolicyConfig::from_toml(&text("1")).unwrap(), at(2)).unwrap();
    assert_eq!(tier(&mut decider, 3), Some(Cloud));
}

#[test]
fn how_far_the_tiers_agree_outlives_other_settings_and_not_another_policy() {
    let mut decider = with("policy = 'cascade'");
    for key in 0..200 {
        decider.decide(key, &nth(key), at(key * 100));
        let measured = Some(Measured { score: Some(0.75), features: None });
        let hard = TierResult { provisional: true, measured, ..done(Edge) };
        decider.result(key, &hard, at(key * 100 + 10));
        decider.result(key, &TierResult { loss: Some(0.5), ..done(Cloud) }, at(key * 100 + 20));
    }
    let told = |decider: &Decider<u64>| decider.lessons().map(|lessons| lessons.overall());
    let before = told(&decider);
    assert!(before.is_some_and(|told| told.hard_share > 0.0), "{before:?}");
    let mut config = PolicyConfig::from_toml("policy = 'cascade'\ncascade.audit = 0.4").unwrap();
    decider.reconfigure(&config, at(99_000)).unwrap();
    assert_eq!(told(&decider), before);
    config.policy = PolicyName::EdgeOnly;
    decider.reconfigure(&config, at(99_001)).unwrap();
    assert_eq!(told(&decider), None);
}
