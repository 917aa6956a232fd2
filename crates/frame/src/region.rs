//! Parts of a camera's picture: polygons, and zones that name what is in them.
//!
//! Coordinates are relative to the upright picture: 0, 0 is its top left corner and 1, 1 its bottom
//! right one, so that they hold for every size in which a camera sends. A polygon that crosses
//! itself contains what it winds around at all (the nonzero rule).

use crate::{BoundingBox, ImageSize};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A polygon has no more corners than this.
pub const MAX_CORNERS: usize = 64;
/// A zone's name has no more characters than this.
pub const MAX_ZONE_NAME: usize = 64;
/// So near to an edge a point counts as on it: rounding moves points less.
const ON_THE_EDGE: f64 = 1e-9;

/// A point of the upright picture; both coordinates are from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Point {
    /// From the left edge (0) to the right one (1).
    pub x: f64,
    /// From the top (0) to the bottom (1).
    pub y: f64,
}

impl From<[f64; 2]> for Point {
    fn from([x, y]: [f64; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Point> for [f64; 2] {
    fn from(Point { x, y }: Point) -> Self {
        [x, y]
    }
}

/// The corners of a polygon, in their order; the last one is joined to the first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<Point>", into = "Vec<Point>")]
pub struct Polygon(Vec<Point>);

/// Points that are no polygon.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum InvalidPolygon {
    /// Too few or too many.
    #[error("a polygon has 3 to {MAX_CORNERS} points, but this one has {0}")]
    Corners(usize),
    /// A point outside of the picture.
    #[error("[{}, {}] lies outside of the picture: coordinates are from 0 to 1", .0.x, .0.y)]
    Outside(Point),
}

impl Polygon {
    /// Checks that the points make a polygon.
    ///
    /// # Errors
    /// Each case of [`InvalidPolygon`].
    pub fn new(corners: Vec<Point>) -> Result<Self, InvalidPolygon> {
        if !(3..=MAX_CORNERS).contains(&corners.len()) {
            return Err(InvalidPolygon::Corners(corners.len()));
        }
        let is_inside = |at: &f64| (0.0..=1.0).contains(at);
        match corners.iter().find(|point| !(is_inside(&point.x) && is_inside(&point.y))) {
            Some(outside) => Err(InvalidPolygon::Outside(*outside)),
            None => Ok(Self(corners)),
        }
    }

    /// The whole picture.
    #[must_use]
    pub fn whole() -> Self {
        Self([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(Point::from).to_vec())
    }

    /// The corners, at least 3 and at most [`MAX_CORNERS`].
    #[must_use]
    pub fn corners(&self) -> &[Point] {
        &self.0
    }

    /// The sides, each from one corner to the next.
    pub fn sides(&self) -> impl Iterator<Item = (Point, Point)> {
        self.0.iter().copied().zip(self.0.iter().copied().cycle().skip(1))
    }

    /// Whether a point is in it or on its edge. By the winding number (Sunday, "Inclusion of a
    /// point in a polygon", 2001).
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        let mut winding = 0;
        for (from, to) in self.sides() {
            let side = (to.x - from.x) * (point.y - from.y) - (point.x - from.x) * (to.y - from.y);
            let within = |a: f64, b: f64, at: f64| {
                (a.min(b) - ON_THE_EDGE..=a.max(b) + ON_THE_EDGE).contains(&at)
            };
            let length = (to.x - from.x).hypot(to.y - from.y);
            if side.abs() <= ON_THE_EDGE * length.max(ON_THE_EDGE)
                && within(from.x, to.x, point.x)
                && within(from.y, to.y, point.y)
            {
                return true;
            }
            match (from.y <= point.y, to.y <= point.y) {
                (true, false) if side > 0.0 => winding += 1,
                (false, true) if side < 0.0 => winding -= 1,
                _ => {}
            }
        }
        winding != 0
    }
}

impl TryFrom<Vec<Point>> for Polygon {
    type Error = InvalidPolygon;

    fn try_from(corners: Vec<Point>) -> Result<Self, InvalidPolygon> {
        Self::new(corners)
    }
}

impl From<Polygon> for Vec<Point> {
    fn from(Polygon(corners): Polygon) -> Self {
        corners
    }
}

/// A part of the picture that has a name. Two of the same name are one zone in two parts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Zone {
    /// 1 to [`MAX_ZONE_NAME`] characters, none of them a control character.
    pub name: ZoneName,
    /// Where it is.
    pub points: Polygon,
}

/// The name of a zone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

/// A text that cannot name a part of a picture.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "'{0}' cannot be a name here: use 1 to {MAX_ZONE_NAME} characters in one line, the first \
    of them no space"
)]
pub struct InvalidZoneName(String);

