//! Reading boxes off a raw YOLOv3 head, as Darknet's `get_yolo_detections` does.

use crate::letterbox::Letterbox;
use crate::nms::Proposal;
use frame::{BoundingBox, ImageSize};

/// Centre x, centre y, width, height, objectness: what a head has per anchor before its classes.
const BOX_ROWS: usize = 5;
/// How much below the threshold a raw objectness may be and still be worth computing exactly;
/// covers all rounding.
const LOGIT_MARGIN: f32 = 0.01;

/// One head: which anchors its cells predict, and what each prediction holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct YoloHead {
    /// Width and height in pixels of the network's input.
    pub(crate) anchors: Vec<[f32; 2]>,
    pub(crate) classes: usize,
    /// How far a centre may leave its cell: 1 keeps it inside.
    pub(crate) scale_x_y: f32,
}

/// A head's output for one image: `channels()` planes of `height × width` values.
#[derive(Clone, Copy)]
pub(crate) struct Grid<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl YoloHead {
    /// The planes that the head has.
    pub(crate) fn channels(&self) -> usize {
        self.anchors.len() * (BOX_ROWS + self.classes)
    }

    /// Adds every box whose objectness is above the threshold, with the classes whose confidence
    /// is; what is no finite number never is.
    pub(crate) fn read(
        &self,
        grid: Grid<'_>,
        input: ImageSize,
        view: (Letterbox, f32),
        found: &mut Vec<Proposal>,
    ) {
        let (letterbox, threshold) = view;
        let cells = grid.width * grid.height;
        if cells == 0 {
            return;
        }
        let least = logit(threshold) - LOGIT_MARGIN;
        for (anchor, planes) in
            self.anchors.iter().zip(grid.values.chunks_exact(cells * (BOX_ROWS + self.classes)))
        {
            let plane = |row: usize| &planes[row * cells..][..cells];
            // nearly all cells end here, without an exponential
            for (cell, _) in plane(4).iter().enumerate().filter(|(_, raw)| **raw > least) {
                let objectness = logistic(plane(4)[cell]);
                if objectness <= threshold {
                    continue;
                }
                let raw = [plane(0)[cell], plane(1)[cell], plane(2)[cell], plane(3)[cell]];
                let position = (cell % grid.width, cell / grid.width);
                let Some(in_input) = self.bounding_box(raw, position, *anchor, (grid, input))
                else {
                    continue;
                };
                // the number of classes is bounded far below 2³²
                let confidence = |class: usize| {
                    (class as u32, objectness * logistic(plane(BOX_ROWS + class)[cell]))
                };
                let classes = (0..self.classes)
                    .map(confidence)
                    .filter(|(_, confidence)| *confidence > threshold)
                    .collect();
                found.push(Proposal {
                    objectness,
                    bounding_box: letterbox.to_image(&in_input),
                    classes,
                });
            }
        }
    }

    /// In pixels of the network's input; `None` when a number is not finite.
    fn bounding_box(
        &self,
        [x, y, w, h]: [f32; 4],
        (column, row): (usize, usize),
        anchor: [f32; 2],
        (grid, input): (Grid<'_>, ImageSize),
    ) -> Option<BoundingBox> {
        let within = |raw: f32| logistic(raw) * self.scale_x_y - 0.5 * (self.scale_x_y - 1.0);
        let center_x = (column as f32 + within(x)) / grid.width as f32 * input.width as f32;
        let center_y = (row as f32 + within(y)) / grid.height as f32 * input.height as f32;
        let (width, height) = (w.exp() * anchor[0], h.exp() * anchor[1]);
        let finite = [center_x, center_y, width, height].into_iter().all(f32::is_finite);
        finite.then(|| BoundingBox::from_center(center_x, center_y, width, height))
    }
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The inverse of `logistic`; infinite at 0 and 1.
fn logit(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INPUT: ImageSize = ImageSize { width: 64, height: 32 };

    fn head() -> YoloHead {
        YoloHead { anchors: vec![[10.0, 20.0], [30.0, 40.0]], classes: 2, scale_x_y: 1.0 }
    }

    fn read(head: &YoloHead, values: &[f32], threshold: f32) -> Vec<Proposal> {
        let mut found = Vec::new();
        let grid = Grid { values, width: 2, height: 1 };
        head.read(
            grid,
            INPUT,
            (Letterbox::of(crate::Resize::Letterbox, INPUT, INPUT), threshold),
            &mut found,
        );
        found
    }

    #[test]
    fn one_sure_cell_gives_its_box_and_class() {
        let mut values = vec![-20.0; head().channels() * 2];
        // second anchor, second cell: centre in the middle of the cell, twice as wide as the anchor
        let mut set = |row: usize, value: f32| values[(7 + row) * 2 + 1] = value;
        set(0, 0.0);
        set(1, 0.0);
        set(2, 2.0f32.ln());
        set(3, 0.0);
        set(4, 20.0);
        set(6, 1.0);
        let [found] = &read(&head(), &values, 0.25)[..] else { panic!("one box is there") };
        let [(class, confidence)] = found.classes[..] else { panic!("of one class") };
        assert_eq!(class, 1);
        assert!((confidence - 0.731_058_6).abs() < 1e-5);
        let wanted = BoundingBox::from_center(48.0, 16.0, 60.0, 40.0);
        assert!(
            (found.bounding_box.x - wanted.x).abs() < 1e-3
                && (found.bounding_box.width - wanted.width).abs() < 1e-3
        );
        assert!(
            (found.bounding_box.y - wanted.y).abs() < 1e-3
                && (found.bounding_box.height - wanted.height).abs() < 1e-3
        );
    }

    #[test]
    fn scale_x_y_widens_around_the_middle_of_the_cell() {
        let wide = YoloHead { scale_x_y: 2.0, ..head() };
        let mut values = vec![20.0; wide.channels() * 2];
        values[2 * 2..4 * 2].fill(0.0);
        let found = read(&wide, &values, 0.5);
        let middle = found[0].bounding_box.x + found[0].bounding_box.width / 2.0;
        assert!((middle - 48.0).abs() < 1e-2, "{middle}");
    }

    proptest! {
        #[test]
        fn any_values_give_finite_boxes_above_the_threshold(
            values in prop::collection::vec(
                prop_oneof![4 => -9.0f32..9.0, 1 => prop::num::f32::ANY], 28,
            ),
            threshold in 0.0f32..=1.0,
        ) {
            for found in read(&head(), &values, threshold) {
                prop_assert!(found.objectness > threshold && found.objectness <= 1.0);
                let sound = |(class, confidence): &(u32, f32)| {
                    *class < 2 && *confidence > threshold && *confidence <= 1.0
                };
                prop_assert!(found.classes.iter().all(sound));
                let b = found.bounding_box;
                prop_assert!([b.x, b.y, b.width, b.height].into_iter().all(f32::is_finite));
            }
        }
    }
}
