//! One image's detections held against what is really in it, as pycocotools' `COCOeval.evaluateImg`
//! does.

use crate::{Object, Truth};
use frame::{BoundingBox, Detection};
use std::collections::BTreeMap;

/// How many overlaps are asked for.
pub(crate) const LEVELS: usize = 10;
/// The most detections of a class in an image that count: the most confident ones.
const MAX_DETECTIONS: usize = 100;

/// The overlaps (intersection over union) from which on a box is found: 0.5, 0.55 to 0.95, in
/// pycocotools' rounding.
pub const IOU_THRESHOLDS: [f64; LEVELS] = {
    let mut levels = [0.5; LEVELS];
    let step = (0.95 - 0.5) / (LEVELS - 1) as f64;
    let mut index = 0;
    while index < LEVELS {
        levels[index] = index as f64 * step + 0.5;
        index += 1;
    }
    levels[LEVELS - 1] = 0.95;
    levels
};

/// What an image's detections are worth; [`crate::Map::of`] sums them up.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judged {
    /// By class.
    pub(crate) classes: BTreeMap<u32, ClassJudged>,
}

/// The same of one class.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct ClassJudged {
    /// How many objects there are to find, without crowds.
    pub(crate) wanted: usize,
    /// One for each detection, most confident first.
    pub(crate) marks: Vec<Mark>,
}

/// What a detection is worth: a bit for each of [`IOU_THRESHOLDS`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Mark {
    pub(crate) confidence: f32,
    /// It found an object.
    pub(crate) hits: u16,
    /// It found a crowd, so it counts neither for nor against.
    pub(crate) ignored: u16,
}

/// Holds detections against the truth: the most confident ones choose first, each the object of its
/// class that it overlaps most and that is still free.
#[must_use]
pub fn judge(truth: &Truth, detections: &[Detection]) -> Judged {
    let mut objects: BTreeMap<u32, (Vec<Object>, Vec<&Detection>)> = BTreeMap::new();
    for object in &truth.objects {
        objects.entry(object.class_id).or_default().0.push(*object);
    }
    for detection in detections {
        objects.entry(detection.class_id).or_default().1.push(detection);
    }
    let judged = |(class, (objects, found))| (class, judge_class(objects, found));
    Judged { classes: objects.into_iter().map(judged).collect() }
}

impl Judged {
    /// How many objects of any class there are to find.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.classes.values().map(|class| class.wanted).sum()
    }

    /// For each detection of at least this confidence whether it found an object at an overlap of
    /// 0.5; those of crowds are left out.
    pub fn at_half(&self, from_confidence: f32) -> impl Iterator<Item = (f32, bool)> {
        let counting =
            move |mark: &&Mark| mark.confidence >= from_confidence && mark.ignored & 1 == 0;
        self.classes
            .values()
            .flat_map(|class| &class.marks)
            .filter(counting)
            .map(|mark| (mark.confidence, mark.hits & 1 == 1))
    }
}

fn judge_class(mut objects: Vec<Object>, mut found: Vec<&Detection>) -> ClassJudged {
    // sorting is stable here as there, so that equals stay in their order
    objects.sort_by_key(|object| object.crowd);
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found.truncate(MAX_DETECTIONS);
    let mut marks: Vec<Mark> = found
        .iter()
        .map(|found| Mark { confidence: found.confidence, hits: 0, ignored: 0 })
        .collect();
    let overlaps: Vec<Vec<f64>> = found
        .iter()
        .map(|found| objects.iter().map(|object| overlap(&found.bounding_box, object)).collect())
        .collect();
    for (level, threshold) in IOU_THRESHOLDS.into_iter().enumerate() {
        let mut taken = vec![false; objects.len()];
        for (mark, overlaps) in marks.iter_mut().zip(&overlaps) {
            let Some(place) = choose(&objects, &taken, overlaps, threshold) else { continue };
            taken[place] = true;
            if objects[place].crowd {
                mark.ignored |= 1 << level;
            } else {
                mark.hits |= 1 << level;
            }
        }
    }
    ClassJudged { wanted: objects.iter().filter(|object| !object.crowd).count(), marks }
}

