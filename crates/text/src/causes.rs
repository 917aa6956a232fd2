//! An error in words.

use std::error::Error;

/// An error with what caused it, each once: many repeat their cause in their own words, which a
/// chain such as that of `{:#}` tells twice.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum Odd {
        #[error("cannot listen: {source}")]
        Repeats { source: io::Error },
        #[error("cannot listen")]
        Leaves { source: io::Error },
        #[error("the unit has ended")]
        Wraps(#[from] Box<Odd>),
    }

    #[test]
    fn each_cause_is_told_once() {
        let taken = || io::Error::other("address in use");
        for odd in [Odd::Repeats { source: taken() }, Odd::Leaves { source: taken() }] {
            assert_eq!(with_causes(&odd), "cannot listen: address in use");
            assert_eq!(
                with_causes(&Odd::Wraps(Box::new(odd))),
                "the unit has ended: cannot listen: address in use"
            );
        }
    }
}
