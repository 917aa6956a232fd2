//! Reading boxes off the single output of current YOLO exports, `[4 + classes, boxes]`.
//!
//! The bars beside the image stay Darknet's grey (0.5) where the exporters' own tools take 114 of
//! 255; networks ignore them.
//!
//! Rows: centre x, centre y, width, height in pixels of the network's input, then a probability per
//! class; there is no objectness. A box counts for its best class only, as the exporters' own
//! `predict` does.

use crate::letterbox::Letterbox;
use crate::nms::Proposal;
use frame::BoundingBox;

/// Centre x, centre y, width, height.
pub(crate) const BOX_ROWS: usize = 4;

/// Adds every box whose best class is above the threshold; what is no finite number never is.
pub(crate) fn read(
    values: &[f32],
    boxes: usize,
    (letterbox, threshold): (Letterbox, f32),
    found: &mut Vec<Proposal>,
) {
    if boxes == 0 || values.len() < BOX_ROWS * boxes {
        return;
    }
    let (coordinates, classes) = values.split_at(BOX_ROWS * boxes);
    let mut best = vec![(threshold, 0u32); boxes];
    // row by row, in the order of memory
    for (class, probabilities) in (0u32..).zip(classes.chunks_exact(boxes)) {
        for (best, probability) in best.iter_mut().zip(probabilities) {
            if *probability > best.0 {
                *best = (*probability, class);
            }
        }
    }
    let row = |row: usize, index: usize| coordinates[row * boxes + index];
    for (index, (confidence, class)) in
        best.into_iter().enumerate().filter(|(_, (confidence, _))| *confidence > threshold)
    {
        let numbers = [row(0, index), row(1, index), row(2, index), row(3, index)];
        if confidence.is_finite() && numbers.into_iter().all(f32::is_finite) {
            let [x, y, w, h] = numbers;
            let bounding_box = letterbox.to_image(&BoundingBox::from_center(x, y, w, h));
            found.push(Proposal {
                objectness: confidence,
                bounding_box,
                classes: vec![(class, confidence)],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::ImageSize;

    #[test]
    fn each_box_counts_for_its_best_class() {
        let size = ImageSize { width: 100, height: 100 };
        let letterbox =
            Letterbox::of(crate::Resize::Letterbox, ImageSize { width: 200, height: 200 }, size);
        // three boxes, two classes; the second box is weak, the third no number
        let values = [
            50.,
            10.,
            f32::NAN,
            50.,
            10.,
            1.,
            20.,
            5.,
            1.,
            10.,
            5.,
            1.,
            0.3,
            0.1,
            0.9,
            0.8,
            0.2,
            0.9,
        ];
        let mut found = Vec::new();
        read(&values, 3, (letterbox, 0.25), &mut found);
        let bounding_box = BoundingBox { x: 80.0, y: 90.0, width: 40.0, height: 20.0 };
        assert_eq!(found, [Proposal { objectness: 0.8, bounding_box, classes: vec![(1, 0.8)] }]);
    }
}
