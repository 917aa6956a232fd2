//! Non-maximum suppression: of boxes that overlap too much the stronger one stays.

use frame::BoundingBox;
use serde::{Deserialize, Serialize};

/// A box that a head proposes, with every class that it may be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proposal {
    /// How sure the head is that there is something, 0 to 1.
    pub(crate) objectness: f32,
    /// In pixels of the image.
    pub(crate) bounding_box: BoundingBox,
    /// Index and confidence of each class above the threshold; a box without any still suppresses
    /// weaker ones, as in Darknet.
    pub(crate) classes: Vec<(u32, f32)>,
}

/// A box that stays, as one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) class: u32,
    /// Above the threshold, to 1.
    pub(crate) confidence: f32,
    /// In pixels of the image.
    pub(crate) bounding_box: BoundingBox,
}

/// Which boxes compete, and what makes one stronger. Darknet has both, and its tools differ in
/// which they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// All boxes, by objectness: `do_nms_obj`, which Darknet's Python module takes. A box goes with
    /// all its classes.
    Objectness,
    /// The boxes of one class, by confidence: `do_nms_sort`, which `darknet detect` takes.
    Class,
}

/// Greedy suppression: the strongest box stays, every other one that competes and overlaps it by
/// more than `iou` goes, and so on with what is left. Returns what stays, one entry a box and
/// class, most confident first.
pub(crate) fn suppress(proposals: Vec<Proposal>, rule: Rule, iou: f32) -> Vec<Candidate> {
    let mut kept = match rule {
        Rule::Objectness => by_objectness(proposals, iou),
        Rule::Class => by_class(&proposals, iou),
    };
    kept.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    kept
}

fn by_objectness(mut proposals: Vec<Proposal>, iou: f32) -> Vec<Candidate> {
    proposals.sort_by(|a, b| b.objectness.total_cmp(&a.objectness));
    let mut kept: Vec<Proposal> = Vec::new();
    for proposal in proposals {
        if !kept.iter().any(|stronger| stronger.bounding_box.iou(&proposal.bounding_box) > iou) {
            kept.push(proposal);
        }
    }
    kept.iter().flat_map(candidates).collect()
}

fn by_class(proposals: &[Proposal], iou: f32) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = proposals.iter().flat_map(candidates).collect();
    all.sort_by(|a, b| a.class.cmp(&b.class).then(b.confidence.total_cmp(&a.confidence)));
    let mut kept: Vec<Candidate> = Vec::new();
    for class in all.chunk_by(|a, b| a.class == b.class) {
        let first = kept.len();
        for candidate in class {
            if !kept[first..]
                .iter()
                .any(|stronger| stronger.bounding_box.iou(&candidate.bounding_box) > iou)
            {
                kept.push(*candidate);
            }
        }
    }
    kept
}

