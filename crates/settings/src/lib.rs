//! Typed settings from named variables, every problem reported at once.
//!
//! A unit reads its settings once, at the edge, into a struct that it owns. A value with a problem
//! gets its default for the moment, and [`Settings::finish`] then names every problem together, so
//! that a user mends a file once, not line by line.

mod error;
mod source;
mod unread;
mod variable;

pub use error::{ConfigError, InvalidSetting};
pub use source::CONFIG_FILE_VARIABLE;
pub use unread::{READ_ELSEWHERE, UnreadVariable};
pub use variable::Variable;

use source::Source;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Reads variables and collects what is wrong with them.
#[derive(Debug)]
pub struct Settings {
    source: Source,
    variables: Vec<Variable>,
    problems: Vec<InvalidSetting>,
}

impl Settings {
    /// The process's environment; what it does not set is looked up in the file that `MLVI_CONFIG`
    /// names, if any.
    ///
    /// # Errors
    /// When that file cannot be read or is not TOML of the form `VARIABLE = value`.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Source::environment().map(Self::over)
    }

    /// Exactly these variables: for tests, and for running several units in one process.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::over(Source::pairs(pairs))
    }

    /// The same source with further pairs, which win over it.
    #[must_use]
    pub fn with_overrides<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.source.override_with(pairs);
        self
    }

    fn over(source: Source) -> Self {
        Self { source, variables: Vec::new(), problems: Vec::new() }
    }

    /// Whether a variable is set, to whatever.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.source.get(name).is_some()
    }

    /// Any text.
    pub fn text(&mut self, name: &'static str, default: &str, help: &'static str) -> String {
        self.parsed(name, default, "any text", help)
    }

    /// Any text, or nothing.
    pub fn optional_text(&mut self, name: &'static str, help: &'static str) -> Option<String> {
        self.variables.push(Variable::new(name, "", "any text, or unset", help));
        self.source.get(name)
    }

    /// A number within a range.
    pub fn number<T>(
        &mut self,
        name: &'static str,
        default: T,
        range: RangeInclusive<T>,
        help: &'static str,
    ) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let parse = |text: &str| text.parse().ok().filter(|value| range.contains(value));
        self.read(Variable::new(name, default.to_string(), allowed, help), parse).unwrap_or(default)
    }

    /// A span of time such as `250ms`, `5s`, `2m` or `1h`.
    pub fn duration(
        &mut self,
        name: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
        help: &'static str,
    ) -> Duration {
        let text = |duration: &Duration| {
            humantime::format_duration(*duration).to_string().replace(' ', "")
        };
        let allowed = format!(
            "a duration from {} to {}, e.g. 250ms, 5s, 2m",
            text(range.start()),
            text(range.end())
        );
        let parse =
            |text: &str| humantime::parse_duration(text).ok().filter(|value| range.contains(value));
        self.read(Variable::new(name, text(&default), allowed, help), parse).unwrap_or(default)
    }

    /// Anything that can be parsed; `allowed` says in words what that is.
    ///
    /// # Panics
    /// When `default` itself cannot be parsed: a mistake in the program, found by its first test.
    pub fn parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        default: &str,
        allowed: &str,
        help: &'static str,
    ) -> T
    where
        T::Err: Display,
    {
        let fallback = || match default.parse() {
            Ok(value) => value,
            Err(error) => panic!("the default of {name} is invalid: {error}"),
        };
        self.read(Variable::new(name, default, allowed, help), |text| text.parse().ok())
            .unwrap_or_else(fallback)
    }

    /// One of a few names.
    ///
    /// # Panics
    /// When `default` is not among them: a mistake in the program, found by its first test.
    pub fn choice<T: Clone>(
        &mut self,
        name: &'static str,
        default: &str,
        choices: &[(&'static str, T)],
        help: &'static str,
    ) -> T {
        let find = |text: &str| {
            choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| value.clone())
        };
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        let variable = Variable::new(name, default, format!("one of: {}", names.join(", ")), help);
        self.read(variable, find).unwrap_or_else(|| {
            find(default).unwrap_or_else(|| panic!("{name} has no choice '{default}'"))
        })
    }

    /// Adds a problem that only the caller can see, e.g. a file that is not there.
    pub fn refuse(
        &mut self,
        name: &'static str,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.problems.push(InvalidSetting { name, value: value.into(), allowed: allowed.into() });
    }

    /// Reads what may turn out to be of no use: `None` when `is_used` says so of what was read, and
    /// then nothing that is wrong with it is a problem.
    pub fn if_used<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> T,
        is_used: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let before = self.problems.len();
        let value = Some(read(self)).filter(is_used);
        if value.is_none() {
            self.problems.truncate(before);
        }
        value
    }

    /// Every variable that was read so far, with its default and what it means: the text of
    /// `--help`.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What is set under a name of MLVI's and was not read so far, but for [`READ_ELSEWHERE`] and
    /// what the caller knows of others.
    #[must_use]
    pub fn unread(&self, others: &[&str]) -> Vec<UnreadVariable> {
        let own = self.variables.iter().map(|variable| variable.name);
        let known: Vec<&str> = own.chain(others.iter().copied()).chain(READ_ELSEWHERE).collect();
        let set = self.source.names().filter(|name| name.starts_with(unread::PREFIX));
        set.filter(|name| !known.contains(name))
            .map(|name| UnreadVariable::new(name, &known))
            .collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When any value had a problem; the error lists all of them.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(self.problems)) }
    }

    /// `None` when the variable is unset, or set to something that `parse` refuses (then a problem
    /// is noted).
    fn read<T>(&mut self, variable: Variable, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.source.get(variable.name);
        let parsed = value.as_deref().and_then(|text| parse(text.trim()));
        if let (Some(value), None) = (value, &parsed) {
            self.refuse(variable.name, value, variable.allowed.clone());
        }
        self.variables.push(variable);
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_defaults_fill_in() {
        let mut settings = Settings::from_pairs([
            ("PORT", "8080"),
            ("WAIT", "250ms"),
            ("MODE", "fast"),
            ("NAME", "x"),
        ]);
        assert_eq!(settings.number("PORT", 5000u16, 0..=65535, "port"), 8080);
        assert_eq!(settings.number("MISSING", 7u8, 1..=9, "seven"), 7);
        let wait = settings.duration(
            "WAIT",
            Duration::from_secs(1),
            Duration::ZERO..=Duration::from_secs(5),
            "wait",
        );
        assert_eq!(wait, Duration::from_millis(250));
        assert_eq!(settings.choice("MODE", "slow", &[("slow", 1), ("fast", 2)], "mode"), 2);
        assert_eq!(settings.text("NAME", "nobody", "name"), "x");
        assert_eq!(settings.optional_text("ABSENT", "nothing"), None);
        assert_eq!(settings.variables().len(), 6);
        settings.finish().unwrap();
    }

    #[test]
    fn every_problem_is_named_with_what_is_allowed() {
        let mut settings =
            Settings::from_pairs([("PORT", "99999"), ("WAIT", "soon"), ("MODE", "warp")]);
        assert_eq!(settings.number("PORT", 5000u32, 0..=65535, "port"), 5000);
        settings.duration(
            "WAIT",
            Duration::from_secs(1),
            Duration::ZERO..=Duration::from_secs(5),
            "wait",
        );
        settings.choice("MODE", "slow", &[("slow", 1), ("fast", 2)], "mode");
        let text = settings.finish().unwrap_err().to_string();
        for part in [
            "PORT",
            "99999",
            "0 to 65535",
            "WAIT",
            "soon",
            "0s to 5s",
            "MODE",
            "warp",
            "slow, fast",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn only_what_is_used_is_refused() {
        for is_used in [true, false] {
            let mut settings = Settings::from_pairs([("PORT", "99999"), ("MODE", "warp")]);
            settings.number("PORT", 5000u32, 0..=65535, "port");
            let read = |settings: &mut Settings| {
                settings.choice("MODE", "slow", &[("slow", 1), ("fast", 2)], "mode")
            };
            assert_eq!(settings.if_used(read, |_| is_used), is_used.then_some(1));
            assert_eq!(settings.variables().len(), 2, "--help names all");
            let text = settings.finish().unwrap_err().to_string();
            assert!(text.contains("PORT"), "{text}");
            assert_eq!(text.contains("MODE"), is_used, "{text}");
        }
    }

    #[test]
    fn what_nobody_reads_is_named_with_what_may_be_meant() {
        let mut settings = Settings::from_pairs([
            ("MLVI_BROKRES", "kafka:9092"),
            ("MLVI_GROUP", "g"),
            ("MLVI_KIND_OF_TEA", "green"),
            ("MLVI_OF_ANOTHER", "x"),
            ("MLVI_REQUIRE", "kafka"),
            ("MLVI_UNSET", ""),
            ("PATH", "/bin"),
        ]);
        settings.text("MLVI_BROKERS", "localhost:9092", "brokers");
        settings.optional_text("MLVI_GROUP", "group");
        let unread = settings.unread(&["MLVI_OF_ANOTHER"]);
        let told: Vec<_> =
            unread.iter().map(|unread| (unread.name.as_str(), unread.nearest.as_deref())).collect();
        assert_eq!(
            told,
            [("MLVI_BROKRES", Some("MLVI_BROKERS")), ("MLVI_KIND_OF_TEA", None)],
            "{unread:?}"
        );
        assert!(unread[0].to_string().ends_with("; MLVI_BROKERS is one"), "{}", unread[0]);
    }

    #[test]
    fn overrides_win() {
        let mut settings =
            Settings::from_pairs([("A", "1"), ("B", "2")]).with_overrides([("B", "3")]);
        assert_eq!(
            (settings.number("A", 0, 0..=9, ""), settings.number("B", 0, 0..=9, "")),
            (1, 3)
        );
    }
}
