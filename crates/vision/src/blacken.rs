//! Blackens parts of a picture.
//!
//! A pixel is black when a polygon covers any part of it, however small: what is hidden must not
//! show at an edge. So a pixel is one through which a side of the polygon goes, or one whose middle
//! is inside by the nonzero rule; one that no side goes through is inside as a whole or not at all.
//! Sides are followed from row to row, as a scanline algorithm does (Foley et al., "Computer
//! Graphics", 3.6).

use frame::{Point, Polygon, RgbImage};

/// A side that is not behind us, from its upper end to its lower one, in pixels.
#[derive(Clone, Copy)]
struct Side {
    top: (f64, f64),
    bottom: (f64, f64),
    /// 1 when the polygon goes down here, −1 when it goes up.
    direction: i32,
}

/// Makes the pixels of an upright picture black that any of the polygons covers, be it in part.
pub fn blacken<'a>(picture: &mut RgbImage, polygons: impl IntoIterator<Item = &'a Polygon>) {
    for polygon in polygons {
        blacken_one(picture, polygon);
    }
}

fn blacken_one(picture: &mut RgbImage, polygon: &Polygon) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let at = |point: Point| (point.x * width as f64, point.y * height as f64);
    let mut sides: Vec<Side> =
        polygon.sides().map(|(from, to)| Side::between(at(from), at(to))).collect();
    sides.sort_by(|a, b| a.top.1.total_cmp(&b.top.1));
    let lowest = sides.iter().map(|side| side.bottom.1).fold(0.0, f64::max);
    let first = sides.first().map_or(0.0, |side| side.top.1).floor() as usize;
    let last = (lowest.ceil() as usize).min(height);

    let mut waiting = sides.into_iter().peekable();
    let (mut here, mut crossings): (Vec<Side>, Vec<(f64, i32)>) = (Vec::new(), Vec::new());
    for row in first..last {
        let (upper, lower) = (row as f64, (row + 1) as f64);
        while let Some(side) = waiting.next_if(|side| side.top.1 < lower) {
            here.push(side);
        }
        here.retain(|side| side.bottom.1 > upper);
        let pixels = &mut picture.data_mut()[row * width * 3..(row + 1) * width * 3];
        let mut fill = |left: f64, right: f64| {
            let (left, right) = (left.floor() as usize, (right.ceil() as usize).min(width));
            if left < right {
                pixels[left * 3..right * 3].fill(0);
            }
        };
        crossings.clear();
        let middle = upper + 0.5;
        for side in &here {
            let (left, right) = side.within(upper, lower);
            fill(left, right);
            if side.top.1 <= middle && side.bottom.1 > middle {
                crossings.push((side.at(middle), side.direction));
            }
        }
        crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut winding = 0;
        for pair in crossings.windows(2) {
            winding += pair[0].1;
            if winding != 0 {
                fill(pair[0].0, pair[1].0);
            }
        }
    }
}

impl Side {
    fn between(from: (f64, f64), to: (f64, f64)) -> Self {
        if from.1 <= to.1 {
            Self { top: from, bottom: to, direction: 1 }
        } else {
            Self { top: to, bottom: from, direction: -1 }
        }
    }

    /// Where it is at a height; at one of its ends beyond them.
    fn at(&self, y: f64) -> f64 {
        let (rise, run) = (self.bottom.1 - self.top.1, self.bottom.0 - self.top.0);
        if y <= self.top.1 || rise <= 0.0 {
            self.top.0
        } else if y >= self.bottom.1 {
            self.bottom.0
        } else {
            let (left, right) = (self.top.0.min(self.bottom.0), self.top.0.max(self.bottom.0));
            (self.top.0 + run * ((y - self.top.1) / rise)).clamp(left, right)
        }
    }