/// The free object with the largest overlap from `threshold` on; of equal ones the last. A crowd is
/// never taken away, and it is chosen only where no object is.
fn choose(objects: &[Object], taken: &[bool], overlaps: &[f64], threshold: f64) -> Option<usize> {
    let mut least = threshold.min(1.0 - 1e-10);
    let mut chosen: Option<usize> = None;
    for (place, object) in objects.iter().enumerate() {
        if taken[place] && !object.crowd {
            continue;
        }
        if object.crowd && chosen.is_some_and(|chosen| !objects[chosen].crowd) {
            break;
        }
        if overlaps[place] >= least {
            least = overlaps[place];
            chosen = Some(place);
        }
    }
    chosen
}

/// Intersection over union; over the detection's own area where the object is a crowd.
fn overlap(found: &BoundingBox, object: &Object) -> f64 {
    let sides = |of: &BoundingBox| [of.x, of.y, of.width, of.height].map(f64::from);
    let ([ax, ay, aw, ah], [bx, by, bw, bh]) = (sides(found), sides(&object.bounding_box));
    let width = (ax + aw).min(bx + bw) - ax.max(bx);
    let height = (ay + ah).min(by + bh) - ay.max(by);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    both / if object.crowd { aw * ah } else { aw * ah + bw * bh - both }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(class_id: u32, confidence: f32, x: f32) -> Detection {
        Detection {
            class: String::new(),
            class_id,
            confidence,
            bounding_box: square(x),
            zones: None,
        }
    }

    fn square(x: f32) -> BoundingBox {
        BoundingBox { x, y: 0.0, width: 10.0, height: 10.0 }
    }

    fn object(class_id: u32, x: f32) -> Object {
        Object { class_id, bounding_box: square(x), crowd: false }
    }

    #[test]
    fn the_thresholds_are_those_of_numpy() {
        assert_eq!(
            IOU_THRESHOLDS.map(|level| (level * 100.0).round()),
            [50., 55., 60., 65., 70., 75., 80., 85., 90., 95.]
        );
    }

    #[test]
    fn an_object_is_found_once_and_by_the_surest() {
        let truth = Truth { objects: vec![object(1, 0.0)] };
        let judged = judge(
            &truth,
            &[detection(1, 0.5, 0.0), detection(1, 0.9, 2.0), detection(2, 0.9, 0.0)],
        );
        let hits: Vec<u32> =
            judged.classes[&1].marks.iter().map(|mark| mark.hits.count_ones()).collect();
        // 2 pixels aside is an overlap of 8/12: that is enough up to 0.65; above, the exact box is
        // the first that fits
        assert_eq!(hits, [4, 6]);
        assert_eq!(judged.classes[&2].marks[0].hits, 0, "another class");
        assert_eq!(judged.wanted(), 1);
        assert_eq!(judged.at_half(0.6).collect::<Vec<_>>(), [(0.9, true), (0.9, false)]);
    }

    #[test]
    fn a_crowd_takes_any_number_and_none_is_missed() {
        let crowd = Object {
            crowd: true,
            bounding_box: BoundingBox { width: 100.0, ..square(0.0) },
            class_id: 1,
        };
        let truth = Truth { objects: vec![crowd, object(1, 0.0)] };
        let judged = judge(
            &truth,
            &[detection(1, 0.9, 0.0), detection(1, 0.8, 20.0), detection(1, 0.7, 40.0)],
        );
        let class = &judged.classes[&1];
        assert_eq!(class.wanted, 1);
        assert!(
            class.marks[0].hits.count_ones() == 10 && class.marks[0].ignored == 0,
            "an object comes before a crowd"
        );
        assert!(
            class.marks[1..].iter().all(|mark| mark.hits == 0 && mark.ignored.count_ones() == 10)
        );
    }

    #[test]
    fn boxes_without_area_are_no_trouble() {
        let flat = BoundingBox { x: 1.0, y: 1.0, width: 0.0, height: 0.0 };
        let truth =
            Truth { objects: vec![Object { class_id: 1, bounding_box: flat, crowd: false }] };
        let judged = judge(&truth, &[Detection { bounding_box: flat, ..detection(1, 0.9, 0.0) }]);
        assert_eq!(judged.classes[&1].marks[0].hits, 0);
    }
}
