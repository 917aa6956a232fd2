//! The categories of COCO's documents (<https://cocodataset.org/#format-data>): 80 classes with ids
//! from 1 to 90, since ten of the 90 that were planned have no labels.

use crate::coco::plain;

/// Ids that no class has.
const GAPS: [u32; 10] = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83];

/// The classes, in the order of their ids and of Darknet's `coco.names`.
const CLASSES: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

/// COCO's id (1 to 90) of a model's class, if the model has COCO's classes in their usual order:
/// the class with that index must have COCO's name, or Darknet's.
#[must_use]
pub fn coco_category(class_id: u32, class: &str) -> Option<u32> {
    let name = CLASSES.get(usize::try_from(class_id).ok()?)?;
    (plain(name) == plain(class))
        .then(|| GAPS.iter().fold(class_id + 1, |id, gap| if *gap <= id { id + 1 } else { id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_cocos_gaps_and_names_may_be_darknets() {
        for (class_id, class, id) in [
            (0, "person", Some(1)),
            (10, "fire hydrant", Some(11)),
            (11, "stop sign", Some(13)),
            (24, "backpack", Some(27)),
            (26, "handbag", Some(31)),
            (39, "bottle", Some(44)),
            (40, "wine glass", Some(46)),
            (57, "sofa", Some(63)),
            (58, "pottedplant", Some(64)),
            (60, "diningtable", Some(67)),
            (61, "toilet", Some(70)),
            (62, "tvmonitor", Some(72)),
            (73, "book", Some(84)),
            (79, "toothbrush", Some(90)),
            (1, "person", None),
            (80, "drone", None),
            (0, "helmet", None),
        ] {
            assert_eq!(coco_category(class_id, class), id, "{class}");
        }
        let ids: Vec<u32> =
            (0..).zip(CLASSES).filter_map(|(n, class)| coco_category(n, class)).collect();
        assert_eq!(ids.len(), 80);
        assert!(ids.is_sorted_by(|a, b| a < b) && ids.iter().all(|id| !GAPS.contains(id)));
    }
}
