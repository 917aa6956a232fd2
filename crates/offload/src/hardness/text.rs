//! A measure of hardness as text, as it stands in a policy file and travels with a frame: ASCII,
//! far below a kilobyte.

use super::{
    Aim, Empty, Hard, Hardness, LARGEST_SHARE, Learned, Measure, Regression, Sum, Term, WEIGHTS,
};
use std::fmt;
use std::str::FromStr;

/// A text that is no measure of hardness.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "'{text}' is no measure of hardness: {problem}. Allowed are mean-confidence<0.5, \
     cross-entropy<0.5, ibt(0.5)>=0.5, max-confidence<0.5, regression(WEIGHTS)>=0.1, \
     uncertainty(FLAGS)>=1, variance(FLAGS)>=1, missed(FLAGS)>=1, errors(FLAGS)>=1 and learned, \
     each with ,empty=hard or ,empty=easy behind it; WEIGHTS are the {WEIGHTS} numbers that \
     `mlvi simulate cascade` prints, FLAGS any of weak, small and class, or (FLAGS) is left out"
)]
pub struct HardnessError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: HardnessProblem,
}

/// What is wrong with a text that is no measure of hardness.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HardnessProblem {
    /// Something else than what an empty frame means stands behind the comma.
    #[error("'{0}' is neither empty=hard nor empty=easy")]
    Empty(String),
    /// There is no `<` or `>=`.
    #[error("it has no threshold")]
    NoThreshold,
    /// This measure is compared otherwise.
    #[error("{measure} is compared by {sign}")]
    Comparison {
        /// Its name.
        measure: &'static str,
        /// How it is compared.
        sign: &'static str,
    },
    /// A share beyond 0 to 1.
    #[error("the threshold {0} is not from 0 to 1")]
    Threshold(f64),
    /// A confidence beyond 0 to 1.
    #[error("the confidence {0} is not from 0 to 1")]
    Confidence(f64),
    /// `(` without `)`.
    #[error("a parenthesis is not closed")]
    Parenthesis,
    /// As many weights, which are not as many as the measure has.
    #[error("it has {0} weights")]
    Weights(usize),
    /// This measure has no parameters.
    #[error("{0} takes nothing in parentheses")]
    NoParameters(String),
    /// A sum has no such flag, or has it twice.
    #[error("'{0}' is none of the flags weak, small and class, or is there a second time")]
    Flag(String),
    /// What is about weak detections is so without being told.
    #[error("{0} is always of weak detections too: leave 'weak' out")]
    AlwaysWeak(String),
    /// This measure has parameters.
    #[error("{0} needs numbers in parentheses")]
    Parameters(String),
    /// There is no such measure.
    #[error("'{0}' is unknown")]
    Unknown(String),
    /// Something is no finite number.
    #[error("'{0}' is no number")]
    Number(String),
}

impl Measure {
    const fn name(&self) -> &'static str {
        match self {
            Self::MeanConfidence => "mean-confidence",
            Self::CrossEntropy => "cross-entropy",
            Self::Ibt { .. } => "ibt",
            Self::MaxConfidence => "max-confidence",
            Self::Regression(_) => "regression",
            Self::Sum(Sum { of: Term::Uncertainty, .. }) => "uncertainty",
            Self::Sum(Sum { of: Term::Variance, .. }) => "variance",
            Self::Sum(Sum { of: Term::Missed, .. }) => "missed",
            Self::Sum(Sum { of: Term::Errors, .. }) => "errors",
            Self::Learned(_) => "learned",
        }
    }
}

impl Hard {
    const fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::From => ">=",
        }
    }
}

impl fmt::Display for Hardness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.measure, Some(self.threshold), self.empty, f)
    }
}

/// A measure, with a threshold or without.
pub(super) fn write(
    measure: &Measure,
    threshold: Option<f64>,
    empty: Empty,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str(measure.name())?;
    // `{:?}` gives the shortest digits that read back as the same number, and an exponent where
    // there would be many zeros
    match measure {
        Measure::MeanConfidence | Measure::CrossEntropy | Measure::MaxConfidence => {}
        Measure::Ibt { box_threshold } => write!(f, "({box_threshold:?})")?,
        Measure::Regression(regression) => write_weights(&regression.weights, f)?,
        // before there are lessons, everybody knows them
        Measure::Learned(Learned::UNFITTED) => {}
        Measure::Learned(learned) => write_weights(&learned.weights, f)?,
        Measure::Sum(Sum { of: _, weak, small, by_class }) => {
            let flags = [(*weak, "weak"), (*small, "small"), (*by_class, "class")];
            let flags: Vec<&str> =
                flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
            if !flags.is_empty() {
                write!(f, "({})", flags.join(" "))?;
            }
        }
    }
    if let Some(threshold) = threshold {
        write!(f, "{}{threshold:?}", measure.hard().sign())?;
    }
    f.write_str(match empty {
        Empty::Hard => ",empty=hard",
        Empty::Easy => ",empty=easy",
    })
}

fn write_weights(weights: &[f32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, weight) in weights.iter().enumerate() {
        write!(f, "{}{weight:?}", if index == 0 { '(' } else { ' ' })?;
    }
    f.write_str(")")
}

impl FromStr for Hardness {
    type Err = HardnessError;

