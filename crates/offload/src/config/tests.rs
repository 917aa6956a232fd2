//! What a policy file may say and what not.

use super::*;
use crate::{BudgetScope, Degrade};

#[test]
fn a_file_names_a_policy_and_tunes_what_it_likes() {
    let config = PolicyConfig::from_toml(
        "policy = 'deadline'\n[deadline]\ndegrade = ['late', 'edge', 'expire']\n\
         [budget]\nunit = 'money'\nrate = 2.5\nburst = 1\n\
         [prior.cloud]\nrtt_ms = 40\nmbit_s = 10\n",
    )
    .unwrap();
    assert_eq!(config.deadline.degrade, [Degrade::Late, Degrade::Edge, Degrade::Expire]);
    assert_eq!(config.deadline.target_ms, Deadline::default().target_ms);
    assert_eq!(config.budget.unwrap().per, BudgetScope::Camera);
    assert_eq!(config.prior.cloud.mbit_s, Some(10.0));
    for name in PolicyConfig::NAMES {
        assert_eq!(PolicyConfig::named(name).unwrap().policy.as_str(), name);
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let cases = [
        ("policy = 'coin'", "there is no policy 'coin'; there are: edge-only"),
        ("[ratio]\ncloud_share = 0.3", "missing field `policy`"),
        (
            "policy = 'ratio'\n[ratio]\ncloud_share = 1.3",
            "[ratio] cloud_share = 1.3 is not allowed: it must be from 0 to 1",
        ),
        ("policy = 'ratio'\n[ratio]\nshare = 1", "unknown field `share`"),
        ("policy = 'ratio'\n[ratios]\nshare = 1", "unknown field `ratios`"),
        ("policy = 'deadline'\n[deadline]\ndegrade = ['panic']", "unknown variant `panic`"),
        (
            "policy = 'edge-only'\n[budget]\nunit = 'share'\nrate = 2\nburst = 1",
            "[budget] rate = 2",
        ),
        ("policy = 'edge-only'\n[hysteresis]\nto_edge_below = 0.5", "to_edge_below"),
        ("policy = 'edge-only'\n[breaker]\nsilence_ms = 0", "silence_ms"),
        ("policy = 'edge-only'\n[prior.edge]\nworkers = 0", "[prior] workers"),
        ("policy = 'edge-only'\n[redispatch]\nafter_ms = nan", "after_ms"),
        (
            "policy = 'expression'\n[expression]\nrule = 'edge.backlog >'",
            "[expression] rule: line 1",
        ),
        ("policy = 'cascade'\n[cascade]\nhardness = 'gut-feeling'", "'gut-feeling' is unknown"),
        ("policy = 'cascade'\n[cascade]\nhardness = 'uncertainty'", "[cascade] hardness"),
        ("policy = 'cascade'\n[cascade]\nshares = 0.2", "unknown field `shares`"),
        ("policy = ", "line 1"),
    ];
    for (text, part) in cases {
        let error = PolicyConfig::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Each number of the file, and whether 0 is allowed.
const NUMBERS: [(&str, &str, bool); 29] = [
    ("ratio", "cloud_share", true),
    ("deadline", "target_ms", false),
    ("deadline", "comfort", true),
    ("deadline", "late_up_to_ms", true),
    ("deadline", "refresh_ms", true),
    ("cascade", "share", true),
    ("cascade", "audit", true),
    ("cascade", "agreement", false),
    ("cascade", "confidence", false),
    ("bandit", "target_ms", false),
    ("freshness", "cloud_share", true),
    ("hysteresis", "dwell_ms", true),
    ("hysteresis", "to_cloud_above", true),
    ("hysteresis", "to_edge_below", true),
    ("breaker", "silence_ms", false),
    ("breaker", "first_silence_ms", false),
    ("breaker", "probe_after_ms", false),
    ("breaker", "probe_at_most_ms", false),
    ("motion", "skip_below", true),
    ("motion", "look_every_ms", false),
    ("redispatch", "after_ms", false),
    ("price", "edge_per_frame", true),
    ("price", "cloud_per_frame", true),
    ("price", "cloud_per_gigabyte", true),
    ("prior.edge", "service_ms", false),
    ("prior.edge", "rtt_ms", false),
    ("prior.cloud", "mbit_s", false),
    ("prior.cloud", "workers", false),
    ("prior.cloud", "service_ms", false),
];

#[test]
fn every_number_has_a_range() {
    for (section, key, zero) in NUMBERS {
        let read = |value: &str| {
            PolicyConfig::from_toml(&format!("policy = 'cloud-only'\n[{section}]\n{key} = {value}"))
        };
        for value in ["nan", "inf", "-inf", "-2.0", "1e300", "1e18"] {
            let error = read(value).expect_err(&format!("[{section}] {key} = {value}")).to_string();
            assert!(error.contains(key), "{error}");
        }
        let smallest = match (section, key, zero) {
            ("hysteresis", "to_cloud_above" | "to_edge_below", _) => "-1.001",
            (_, "workers", _) => "0",
            (_, _, true) => "-0.001",
            (_, _, false) => "0.0",
        };
        assert!(read(smallest).is_err(), "[{section}] {key} = {smallest}");
        assert!(zero || key == "workers" || read("1e-300").is_err(), "[{section}] {key} = 1e-300");
    }
    for unit in ["bytes", "money", "share"] {
        for (rate, burst) in [
            ("nan", "1.0"),
            ("inf", "1.0"),
            ("1e300", "1.0"),
            ("-1.0", "1.0"),
            ("0.5", "1e300"),
            ("0.5", "0.0"),
        ] {
            let text = format!(
                "policy = 'cloud-only'\n[budget]\nunit = '{unit}'\nrate = {rate}\nburst = {burst}"
            );
            assert!(
                PolicyConfig::from_toml(&text).unwrap_err().to_string().contains("[budget]"),
                "{text}"
            );
        }
    }
    let text = "policy = 'cloud-only'\n[redispatch]\nafter_ms = 1e300";
    let error = PolicyConfig::from_toml(text).unwrap_err().to_string();
    assert!(error.contains("it must be from 1 to 86400000 (a day)"), "{error}");
}

#[test]
fn what_is_written_is_read_again() {
    let tuned = "policy = 'cascade'\n[cascade]\nhardness = 'max-confidence<0.25,empty=hard'\n\
         [deadline]\ndegrade = ['late', 'edge']\n[budget]\nunit = 'bytes'\nrate = 1e6\nburst = 5\n\
         per = 'all'\n[prior.cloud]\nworkers = 3\nrtt_ms = 40\n[redispatch]\nenabled = false";
    let found = "policy = 'cascade'\n[cascade]\nhardness = 'errors(small)'\nshare = 0.1";
    for text in [tuned, found, "policy = 'alternate'"] {
        let config = PolicyConfig::from_toml(text).unwrap();
        assert_eq!(PolicyConfig::from_toml(&config.to_toml()), Ok(config.clone()));
        assert!(config.to_toml().len() < 2000, "{}", config.to_toml());
    }
}
