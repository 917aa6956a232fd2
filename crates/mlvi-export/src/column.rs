//! A column of a table: its name, its type, and what stands in it for a row.

use frame::{Detection, FrameResult};

/// What a row is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) result: &'a FrameResult,
    /// The detection and its place among the frame's, where a row is one.
    pub(crate) found: Option<(usize, &'a Detection)>,
}

/// A type, as both forms have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text; Parquet writes each different one once a page (a dictionary).
    Text,
    /// A point in time: `timestamp(µs, UTC)`, in CSV RFC 3339.
    Time,
    /// A whole number of 64 bits.
    Integer,
    /// A number of 64 bits.
    Real,
    /// A number of 32 bits.
    Single,
}

impl Kind {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "time",
            Self::Integer => "int64",
            Self::Real => "float64",
            Self::Single => "float32",
        }
    }
}

/// What stands in a field.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// Microseconds since the epoch.
    Time(i64),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A number of fewer digits.
    Single(f32),
    /// There is none.
    Nothing,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, with the unit at its end.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it is.
    pub about: &'static str,
    /// What stands in it.
    pub(crate) read: fn(Row<'_>) -> Cell,
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.to_owned()))
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Nothing, Self::Real)
    }
}

impl From<Option<u32>> for Cell {
    fn from(number: Option<u32>) -> Self {
        number.map_or(Self::Nothing, |number| Self::Integer(number.into()))
    }
}
