//! One point that was looked at.

use serde_json::{Value, json};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Fine,
    /// Works, with less than there could be; or is needed for some commands alone.
    Doubtful,
    /// In the way of `mlvi up`.
    Wrong,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Doubtful => "doubtful",
            Self::Wrong => "wrong",
        }
    }

    /// Green, yellow, red.
    const fn colour(self) -> &'static str {
        match self {
            Self::Fine => "\u{1b}[32m",
            Self::Doubtful => "\u{1b}[33m",
            Self::Wrong => "\u{1b}[31m",
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The point, in a word or two.
    pub(super) what: &'static str,
    pub(super) state: State,
    /// What was seen.
    pub(super) says: String,
    /// What to do about it; there for all that is not fine.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn fine(what: &'static str, says: impl Into<String>) -> Self {
        Self { what, state: State::Fine, says: says.into(), mend: None }
    }

    pub(super) fn doubtful(
        what: &'static str,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { what, state: State::Doubtful, says: says.into(), mend: Some(mend.into()) }
    }

    pub(super) fn wrong(
        what: &'static str,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { what, state: State::Wrong, says: says.into(), mend: Some(mend.into()) }
    }

    /// One line, and another with what to do, each with its line break.
    pub(super) fn text(&self, colour: bool) -> String {
        let Self { what, state, says, mend } = self;
        let state = match colour {
            true => format!("{}{:<8}\u{1b}[0m", state.colour(), state.name()),
            false => format!("{:<8}", state.name()),
        };
        let mut text = format!("{state}  {what:<13}  {says}\n");
        if let Some(mend) = mend {
            text += &format!("{:<25}to mend it: {mend}\n", "");
        }
        text
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "state": self.state.name(),
            "says": self.says,
            "mend": self.mend,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_fine_says_how_to_mend_it() {
        let text = Finding::wrong("port", "taken", "take another").text(false);
        assert_eq!(
            text,
            "wrong     port           taken\n                         to mend it: take another\n"
        );
        assert_eq!(Finding::fine("port", "free").text(false), "fine      port           free\n");
        assert!(Finding::fine("port", "free").text(true).starts_with("\u{1b}[32mfine"));
        assert_eq!(Finding::fine("port", "free").to_json()["mend"], Value::Null);
    }
}
