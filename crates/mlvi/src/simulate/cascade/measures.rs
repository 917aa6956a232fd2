//! The measures of hardness with what there is to choose of each.

use super::count_of;
use super::exam::Exam;
use anyhow::Context;
use offload::{EdgeDetections, Empty, Hardness, Measure, Regression};

/// A measure before it is fitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    MeanConfidence,
    CrossEntropy,
    Ibt,
    MaxConfidence,
    Regression,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::MeanConfidence,
        Self::CrossEntropy,
        Self::Ibt,
        Self::MaxConfidence,
        Self::Regression,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MeanConfidence => "mean-confidence",
            Self::CrossEntropy => "cross-entropy",
            Self::Ibt => "ibt",
            Self::MaxConfidence => "max-confidence",
            Self::Regression => "regression",
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
        let measures = match self {
            Self::MeanConfidence => vec![Measure::MeanConfidence],
            Self::CrossEntropy => vec![Measure::CrossEntropy],
            Self::Ibt => [0.3, 0.4, 0.5, 0.6, 0.7]
                .map(|box_threshold| Measure::Ibt { box_threshold })
                .to_vec(),
            Self::MaxConfidence => vec![Measure::MaxConfidence],
            Self::Regression => {
                let fitted = Regression::fit(&exam.samples(images))
                    .context("too few images to fit a regression")?;
                vec![Measure::Regression(fitted)]
            }
        };
        let seen: Vec<EdgeDetections<'_>> = images.iter().map(|image| exam.seen(*image)).collect();
        let mut best: Option<(f64, Hardness)> = None;
        for measure in measures {
            for empty in [Empty::Easy, Empty::Hard] {
                let hardness = Hardness::for_share(measure, empty, &seen, share);
                let order = exam.hardest_first(&hardness, images);
                let precision = exam.precision(images, &order[..count_of(share, order.len())]);
                // where it makes no difference, nothing is sent on in vain
                if best.as_ref().is_none_or(|(most, _)| precision > *most) {
                    best = Some((precision, hardness));
                }
            }
        }
        best.map(|(_, hardness)| hardness).context("each measure has at least one form")
    }
}
