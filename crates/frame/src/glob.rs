//! Patterns of names: `*` stands for any characters, all else for itself.

use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A pattern such as `gate-*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Whether a name fits.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut left) = name.strip_prefix(head) else { return false };
        let (middle, tail) = rest.rsplit_once('*').map_or((None, rest), |(m, t)| (Some(m), t));
        // the earliest place for each part leaves the most room for those behind it
        for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(tail)
    }

    /// Whether every name that fits `other` fits this one, too. A `*` of the other's text can only
    /// be matched by a `*` of this one, since names have none: whatever stands for it then fits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.fits(&other.0)
    }

    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition itself, which takes exponential time.
    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skip| by_definition(rest, &name[skip..])),
            Some((byte, rest)) => name.first() == Some(byte) && by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_as_it_is_defined(pattern in "[ab*]{0,7}", name in "[ab]{0,9}") {
            let glob: Glob = pattern.parse().unwrap();
            prop_assert_eq!(glob.fits(&name), by_definition(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn what_is_covered_fits(
            wide in "[ab*]{0,5}", narrow in "[ab*]{0,5}", name in "[ab]{0,7}",
        ) {
            let [wide, narrow]: [Glob; 2] = [wide, narrow].map(|text| text.parse().unwrap());
            if wide.covers(&narrow) && narrow.fits(&name) {
                prop_assert!(wide.fits(&name));
            }
        }
    }
}
