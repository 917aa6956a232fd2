//! What a request may do.

use std::fmt;
use std::str::FromStr;

/// The right that a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// None: for what tells nothing of frames and results.
    Public,
    /// To send frames, of all cameras or of some.
    Send,
    /// To see frames and results.
    Read,
    /// To change how the suite decides.
    Settings,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    send: bool,
    read: bool,
    settings: bool,
}

impl Right {
    /// Those that a token can have.
    pub(crate) const GIVEN: [Self; 3] = [Self::Send, Self::Read, Self::Settings];

    /// As it is written in the tokens file and in problem documents.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Send => "send",
            Self::Read => "read",
            Self::Settings => "settings",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::GIVEN.into_iter().find(|right| right.name() == name)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Rights {
    /// What can be done where nobody brings a token: all but a change of settings.
    pub(crate) const WITHOUT_TOKENS: Self = Self { send: true, read: true, settings: false };

    pub(crate) fn allow(self, right: Right) -> bool {
        match right {
            Right::Public => true,
            Right::Send => self.send,
            Right::Read => self.read,
            Right::Settings => self.settings,
        }
    }

    pub(crate) fn with(mut self, right: Right) -> Self {
        match right {
            Right::Public => {}
            Right::Send => self.send = true,
            Right::Read => self.read = true,
            Right::Settings => self.settings = true,
        }
        self
    }

    /// A set out of names.
    ///
    /// # Errors
    /// The first name that is no right.
    pub(crate) fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, UnknownRight> {
        names
            .map(|name| Right::named(name).ok_or_else(|| UnknownRight(name.to_owned())))
            .try_fold(Self::default(), |rights, right| right.map(|right| rights.with(right)))
    }
}

/// A name that is no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no right '{0}': use send, read or settings")]
pub struct UnknownRight(String);

impl FromStr for Rights {
    type Err = UnknownRight;

    /// Names separated by commas, or `none`.
    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        if text == "none" {
            return Ok(Self::default());
        }
        Self::of_names(text.split(',').map(str::trim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_names() {
        assert_eq!("send, read".parse(), Ok(Rights::WITHOUT_TOKENS));
        assert_eq!("none".parse(), Ok(Rights::default()));
        let all: Rights = "settings,send,read".parse().unwrap();
        assert!(Right::GIVEN.into_iter().all(|right| all.allow(right)));
        for wrong in ["", "write", "send,", "public", "Send"] {
            assert!(wrong.parse::<Rights>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_allowed_but_what_is_given() {
        for right in Right::GIVEN {
            let only = Rights::default().with(right);
            assert!(only.allow(right) && only.allow(Right::Public));
            let allowed = Right::GIVEN.into_iter().filter(|right| only.allow(*right));
            assert_eq!(allowed.count(), 1, "{right}");
            assert!(!Rights::default().allow(right));
        }
    }
}
