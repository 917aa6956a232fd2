//! Variables in the environment that no unit knows, or whose values no unit takes.

use super::finding::Finding;
use crate::suite::UnitKind;
use crate::unread;
use settings::{ConfigError, Settings};
use std::ffi::OsString;

const WHAT: &str = "settings";
/// Looked at by itself, and told by options.
const THE_MODEL: &str = "MLVI_MODEL";

pub(super) fn look(environment: impl Iterator<Item = (OsString, OsString)>) -> Vec<Finding> {
    let pairs: Vec<(String, String)> = environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("MLVI_"))
        .collect();
    // the same problem, and the units that have it
    let mut wrong: Vec<(String, Vec<&str>)> = Vec::new();
    for kind in UnitKind::ALL {
        let mut settings = Settings::from_pairs(pairs.clone());
        (kind.about().read_settings)(&mut settings);
        for problem in problems(settings) {
            match wrong.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, units)) => units.push(kind.name()),
                None => wrong.push((problem, vec![kind.name()])),
            }
        }
    }
    let mut findings: Vec<_> = wrong
        .into_iter()
        .map(|(problem, units)| {
            let mend = format!("{} --help lists what is allowed", units[0]);
            Finding::wrong(WHAT, format!("{problem} (read by {})", units.join(", ")), mend)
        })
        .collect();
    for variable in unread::of(&Settings::from_pairs(pairs.clone())) {
        findings.push(Finding::doubtful(
            WHAT,
            variable.to_string(),
            "is it misspelt? the units' --help lists their variables",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(WHAT, format!("{} variables are set", pairs.len())));
    }
    findings
}

/// What is wrong with what was read, but for the model.
fn problems(settings: Settings) -> Vec<String> {
    match settings.finish() {
        Ok(()) => Vec::new(),
        Err(ConfigError::Invalid(problems)) => {
            let told = problems.into_iter().filter(|problem| problem.name != THE_MODEL);
            told.map(|problem| ConfigError::Invalid(vec![problem]).to_string()).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn states(pairs: &[(&str, &str)]) -> Vec<(State, String)> {
        let pairs = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        look(pairs).into_iter().map(|finding| (finding.state, finding.says)).collect()
    }

    #[test]
    fn wrong_values_and_unknown_names_are_told() {
        assert_eq!(states(&[("HOME", "/x")])[0].0, State::Fine);
        assert_eq!(states(&[("MLVI_DRAIN", "5s"), ("MLVI_CONFIG", "x")])[0].0, State::Fine);
        let found = states(&[("MLVI_DRAIN", "soon"), ("MLVI_POLICI", "ratio")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].1.contains("MLVI_DRAIN='soon'") && found[0].0 == State::Wrong);
        assert!(found[0].1.contains("web-server, preprocessor"), "{found:?}");
        assert!(found[1].0 == State::Doubtful && found[1].1.ends_with("; MLVI_POLICY is one"));
    }
}
