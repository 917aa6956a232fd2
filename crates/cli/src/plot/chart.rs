//! What a plot shows, whatever it is drawn on.

use plotters::style::RGBColor;
use std::ops::Range;

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito 2008), black first:
/// the oracle comes first in most plots.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(128, 128, 128),
];

/// Two axes and some series.
pub struct Chart {
    /// Above the plot.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Drawn in this order.
    pub series: Vec<Series>,
    /// Spans of x that stand out from the background, and what they are.
    pub spans: Option<(String, Vec<(f64, f64)>)>,
    /// An upright or level line, and what it is.
    pub mark: Option<(String, Mark)>,
}

/// What an axis shows.
pub struct Axis {
    /// What it is, with its unit.
    pub name: String,
    /// The smallest and the largest value on it.
    pub range: Range<f64>,
    /// Each step of the same length is ten times as much.
    pub logarithmic: bool,
}

/// Points that belong together.
pub struct Series {
    /// For the legend.
    pub name: String,
    /// x and y, in the units of the axes.
    pub points: Vec<(f64, f64)>,
    /// One of [`colour`].
    pub colour: RGBColor,
    /// How they are drawn.
    pub kind: Kind,
}

/// How points are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line from point to point.
    Line,
    /// A dot for each point.
    Dots,
    /// A bar from 0 up to each point, one unit of x wide.
    Bars,
}

/// Where a straight line is.
#[derive(Clone, Copy)]
pub enum Mark {
    /// Upright, at this x.
    X(f64),
    /// Level, at this y.
    Y(f64),
}

/// The colour of the series with this number.
pub const fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

impl Axis {
    /// From 0 to a little more than the largest value.
    pub fn from_zero(name: &str, values: impl Iterator<Item = f64>) -> Self {
        let largest = values.fold(0.0, f64::max);
        let range = 0.0..if largest > 0.0 { largest * 1.08 } else { 1.0 };
        Self { name: name.into(), range, logarithmic: false }
    }

    /// Logarithmic, over all values above 0: from the power of ten below them, as ticks begin at
    /// one, to a fifth beyond the largest.
    pub fn logarithmic(name: &str, values: impl Iterator<Item = f64>) -> Self {
        let extend = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
        let (low, high) = values.filter(|value| *value > 0.0).fold((f64::MAX, 0.0), extend);
        // a little less, so that rounding does not put the first tick outside
        let range = if low <= high {
            0.999 * 10_f64.powf(low.log10().floor())..high * 1.2
        } else {
            1.0..10.0
        };
        Self { name: name.into(), range, logarithmic: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_begins_at_a_power_of_ten() {
        let axis = Axis::logarithmic("ms", [0.0, 124.0, 600.0].into_iter());
        assert!(
            (axis.range.start - 99.9).abs() < 1e-9 && (axis.range.end - 720.0).abs() < 1e-9,
            "{:?}",
            axis.range
        );
        assert_eq!(Axis::logarithmic("ms", std::iter::empty()).range, 1.0..10.0);
        assert_eq!(Axis::from_zero("%", std::iter::empty()).range, 0.0..1.0);
    }
}