    /// From where to where it goes between two heights, from left to right.
    fn within(&self, upper: f64, lower: f64) -> (f64, f64) {
        if self.top.1 >= self.bottom.1 {
            return (self.top.0.min(self.bottom.0), self.top.0.max(self.bottom.0));
        }
        let (a, b) = (self.at(upper), self.at(lower));
        (a.min(b), a.max(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::ImageSize;
    use proptest::prelude::*;

    fn white(width: u32, height: u32) -> RgbImage {
        let data = vec![255; width as usize * height as usize * 3];
        RgbImage::new(ImageSize { width, height }, data).unwrap()
    }

    fn polygon(corners: &[[f64; 2]]) -> Polygon {
        Polygon::new(corners.iter().map(|corner| Point::from(*corner)).collect()).unwrap()
    }

    fn is_black(picture: &RgbImage, x: u32, y: u32) -> bool {
        let at = (y as usize * picture.width() as usize + x as usize) * 3;
        let pixel = &picture.data()[at..at + 3];
        assert!(pixel == [0; 3] || pixel == [255; 3], "a pixel is black or as it was");
        pixel == [0; 3]
    }

    fn rows(picture: &RgbImage) -> Vec<String> {
        let row = |y| {
            let one = |x| if is_black(picture, x, y) { '#' } else { '.' };
            (0..picture.width()).map(one).collect()
        };
        (0..picture.height()).map(row).collect()
    }

    fn masked(width: u32, height: u32, corners: &[[f64; 2]]) -> RgbImage {
        let mut picture = white(width, height);
        blacken(&mut picture, [&polygon(corners)]);
        picture
    }

    #[test]
    fn pixels_are_black_that_a_polygon_covers_in_part_and_no_others() {
        // edges between pixels
        let half = [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]];
        assert_eq!(rows(&masked(4, 4, &half)), ["##..", "##..", "....", "...."]);
        // edges within them
        assert_eq!(rows(&masked(3, 3, &half)), ["##.", "##.", "..."]);
        // smaller than a pixel, between the middles
        let speck = [[0.51, 0.51], [0.52, 0.51], [0.52, 0.52]];
        assert_eq!(rows(&masked(4, 4, &speck)), ["....", "....", "..#.", "...."]);
        // without any area
        let line = [[0.1, 0.1], [0.9, 0.9], [0.1, 0.1]];
        assert_eq!(rows(&masked(3, 3, &line)), ["#..", ".#.", "..#"]);
        let whole = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        for (width, height) in [(1, 1), (7, 3), (3, 100)] {
            assert!(rows(&masked(width, height, &whole)).iter().all(|row| !row.contains('.')));
        }
        let triangle = [[0.5, 0.0], [1.0, 1.0], [0.0, 1.0]];
        assert_eq!(rows(&masked(4, 4, &triangle)), [".##.", ".##.", "####", "####"]);
    }

    #[test]
    fn what_a_polygon_winds_around_twice_is_black_too() {
        let twice = [
            [0.0, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.0, 1.0],
            [0.0, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.0, 1.0],
        ];
        assert!(rows(&masked(5, 5, &twice)).iter().all(|row| row == "#####"));
    }

    /// Whether a side touches a square, by the separating axis theorem.
    fn touches(from: (f64, f64), to: (f64, f64), x: f64, y: f64, slack: f64) -> bool {
        let half = 0.5 + slack;
        let (cx, cy) = (x + 0.5, y + 0.5);
        let apart =
            |a: f64, b: f64, centre: f64| a.min(b) > centre + half || a.max(b) < centre - half;
        if apart(from.0, to.0, cx) || apart(from.1, to.1, cy) {
            return false;
        }
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        ((cx - from.0) * dy - (cy - from.1) * dx).abs() <= half * (dx.abs() + dy.abs()) + 1e-12
    }

    /// How often the corners go around a point, by the sum of angles.
    fn turns(corners: &[(f64, f64)], x: f64, y: f64) -> i64 {
        let angles = corners.iter().zip(corners.iter().cycle().skip(1)).map(|(from, to)| {
            let (a, b) = ((from.0 - x, from.1 - y), (to.0 - x, to.1 - y));
            (a.0 * b.1 - a.1 * b.0).atan2(a.0 * b.0 + a.1 * b.1)
        });
        (angles.sum::<f64>() / std::f64::consts::TAU).round() as i64
    }

    proptest! {
        #[test]
        fn it_agrees_with_asking_for_each_pixel(
            corners in prop::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 3..10),
            (on_grid, width, height) in (any::<bool>(), 1u32..24, 1u32..24),
        ) {
            // half of the cases have corners at the corners of pixels
            let snap = |at: f64, of: u32| {
                if on_grid { (at * f64::from(of)).round() / f64::from(of) } else { at }
            };
            let corners: Vec<[f64; 2]> =
                corners.iter().map(|(x, y)| [snap(*x, width), snap(*y, height)]).collect();
            let picture = masked(width, height, &corners);
            let at: Vec<(f64, f64)> = corners
                .iter()
                .map(|[x, y]| (x * f64::from(width), y * f64::from(height)))
                .collect();
            let sides = || at.iter().zip(at.iter().cycle().skip(1));
            for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                let (left, top) = (f64::from(x), f64::from(y));
                let (cx, cy) = (left + 0.5, top + 0.5);
                let any = |slack| sides().any(|(from, to)| touches(*from, *to, left, top, slack));
                // angles say nothing of a point on a side, through which a side goes anyway
                let inside = !any(-0.499_999) && turns(&at, cx, cy) != 0;
                let black = is_black(&picture, x, y);
                if inside || any(-1e-6) {
                    prop_assert!(black, "({x}, {y}) shows\n{}", rows(&picture).join("\n"));
                }
                if !inside && !any(1e-6) {
                    prop_assert!(!black, "({x}, {y}) is black\n{}", rows(&picture).join("\n"));
                }
            }
        }
    }
}