impl ZoneName {
    /// The name as text. It may be in any script: whoever shows it sets it as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ZoneName {
    type Error = InvalidZoneName;

    fn try_from(text: String) -> Result<Self, InvalidZoneName> {
        // no space, not even one that does not break
        let begins = text.chars().next().is_some_and(|it| it > ' ' && it != '\u{a0}');
        let is_name =
            begins && text.chars().count() <= MAX_ZONE_NAME && !text.chars().any(char::is_control);
        if is_name {
            return Ok(Self(text));
        }
        Err(InvalidZoneName(text.chars().filter(|it| !it.is_control()).take(80).collect()))
    }
}

impl From<ZoneName> for String {
    fn from(ZoneName(name): ZoneName) -> Self {
        name
    }
}

/// The zones of a frame's camera; on Kafka they are a header, as JSON.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zones(pub Vec<Zone>);

impl Zones {
    /// The names of the zones in which a detection is: those that contain the middle of its box's
    /// bottom edge, where a person or a car touches the ground (as Frigate's zones, and the default
    /// anchor of Supervision's `PolygonZone`). What sticks out of the picture counts as at its
    /// edge.
    /// Each name once, in the order of the zones.
    #[must_use]
    pub fn of(&self, found: &BoundingBox, picture: ImageSize) -> Vec<String> {
        let relative = |at: f32, of: u32| (f64::from(at) / f64::from(of.max(1))).clamp(0.0, 1.0);
        let foot = Point {
            x: relative(found.x + found.width / 2.0, picture.width),
            y: relative(found.y + found.height, picture.height),
        };
        let mut names: Vec<String> = Vec::new();
        for zone in &self.0 {
            if !names.iter().any(|name| name == zone.name.as_str()) && zone.points.contains(foot) {
                names.push(zone.name.as_str().to_owned());
            }
        }
        names
    }
}

impl fmt::Display for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Zones {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn polygon(corners: &[[f64; 2]]) -> Polygon {
        Polygon::new(corners.iter().map(|point| Point::from(*point)).collect()).unwrap()
    }

    fn zone(name: &str, corners: &[[f64; 2]]) -> Zone {
        Zone { name: name.to_owned().try_into().unwrap(), points: polygon(corners) }
    }

