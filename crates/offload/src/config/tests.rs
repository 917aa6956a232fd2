//! What a policy file may say and what not.

use super::*;

#[test]
fn a_file_names_a_policy_and_tunes_what_it_likes() {
    let config = PolicyConfig::from_toml(
        "policy = 'deadline'\n[deadline]\ndegrade = ['late', 'edge', 'expire']\n[budget]\nunit = 'money'\nrate = 2.5\nburst = 1\n\
         [prior.cloud]\nrtt_ms = 40\nmbit_s = 10\n",
    )
    .unwrap();
    assert_eq!(config.deadline.degrade, [Degrade::Late, Degrade::Edge, Degrade::Expire]);
    assert_eq!(config.deadline.target_ms, Deadline::default().target_ms);
    assert_eq!(config.budget.unwrap().per, BudgetScope::Camera);
    assert_eq!(config.prior.cloud.mbit_s, Some(10.0));
    for name in PolicyConfig::NAMES {
        assert_eq!(PolicyConfig::named(name).unwrap().policy, name);
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let cases = [
        ("policy = 'coin'", "there is no policy 'coin'; there are: edge-only"),
        ("[ratio]\ncloud_share = 0.3", "missing field `policy`"),
        ("policy = 'ratio'\n[ratio]\ncloud_share = 1.3", "[ratio] cloud_share = 1.3 is not allowed: it must be from 0 to 1"),
        ("policy = 'ratio'\n[ratio]\nshare = 1", "unknown field `share`"),
        ("policy = 'ratio'\n[ratios]\nshare = 1", "unknown field `ratios`"),
        ("policy = 'deadline'\n[deadline]\ndegrade = ['panic']", "unknown variant `panic`"),
        ("policy = 'edge-only'\n[budget]\nunit = 'share'\nrate = 2\nburst = 1", "[budget] rate = 2"),
        ("policy = 'edge-only'\n[hysteresis]\nto_edge_below = 0.5", "to_edge_below"),
        ("policy = 'edge-only'\n[breaker]\nsilence_ms = 0", "silence_ms"),
        ("policy = 'edge-only'\n[prior.edge]\nworkers = 0", "[prior] workers"),
        ("policy = 'edge-only'\n[redispatch]\nafter_ms = nan", "after_ms"),
        ("policy = 'expression'\n[expression]\nrule = 'edge.backlog >'", "[expression] rule: line 1"),
        ("policy = 'cascade'\n[cascade]\nhardness = 'gut-feeling'", "hardness"),
        ("policy = ", "line 1"),
    ];
    for (text, part) in cases {
        let error = PolicyConfig::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
