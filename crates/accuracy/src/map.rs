//! Mean average precision over a set of images, as pycocotools' `COCOeval.accumulate` and
//! `summarize` do it.

use crate::judge::{LEVELS, Mark};
use crate::{Judged, Truth, judge};
use frame::Detection;
use std::collections::BTreeSet;

/// At how many recalls precision is read off: 0, 0.01 to 1.
const RECALLS: usize = 101;

/// Mean average precision: over all classes that have objects, and over 101 recalls, at most 100
/// detections a class and image, objects of all sizes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Map {
    /// At an overlap of 0.5, from 0 to 1: COCO's `AP50`.
    pub map50: f64,
    /// The mean over the overlaps 0.5, 0.55 to 0.95: COCO's `AP`.
    pub map: f64,
}

/// Judges each image and sums up; `None` when there is no object to find in any of them.
#[must_use]
pub fn evaluate(images: &[(&Truth, &[Detection])]) -> Option<Map> {
    let judged: Vec<Judged> =
        images.iter().map(|(truth, detections)| judge(truth, detections)).collect();
    Map::of(&judged)
}

impl Map {
    /// Of images that were judged, in the order given: of equally confident detections those of
    /// earlier images come first. `None` when there is no object to find in any of them.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a Judged>) -> Option<Self> {
        let images: Vec<&Judged> = images.into_iter().collect();
        let mean = |level| mean_precision(&images, level);
        let map50 = mean(0)?;
        let others = (1..LEVELS).filter_map(mean).sum::<f64>();
        Some(Self { map50, map: (map50 + others) / LEVELS as f64 })
    }

    /// `map50` alone, in a tenth of the time.
    pub fn map50_of<'a>(images: impl IntoIterator<Item = &'a Judged>) -> Option<f64> {
        mean_precision(&images.into_iter().collect::<Vec<_>>(), 0)
    }
}

fn mean_precision(images: &[&Judged], level: usize) -> Option<f64> {
    let classes: BTreeSet<u32> =
        images.iter().flat_map(|image| image.classes.keys().copied()).collect();
    let precisions: Vec<f64> =
        classes.into_iter().filter_map(|class| average_precision(images, class, level)).collect();
    let count = precisions.len();
    (count > 0).then(|| precisions.into_iter().sum::<f64>() / count as f64)
}

/// `None` for a class without objects.
fn average_precision(images: &[&Judged], class: u32, level: usize) -> Option<f64> {
    let of_class = || images.iter().filter_map(|image| image.classes.get(&class));
    let wanted: usize = of_class().map(|class| class.wanted).sum();
    if wanted == 0 {
        return None;
    }
    let bit = 1 << level;
    let mut marks: Vec<&Mark> =
        of_class().flat_map(|class| &class.marks).filter(|mark| mark.ignored & bit == 0).collect();
    marks.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    // precision and recall after each detection
    let mut found = 0usize;
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(marks.len());
    for (count, mark) in (1usize..).zip(marks) {
        found += usize::from(mark.hits & bit != 0);
        curve.push((found as f64 / count as f64, found as f64 / wanted as f64));
    }
    // the best precision that is to be had at this recall or a higher one
    for index in (1..curve.len()).rev() {
        curve[index - 1].0 = curve[index - 1].0.max(curve[index].0);
    }
    let at = |recall: f64| {
        curve
            .get(curve.partition_point(|(_, reached)| *reached < recall))
            .map_or(0.0, |(precision, _)| *precision)
    };
    let step = 1.0 / (RECALLS - 1) as f64;
    Some((0..RECALLS).map(|index| at(index as f64 * step)).sum::<f64>() / RECALLS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Object;
    use frame::BoundingBox;
    use proptest::prelude::*;

    fn square(x: f32) -> BoundingBox {
        BoundingBox { x, y: 0.0, width: 10.0, height: 10.0 }
    }

    fn truth(classes: &[u32]) -> Truth {
        let object = |class_id: &u32| Object {
            class_id: *class_id,
            bounding_box: square(20.0 * *class_id as f32),
            crowd: false,
        };
        Truth { objects: classes.iter().map(object).collect() }
    }

    fn found(class_id: u32, confidence: f32) -> Detection {
        Detection {
            class: String::new(),
            class_id,
            confidence,
            bounding_box: square(20.0 * class_id as f32),
            zones: None,
        }
    }

    #[test]
    fn nothing_to_find_has_no_precision() {
        assert_eq!(evaluate(&[]), None);
        assert_eq!(evaluate(&[(&truth(&[]), &[found(1, 0.5)])]), None);
        assert_eq!(evaluate(&[(&truth(&[1]), &[])]), Some(Map { map50: 0.0, map: 0.0 }));
    }

    #[test]
    fn one_of_two_found_is_precise_up_to_half_the_recall() {
        let (both, none) = (truth(&[1]), truth(&[1]));
        let map = evaluate(&[(&both, &[found(1, 0.5)]), (&none, &[])]).unwrap();
        // recalls 0 to 0.50 of 101
        assert!(
            (map.map50 - 51.0 / 101.0).abs() < 1e-12 && (map.map - map.map50).abs() < 1e-12,
            "{map:?}"
        );
        // a class without objects does not count, wherever it is found
        let more = evaluate(&[(&both, &[found(1, 0.5), found(2, 0.9)]), (&none, &[])]).unwrap();
        assert_eq!(more, map);
        // a mistake that was surer than the hit halves its precision
        let worse = evaluate(&[
            (&both, &[found(1, 0.5)]),
            (&truth(&[2, 1]), &[Detection { bounding_box: square(0.0), ..found(1, 0.9) }]),
        ]);
        assert!((worse.unwrap().map50 - 51.0 / 101.0 / 2.0 / 2.0).abs() < 1e-12, "{worse:?}");
    }

    proptest! {
        #[test]
        fn it_lies_between_0_and_1_and_is_1_when_all_is_found(
            classes in prop::collection::vec(1u32..6, 1..9), confidence in 0.01f32..1.0,
        ) {
            let mut classes = classes;
            classes.sort_unstable();
            classes.dedup();
            let detections: Vec<Detection> =
                classes.iter().map(|class| found(*class, confidence)).collect();
            let all = evaluate(&[(&truth(&classes), &detections)]).unwrap();
            prop_assert!((all.map50 - 1.0).abs() < 1e-12 && (all.map - 1.0).abs() < 1e-12);
            let some = evaluate(&[(&truth(&classes), &detections[1..])]).unwrap();
            let share = (classes.len() - 1) as f64 / classes.len() as f64;
            prop_assert!((some.map50 - share).abs() < 1e-12);
            let judged = judge(&truth(&classes), &detections[1..]);
            prop_assert_eq!(Map::map50_of([&judged]), Some(some.map50));
        }
    }
}