    const LEFT: [[f64; 2]; 4] = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];

    #[test]
    fn what_is_no_polygon_or_no_name_is_refused() {
        for (points, words) in [
            ("[[0,0],[1,1]]", "has 2"),
            ("[[0,0],[1,1],[0.5,1.01]]", "[0.5, 1.01] lies outside"),
            ("[[0,0],[1,1],[-0.1,0]]", "outside"),
            ("[[0,0],[1,1],[1]]", "invalid length"),
        ] {
            let error = serde_json::from_str::<Polygon>(points).unwrap_err().to_string();
            assert!(error.contains(words), "{points}: {error}");
        }
        let nan = Point { x: f64::NAN, y: 0.0 };
        assert!(Polygon::new(vec![nan; 3]).is_err());
        assert!(Polygon::new(vec![Point { x: 0.1, y: 0.1 }; MAX_CORNERS + 1]).is_err());
        for name in ["", " a", "\u{a0}", "a\nb", &"x".repeat(MAX_ZONE_NAME + 1)] {
            assert!(ZoneName::try_from(name.to_owned()).is_err(), "{name:?}");
        }
        assert!(ZoneName::try_from("<b>Tür</b>".to_owned()).is_ok(), "it is text");
    }

    #[test]
    fn a_polygon_that_crosses_itself_contains_what_it_winds_around() {
        // a five-pointed star, whose middle is wound around twice
        let tip = |index: usize| {
            let angle = std::f64::consts::TAU * (index as f64) / 5.0;
            [0.5 + 0.4 * angle.sin(), 0.5 - 0.4 * angle.cos()]
        };
        let star = polygon(&[0, 2, 4, 1, 3].map(tip));
        for (x, y, inside) in [(0.5, 0.5, true), (0.5, 0.2, true), (0.5, 0.9, false)] {
            assert_eq!(star.contains(Point { x, y }), inside, "{x} {y}");
        }
        let u = [
            [0.0, 0.0],
            [0.3, 0.0],
            [0.3, 0.7],
            [0.7, 0.7],
            [0.7, 0.0],
            [1.0, 0.0],
            [1.0, 1.0],
            [0.0, 1.0],
        ];
        let u = polygon(&u);
        assert!(!u.contains(Point { x: 0.5, y: 0.5 }) && u.contains(Point { x: 0.1, y: 0.5 }));
    }

    #[test]
    fn a_detection_is_where_its_box_stands() {
        let zones = Zones(vec![
            zone("left", &LEFT),
            zone("floor", &[[0.0, 0.8], [1.0, 0.8], [1.0, 1.0], [0.0, 1.0]]),
            zone("left", &[[0.0, 0.9], [1.0, 0.9], [1.0, 1.0], [0.0, 1.0]]),
        ]);
        let picture = ImageSize { width: 200, height: 100 };
        for (x, y, width, height, names) in [
            (10.0, 10.0, 20.0, 20.0, vec!["left"]),
            // it hangs over the edge of the zone, but stands beside it
            (60.0, 10.0, 100.0, 20.0, vec![]),
            (150.0, 10.0, 20.0, 75.0, vec!["floor"]),
            // parts of one name are one zone
            (150.0, 10.0, 20.0, 85.0, vec!["floor", "left"]),
            // it sticks out at the bottom, and at the left
            (-60.0, 50.0, 100.0, 90.0, vec!["left", "floor"]),
        ] {
            let found = BoundingBox { x, y, width, height };
            assert_eq!(zones.of(&found, picture), names, "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn every_zone_survives_its_header(
            names in prop::collection::vec("[^\\p{Cc}\\p{Z}]{1,64}", 0..4),
            corners in prop::collection::vec((0u32..=100_000, 0u32..=100_000), 3..9),
        ) {
            // as people write them: numbers of more digits may come back one bit off
            let relative = |at: u32| f64::from(at) / 100_000.0;
            let corners: Vec<[f64; 2]> =
                corners.into_iter().map(|(x, y)| [relative(x), relative(y)]).collect();
            let zones = Zones(names.iter().map(|name| zone(name, &corners)).collect());
            prop_assert_eq!(zones.to_string().parse::<Zones>().unwrap(), zones);
        }

        #[test]
        fn a_turned_or_reversed_polygon_contains_the_same(
            corners in prop::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 3..9),
            (x, y) in (0.0f64..=1.0, 0.0f64..=1.0), turn in 0usize..9,
        ) {
            let mut corners: Vec<[f64; 2]> = corners.into_iter().map(|(x, y)| [x, y]).collect();
            let point = Point { x, y };
            let expected = polygon(&corners).contains(point);
            let turn = turn % corners.len();
            corners.rotate_left(turn);
            prop_assert_eq!(polygon(&corners).contains(point), expected);
            corners.reverse();
            prop_assert_eq!(polygon(&corners).contains(point), expected);
        }
    }
}
