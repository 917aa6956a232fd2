//! The measures of hardness with what there is to choose of each.

use super::count_of;
use super::exam::Exam;
use anyhow::Context;
use offload::{Aim, EdgeDetections, Empty, Hardness, Measure, Regression, Sum, Term};

/// A measure before it is fitted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    MeanConfidence,
    CrossEntropy,
    Ibt,
    MaxConfidence,
    Regression,
    /// Taken as it is.
    Unfitted(Measure, Empty),
}

const PLAIN: Sum = Sum { of: Term::Uncertainty, weak: false, small: false, by_class: false };
const WEAK: Sum = Sum { weak: true, ..PLAIN };

const fn sum(sum: Sum) -> Kind {
    Kind::Unfitted(Measure::Sum(sum), Empty::Easy)
}

impl Kind {
    pub(super) const ALL: [Self; 18] = [
        Self::MeanConfidence,
        Self::CrossEntropy,
        Self::Ibt,
        Self::MaxConfidence,
        Self::Regression,
        sum(PLAIN),
        sum(WEAK),
        sum(Sum { small: true, ..WEAK }),
        sum(Sum { by_class: true, ..WEAK }),
        sum(Sum { small: true, by_class: true, ..WEAK }),
        sum(Sum { small: true, by_class: true, ..PLAIN }),
        sum(Sum { of: Term::Variance, ..PLAIN }),
        sum(Sum { of: Term::Variance, ..WEAK }),
        sum(Sum { of: Term::Variance, by_class: true, ..WEAK }),
        sum(Sum { of: Term::Missed, ..PLAIN }),
        sum(Sum { of: Term::Errors, ..PLAIN }),
        sum(Sum { of: Term::Errors, small: true, ..PLAIN }),
        Self::Unfitted(Measure::MeanConfidence, Empty::Hard),
    ];

    /// A measure by its text, taken as it is.
    pub(super) const fn named(aim: &Aim) -> Self {
        Self::Unfitted(aim.measure, aim.empty)
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::MeanConfidence => "mean-confidence (fitted)".into(),
            Self::CrossEntropy => "cross-entropy (fitted)".into(),
            Self::Ibt => "ibt (fitted)".into(),
            Self::MaxConfidence => "max-confidence (fitted)".into(),
            Self::Regression => "regression (fitted)".into(),
            Self::Unfitted(measure @ Measure::Sum(_), Empty::Easy) => {
                let text = Aim { measure, threshold: None, empty: Empty::Easy }.to_string();
                text.trim_end_matches(",empty=easy").to_owned()
            }
            Self::Unfitted(measure, empty) => Aim { measure, threshold: None, empty }.to_string(),
        }
    }

    /// Whether it is of weak detections.
    pub(super) const fn needs_weak(self) -> bool {
        match self {
            Self::MeanConfidence
            | Self::CrossEntropy
            | Self::Ibt
            | Self::MaxConfidence
            | Self::Regression => false,
            Self::Unfitted(measure, _) => measure.needs_weak(),
        }
    }

    /// The measure, its numbers and the meaning of empty frames that win most on these images when
    /// this share of them is sent on, with the threshold at which it is.
    pub(super) fn fit(
        self,
        exam: &Exam<'_>,
        images: &[usize],
        share: f64,
    ) -> anyhow::Result<Hardness> {
        let both = |measure| [(measure, Empty::Easy), (measure, Empty::Hard)];
        let candidates = match self {
            Self::MeanConfidence => both(Measure::MeanConfidence).to_vec(),
            Self::CrossEntropy => both(Measure::CrossEntropy).to_vec(),
            Self::Ibt => [0.3, 0.4, 0.5, 0.6, 0.7]
                .into_iter()
                .flat_map(|box_threshold| both(Measure::Ibt { box_threshold }))
                .collect(),
            Self::MaxConfidence => both(Measure::MaxConfidence).to_vec(),
            Self::Regression => {
                let fitted = Regression::fit(&exam.samples(images))
                    .context("too few images to fit a regression")?;
                both(Measure::Regression(fitted)).to_vec()
            }
            Self::Unfitted(measure, empty) => vec![(measure, empty)],
        };
        let seen: Vec<EdgeDetections<'_>> = images.iter().map(|image| exam.seen(*image)).collect();
        let mut best: Option<(f64, Hardness)> = None;
        for (measure, empty) in candidates {
            let hardness = Hardness::for_share(measure, empty, &seen, share);
            let order = exam.hardest_first(&hardness, images);
            let quality = exam.quality(images, &order[..count_of(share, order.len())]);
            // where it makes no difference, nothing is sent on in vain
            if best.as_ref().is_none_or(|(most, _)| quality > *most) {
                best = Some((quality, hardness));
            }
        }
        best.map(|(_, hardness)| hardness).context("each measure has at least one form")
    }
}
