//! Which Darknet a `.cfg` was written for.
//!
//! pjreddie's and AlexeyAB's (with hank-ai's, which goes on from it) share the format, and differ
//! in how a picture is brought to the network's size and in what batch normalisation adds to the
//! variance. The file does not say which one it is for; keys that only one of them knows do.

use super::keys;
use super::section::Kind;
use super::syntax::Section;
use crate::Fork;

/// What tells AlexeyAB's fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The key, or key and value.
    pub(crate) what: String,
}

/// pjreddie's `get_activation` does not know them.
const ACTIVATIONS: &[&str] = &["relu6", "swish", "mish", "hard_mish", "gelu"];

/// The first sign of AlexeyAB's fork.
pub(crate) fn mark(sections: &[Section]) -> Option<Mark> {
    sections.iter().find_map(|section| {
        let own = |name: &str| {
            let mut keys = Kind::of(&section.name).into_iter().flat_map(keys::of);
            keys.any(|key| key.alexeyab && key.name == name)
        };
        let (key, value, line) = section.entries().find(|(key, value, _)| {
            let word = (*key == "activation" && ACTIVATIONS.contains(value))
                || (*key == "policy" && *value == "sgdr");
            word || own(key)
        })?;
        let what = if own(key) { key.to_owned() } else { format!("{key}={value}") };
        Some(Mark { line, what })
    })
}

impl Fork {
    /// What each filter's numbers are divided by: `normalize_cpu` of the fork.
    pub(crate) fn deviation(self, variance: f32) -> f32 {
        match self {
            Self::Pjreddie => variance.sqrt() + 0.000_001,
            Self::Alexeyab => (variance + 0.000_01).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax;
    use super::*;

    #[test]
    fn what_only_one_fork_knows_tells_it() {
        let found =
            |text: &str| mark(&syntax::parse(text).unwrap()).map(|mark| (mark.line, mark.what));
        let plain = "[net]\nbatch=64\nburn_in=1000\n[convolutional]\ngroups=2\nactivation=leaky\n\
                     [shortcut]\nalpha=1\n\
                     [yolo]\njitter=.3\nrandom=1\nmax=90\n";
        assert_eq!(found(plain), None);
        for (key, line) in [("letter_box=0", 2), ("ema_alpha=0.9", 2)] {
            let what = key.split('=').next().unwrap().to_owned();
            assert_eq!(
                found(&plain.replacen("[net]", &format!("[net]\n{key}"), 1)),
                Some((line, what))
            );
        }
        assert_eq!(found(&plain.replace("leaky", "mish")), Some((6, "activation=mish".into())));
        assert_eq!(
            found(&plain.replace("random=1", "scale_x_y=1.05")),
            Some((11, "scale_x_y".into()))
        );
        assert_eq!(
            found(&plain.replace("burn_in=1000", "policy=sgdr")),
            Some((3, "policy=sgdr".into()))
        );
    }
}