fn candidates(proposal: &Proposal) -> impl Iterator<Item = Candidate> {
    let bounding_box = proposal.bounding_box;
    proposal.classes.iter().map(move |(class, confidence)| Candidate {
        class: *class,
        confidence: *confidence,
        bounding_box,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: u32 = 3;

    prop_compose! {
        fn any_proposal()(
            objectness in 0.0f32..=1.0,
            x in -9.0f32..9.0, y in -9.0f32..9.0, width in 0.0f32..9.0, height in 0.0f32..9.0,
            shares in prop::collection::btree_map(0..CLASSES, 0.0f32..=1.0, 0..3),
        ) -> Proposal {
            let confidence = |(class, share)| (class, share * objectness);
            let classes = shares.into_iter().map(confidence).collect();
            Proposal { objectness, bounding_box: BoundingBox { x, y, width, height }, classes }
        }
    }

    fn any_proposals() -> impl Strategy<Value = Vec<Proposal>> {
        prop::collection::vec(any_proposal(), 0..30)
    }

    /// Darknet's loops over one list of (strength, box): whether each is struck out by a stronger
    /// one that is not.
    fn struck(mut list: Vec<(f32, BoundingBox, Candidate)>, iou: f32) -> Vec<Candidate> {
        list.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut struck = vec![false; list.len()];
        for stronger in 0..list.len() {
            for weaker in stronger + 1..list.len() {
                if !struck[stronger] && list[stronger].1.iou(&list[weaker].1) > iou {
                    struck[weaker] = true;
                }
            }
        }
        list.into_iter()
            .zip(struck)
            .filter(|(_, struck)| !struck)
            .map(|((_, _, candidate), _)| candidate)
            .collect()
    }

    fn sorted(mut list: Vec<Candidate>) -> Vec<Candidate> {
        list.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        list
    }

    proptest! {
        #[test]
        fn by_class_leaves_what_darknets_loops_leave(list in any_proposals(), iou in 0.0f32..1.0) {
            let of_class = |class| {
                let all = list.iter().flat_map(candidates);
                let own = all.filter(|candidate| candidate.class == class);
                let list = own.map(|found| (found.confidence, found.bounding_box, found));
                struck(list.collect(), iou)
            };
            let plain = (0..CLASSES).flat_map(of_class).collect();
            prop_assert_eq!(suppress(list.clone(), Rule::Class, iou), sorted(plain));
        }

        #[test]
        fn by_objectness_no_two_boxes_that_stay_overlap(
            list in any_proposals(), iou in 0.0f32..1.0,
        ) {
            let kept = suppress(list.clone(), Rule::Objectness, iou);
            for (index, a) in kept.iter().enumerate() {
                let apart = |b: &Candidate| {
                    a.bounding_box == b.bounding_box || a.bounding_box.iou(&b.bounding_box) <= iou
                };
                prop_assert!(kept[index + 1..].iter().all(apart));
            }
            // and what went was overlapped by a stronger box
            for proposal in list.iter().filter(|proposal| !proposal.classes.is_empty()) {
                let stays = kept.iter().any(|kept| kept.bounding_box == proposal.bounding_box);
                let overlapped = list.iter().any(|other| {
                    other.objectness >= proposal.objectness
                        && other != proposal
                        && other.bounding_box.iou(&proposal.bounding_box) > iou
                });
                prop_assert!(stays || overlapped);
            }
        }

        /// What a model finds above a threshold does not change when it is also asked what is
        /// below.
        #[test]
        fn weaker_proposals_change_nothing_above_them(
            list in any_proposals(), iou in 0.0f32..1.0, threshold in 0.0f32..1.0,
        ) {
            let above = |list: &[Proposal]| -> Vec<Proposal> {
                let strong = list.iter().filter(|proposal| proposal.objectness > threshold);
                strong.cloned().map(|mut proposal| {
                    proposal.classes.retain(|(_, confidence)| *confidence > threshold);
                    proposal
                }).collect()
            };
            for rule in [Rule::Objectness, Rule::Class] {
                let mut all = suppress(list.clone(), rule, iou);
                all.retain(|candidate| candidate.confidence > threshold);
                prop_assert_eq!(all, suppress(above(&list), rule, iou));
            }
        }

        #[test]
        fn what_stays_was_there_and_is_sorted(list in any_proposals(), iou in 0.0f32..1.0) {
            let all: Vec<Candidate> = list.iter().flat_map(candidates).collect();
            for rule in [Rule::Objectness, Rule::Class] {
                let kept = suppress(list.clone(), rule, iou);
                prop_assert!(kept.iter().all(|candidate| all.contains(candidate)));
                prop_assert!(kept.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
            }
        }
    }

    #[test]
    fn an_unsure_box_of_another_class_goes_only_by_objectness() {
        let bounding_box = BoundingBox { x: 0.0, y: 0.0, width: 4.0, height: 4.0 };
        let sure = Proposal { objectness: 0.9, bounding_box, classes: vec![(0, 0.5)] };
        let unsure = Proposal { objectness: 0.8, bounding_box, classes: vec![(1, 0.7)] };
        let classes = |rule| -> Vec<u32> {
            suppress(vec![unsure.clone(), sure.clone()], rule, 0.45)
                .iter()
                .map(|candidate| candidate.class)
                .collect()
        };
        assert_eq!(classes(Rule::Objectness), [0]);
        assert_eq!(classes(Rule::Class), [1, 0]);
    }

    #[test]
    fn numbers_that_are_none_do_not_panic() {
        let bounding_box =
            BoundingBox { x: f32::NAN, y: f32::INFINITY, width: f32::NAN, height: -1.0 };
        let odd = Proposal { objectness: f32::NAN, bounding_box, classes: vec![(0, f32::NAN)] };
        for rule in [Rule::Objectness, Rule::Class] {
            assert!(!suppress(vec![odd.clone(); 30], rule, 0.45).is_empty());
        }
    }
}