    /// What an empty frame means may be left out; then it is easy for a sum, which is 0, and for
    /// what was learned, and hard for all other measures.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = |problem| HardnessError { text: text.to_owned(), problem };
        let aim = parse(text).map_err(problem)?;
        aim.named().ok_or_else(|| problem(HardnessProblem::NoThreshold))
    }
}

/// A measure, with a threshold or without.
pub(super) fn parse(text: &str) -> Result<Aim, HardnessProblem> {
    let (condition, empty) = match text.split_once(',') {
        None => (text, None),
        Some((condition, rest)) => match rest.trim() {
            "empty=hard" => (condition, Some(Empty::Hard)),
            "empty=easy" => (condition, Some(Empty::Easy)),
            other => return Err(HardnessProblem::Empty(other.to_owned())),
        },
    };
    let (measure, rest) = match condition.find(['<', '>']) {
        Some(sign_at) => condition.split_at(sign_at),
        None if condition.trim().is_empty() => return Err(HardnessProblem::NoThreshold),
        None => (condition, ""),
    };
    let measure = parse_measure(measure.trim())?;
    let is_sum = matches!(measure, Measure::Sum(_) | Measure::Learned(_));
    let by_itself = if is_sum { Empty::Easy } else { Empty::Hard };
    let empty = empty.unwrap_or(by_itself);
    let threshold = if rest.is_empty() { None } else { Some(parse_threshold(&measure, rest)?) };
    Ok(Aim { measure, threshold, empty })
}

/// A threshold behind its sign.
fn parse_threshold(measure: &Measure, rest: &str) -> Result<f64, HardnessProblem> {
    let sign = measure.hard().sign();
    let threshold = rest.strip_prefix(sign).filter(|threshold| !threshold.starts_with('='));
    let comparison = HardnessProblem::Comparison { measure: measure.name(), sign };
    let threshold = number(threshold.ok_or(comparison)?)?;
    let shares =
        matches!(measure, Measure::MeanConfidence | Measure::MaxConfidence | Measure::Ibt { .. });
    if shares && !(0.0..=LARGEST_SHARE).contains(&threshold) {
        return Err(HardnessProblem::Threshold(threshold));
    }
    Ok(threshold)
}

fn parse_measure(text: &str) -> Result<Measure, HardnessProblem> {
    let (name, arguments) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let inner = rest.strip_suffix(')').ok_or(HardnessProblem::Parenthesis)?;
            (name, Some(inner))
        }
    };
    let term = match name {
        "uncertainty" => Some(Term::Uncertainty),
        "variance" => Some(Term::Variance),
        "missed" => Some(Term::Missed),
        "errors" => Some(Term::Errors),
        _ => None,
    };
    if let Some(of) = term {
        return parse_sum(name, of, arguments.unwrap_or_default()).map(Measure::Sum);
    }
    match (name, arguments) {
        ("mean-confidence", None) => Ok(Measure::MeanConfidence),
        ("cross-entropy", None) => Ok(Measure::CrossEntropy),
        ("max-confidence", None) => Ok(Measure::MaxConfidence),
        ("ibt", Some(text)) => {
            let box_threshold = number(text)?;
            if (0.0..=1.0).contains(&box_threshold) {
                Ok(Measure::Ibt { box_threshold })
            } else {
                Err(HardnessProblem::Confidence(box_threshold))
            }
        }
        ("regression", Some(text)) => {
            Ok(Measure::Regression(Regression { weights: weights(text)? }))
        }
        ("learned", None) => Ok(Measure::Learned(Learned::UNFITTED)),
        ("learned", Some(text)) => Ok(Measure::Learned(Learned { weights: weights(text)? })),
        ("mean-confidence" | "cross-entropy" | "max-confidence", Some(_)) => {
            Err(HardnessProblem::NoParameters(name.to_owned()))
        }
        ("ibt" | "regression", None) => Err(HardnessProblem::Parameters(name.to_owned())),
        _ => Err(HardnessProblem::Unknown(name.to_owned())),
    }
}

fn parse_sum(name: &str, of: Term, flags: &str) -> Result<Sum, HardnessProblem> {
    let mut sum = Sum { of, weak: false, small: false, by_class: false };
    if sum.needs_weak() && flags.split_whitespace().any(|flag| flag == "weak") {
        return Err(HardnessProblem::AlwaysWeak(name.to_owned()));
    }
    for flag in flags.split_whitespace() {
        let set = match flag {
            "weak" => &mut sum.weak,
            "small" => &mut sum.small,
            "class" => &mut sum.by_class,
            _ => return Err(HardnessProblem::Flag(flag.to_owned())),
        };
        if std::mem::replace(set, true) {
            return Err(HardnessProblem::Flag(flag.to_owned()));
        }
    }
    Ok(sum)
}

fn number(text: &str) -> Result<f64, HardnessProblem> {
    let text = text.trim();
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| HardnessProblem::Number(text.to_owned()))
}

/// As many as a measure has.
fn weights<const N: usize>(text: &str) -> Result<[f32; N], HardnessProblem> {
    let weights = text.split_whitespace().map(weight).collect::<Result<Vec<f32>, _>>()?;
    weights.try_into().map_err(|given: Vec<f32>| HardnessProblem::Weights(given.len()))
}

fn weight(text: &str) -> Result<f32, HardnessProblem> {
    text.parse()
        .ok()
        .filter(|number: &f32| number.is_finite())
        .ok_or_else(|| HardnessProblem::Number(text.to_owned()))
}
