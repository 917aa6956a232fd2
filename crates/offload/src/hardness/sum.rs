//! Measures that add up what is in doubt, box by box. Nothing of them is fitted.
//!
//! A confidence that is a probability makes each sum an expected number: of detections that are
//! wrong (the sum of 1 - p over the detections), of objects that were missed (the sum of p over the
//! weak ones), or the variance of the number of objects (the sum of p(1 - p)). A larger model or a
//! larger input gains most on small objects, so a sum can weigh boxes by how small they are; and a
//! second look at a class settles many of its boxes at once, so it can count each class with
//! diminishing returns.

use super::{EdgeDetections, probability, share_of};
use frame::Detection;

/// A sum over the boxes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sum {
    /// What is added up.
    pub of: Term,
    /// Whether weak detections count as well; they always do for what is about them.
    pub weak: bool,
    /// Whether a box counts by 1 - √(its share of the image): a small one nearly whole, one that
    /// fills the image not at all.
    pub small: bool,
    /// Whether the roots of the classes' sums are added up, rather than the sums.
    pub by_class: bool,
}

/// What a box adds to a sum, by its confidence p.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Term {
    /// 1 - p: over detections, how many of them are expected to be wrong.
    Uncertainty,
    /// p(1 - p): the variance of their number.
    Variance,
    /// p of a weak detection, nothing of another: how many objects are expected to be missed.
    Missed,
    /// Both kinds of errors: 1 - p of a detection, p of a weak one.
    Errors,
}

impl Sum {
    /// The sum over a frame; 0 when nothing was seen.
    #[must_use]
    pub fn value(&self, seen: &EdgeDetections<'_>) -> f64 {
        let confident = seen.confident.iter().map(|found| (found, false));
        let weak = seen.weak.iter().map(|found| (found, true));
        let terms = confident
            .chain(weak.filter(|_| self.needs_weak()))
            .map(|(found, is_weak)| (found.class_id, self.term(found, is_weak, seen)));
        if !self.by_class {
            return terms.map(|(_, term)| term).sum();
        }
        // there are a handful of classes in an image, so a search is quicker than a map
        let mut classes: Vec<(u32, f64)> = Vec::new();
        for (class_id, term) in terms {
            match classes.iter_mut().find(|(known, _)| *known == class_id) {
                Some((_, sum)) => *sum += term,
                None => classes.push((class_id, term)),
            }
        }
        classes.into_iter().map(|(_, sum)| sum.sqrt()).sum()
    }

    /// Whether weak detections are part of it.
    #[must_use]
    pub const fn needs_weak(&self) -> bool {
        self.weak || matches!(self.of, Term::Missed | Term::Errors)
    }

    fn term(&self, found: &Detection, is_weak: bool, seen: &EdgeDetections<'_>) -> f64 {
        let p = probability(found.confidence);
        let term = match (self.of, is_weak) {
            (Term::Uncertainty, _) | (Term::Errors, false) => 1.0 - p,
            (Term::Variance, _) => p * (1.0 - p),
            (Term::Missed | Term::Errors, true) => p,
            (Term::Missed, false) => 0.0,
        };
        if self.small { term * (1.0 - share_of(found, seen.image).sqrt()) } else { term }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardness::tests::{close, detection, seen};
    use frame::BoundingBox;
    use proptest::prelude::*;

    const PLAIN: Sum = Sum { of: Term::Uncertainty, weak: false, small: false, by_class: false };

    #[test]
    fn each_sum_adds_up_what_it_says() {
        let confident = [detection(1, 0.75), detection(1, 0.5), detection(2, 0.5)];
        let weak = [detection(2, 0.25)];
        let seen = seen(&confident, &weak);
        for (sum, wanted) in [
            (PLAIN, 1.25),
            (Sum { weak: true, ..PLAIN }, 2.0),
            (Sum { of: Term::Variance, ..PLAIN }, 0.6875),
            (Sum { of: Term::Variance, weak: true, ..PLAIN }, 0.875),
            (Sum { of: Term::Missed, ..PLAIN }, 0.25),
            (Sum { of: Term::Errors, ..PLAIN }, 1.5),
            (Sum { weak: true, by_class: true, ..PLAIN }, 0.75f64.sqrt() + 1.25f64.sqrt()),
        ] {
            assert!(close(Some(sum.value(&seen)), wanted), "{sum:?}: {}", sum.value(&seen));
        }
    }

    #[test]
    fn small_boxes_count_nearly_whole_and_one_of_the_image_not_at_all() {
        let sum = Sum { small: true, ..PLAIN };
        for (side, wanted) in [(0.0, 0.5), (0.25, 0.375), (0.5, 0.25), (1.0, 0.0), (3.0, 0.0)] {
            let mut found = detection(1, 0.5);
            let (width, height) = (100.0 * side, 100.0 * side);
            found.bounding_box = BoundingBox { x: 0.0, y: 0.0, width, height };
            let found = [found];
            let seen = EdgeDetections {
                image: frame::ImageSize { width: 100, height: 100 },
                ..seen(&found, &[])
            };
            assert!(close(Some(sum.value(&seen)), wanted), "{side}: {}", sum.value(&seen));
        }
    }

    proptest! {
        /// Nothing is 0, and what is more in doubt is no less.
        #[test]
        fn another_box_in_doubt_never_lowers_a_sum(
            found in prop::collection::vec((0u32..4, 0.0f32..=1.0), 0..9),
            weak in prop::collection::vec((0u32..4, 0.0f32..=1.0), 0..9),
            of in 0usize..4, flags in prop::array::uniform3(any::<bool>()),
        ) {
            let of = [Term::Uncertainty, Term::Variance, Term::Missed, Term::Errors][of];
            let [with_weak, small, by_class] = flags;
            let sum = Sum { of, weak: with_weak, small, by_class };
            let boxes = |list: &[(u32, f32)]| -> Vec<Detection> {
                list.iter().map(|(class, p)| detection(*class, *p)).collect()
            };
            let (found, weak) = (boxes(&found), boxes(&weak));
            prop_assert_eq!(sum.value(&seen(&[], &[])), 0.0);
            let whole = sum.value(&seen(&found, &weak));
            prop_assert!(whole.is_finite() && whole >= 0.0);
            if let Some((_, fewer)) = found.split_last() {
                prop_assert!(sum.value(&seen(fewer, &weak)) <= whole * (1.0 + 1e-12));
            }
            if let Some((_, fewer)) = weak.split_last() {
                prop_assert!(sum.value(&seen(&found, fewer)) <= whole * (1.0 + 1e-12));
            }
        }
    }
}
