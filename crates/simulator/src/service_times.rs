//! Service times as they were measured.
//!
//! Rows are drawn by the stationary bootstrap (Politis and Romano 1994,
//! <https://doi.org/10.1080/01621459.1994.10476870>): a run of rows that followed each other, of
//! geometric length, then another one that begins anywhere. So each row comes equally often, tails
//! are as heavy as they were, and what is slow for a while stays slow for a while.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use virtual_time::Random;

/// The longest time that a row may tell, in milliseconds.
const MAX_MS: f64 = 1e6;

/// Where measured times are, in a scenario file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimesFile {
    /// A CSV file with a header line; a relative path is relative to the scenario file.
    pub file: String,
    /// The column, in the unit that `unit_ms` tells.
    #[serde(default = "column")]
    pub column: String,
    /// One unit of the column in milliseconds: 1000 for seconds.
    #[serde(default = "unit_ms")]
    pub unit_ms: f64,
    /// What every time is multiplied by: 0.5 for a board that is twice as fast.
    #[serde(default = "scale")]
    pub scale: f64,
    /// How many rows follow each other as they were measured, on average; 1: each row is drawn by
    /// itself.
    #[serde(default = "block")]
    pub block: f64,
}

fn column() -> String {
    "response_time".into()
}

const fn unit_ms() -> f64 {
    1000.0
}

const fn scale() -> f64 {
    1.0
}

const fn block() -> f64 {
    50.0
}

impl TimesFile {
    /// Of this file, with seconds in the column `response_time`.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            column: column(),
            unit_ms: unit_ms(),
            scale: scale(),
            block: block(),
        }
    }

    /// The fields with their values and what these may be at least and at most.
    pub(crate) const fn ranges(&self) -> [(&'static str, f64, f64, f64); 3] {
        [
            ("service_times.unit_ms", self.unit_ms, 1e-6, 1e9),
            ("service_times.scale", self.scale, 1e-6, 1e6),
            ("service_times.block", self.block, 1.0, 1e6),
        ]
    }
}

/// Measured times that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// A line is not what it should be.
    #[error("line {line}, column '{column}': {problem}")]
    Line {
        /// Which line, from 1 on.
        line: usize,
        /// Which column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no row.
    #[error("this file has no rows")]
    Empty,
}

/// Measured times, in microseconds, in the order in which they were measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    rows: Arc<[u64]>,
    /// How many rows follow each other, on average.
    block: f64,
}

impl Measured {
    /// Reads the column that `of` names from a file's text.
    ///
    /// # Errors
    /// When the header has no such column, or a row no time there.
    pub fn parse(text: &str, of: &TimesFile) -> Result<Self, TimesError> {
        let cells = |line: &str| -> Vec<String> {
            line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
        };
        let wrong = |line: usize, problem: String| TimesError::Line {
            line,
            column: of.column.clone(),
            problem,
        };
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (line, header) = lines.next().ok_or(TimesError::Empty)?;
        let header = cells(header);
        let place = header
            .iter()
            .position(|cell| *cell == of.column)
            .ok_or_else(|| wrong(line, format!("it is not among {}", header.join(", "))))?;
        let rows = lines.map(|(line, row)| {
            let cells = cells(row);
            let cell = cells.get(place).ok_or_else(|| {
                wrong(line, format!("it has {} columns, the header {}", cells.len(), header.len()))
            })?;
            let ms = cell.parse::<f64>().map(|time| time * of.unit_ms * of.scale);
            match ms {
                Ok(ms) if (0.0..=MAX_MS).contains(&ms) => Ok(((ms * 1000.0).round() as u64).max(1)),
                _ => Err(wrong(line, format!("'{cell}' is not a time from 0 to 1000 s"))),
            }
        });
        let rows: Arc<[u64]> = rows.collect::<Result<Vec<_>, _>>()?.into();
        if rows.is_empty() { Err(TimesError::Empty) } else { Ok(Self { rows, block: of.block }) }
    }

    /// The mean, in milliseconds.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        self.rows.iter().map(|row| *row as f64).sum::<f64>() / self.rows.len() as f64 / 1000.0
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never: there is a row at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The times that `random` draws, without end.
    pub(crate) fn draw(&self, mut random: Random) -> impl FnMut() -> u64 + use<> {
        let (rows, block) = (self.rows.clone(), self.block);
        let mut next = None;
        move || {
            let count = rows.len() as u32;
            let at = match next {
                Some(at) if random.unit() * block >= 1.0 => at,
                _ => random.below(count) as usize,
            };
            // a run that comes to the end goes on at the beginning
            next = Some((at + 1) % rows.len());
            rows[at]
        }
    }
}

/// What was measured of a scenario's stages; where nothing was, its numbers count.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ServiceTimes {
    /// Of what comes before the decision: each frame takes the sum of one draw from each.
    pub preprocess: Vec<Measured>,
    /// Of a frame on the edge.
    pub edge: Option<Measured>,
    /// Of a frame in the cloud.
    pub cloud: Option<Measured>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, block: f64) -> Result<Measured, TimesError> {
        Measured::parse(text, &TimesFile { block, ..TimesFile::new("times.csv") })
    }

    #[test]
    fn the_column_is_read_in_its_unit() {
        let text = "norm_time,response_time\n# a comment\n1,0.25\n\n2,0.5\n";
        let mut of = TimesFile::new("times.csv");
        of.scale = 2.0;
        let measured = Measured::parse(text, &of).unwrap();
        assert_eq!(measured.rows[..], [500_000, 1_000_000]);
        assert_eq!(measured.mean_ms(), 750.0);
    }

    #[test]
    fn mistakes_are_named_by_line_and_column() {
        for (text, message) in [
            ("time\n1\n", "line 1, column 'response_time': it is not among time"),
            (
                "a,response_time\n1,0.2\n2\n",
                "line 3, column 'response_time': it has 1 columns, the header 2",
            ),
            (
                "response_time\n0.2\nfast\n",
                "line 3, column 'response_time': 'fast' is not a time from 0 to 1000 s",
            ),
            (
                "response_time\n-1\n",
                "line 2, column 'response_time': '-1' is not a time from 0 to 1000 s",
            ),
            ("response_time\n", "this file has no rows"),
            ("", "this file has no rows"),
        ] {
            assert_eq!(read(text, 1.0).unwrap_err().to_string(), message, "{text:?}");
        }
    }

    #[test]
    fn rows_follow_each_other_as_they_were_measured() {
        let rows: Vec<String> = (1..=1000).map(|ms| (f64::from(ms) / 1000.0).to_string()).collect();
        let text = format!("response_time\n{}\n", rows.join("\n"));
        for block in [1.0, 20.0] {
            let mut draw = read(&text, block).unwrap().draw(Random::new(1, "rows"));
            let drawn: Vec<u64> = (0..20_000).map(|_| draw()).collect();
            let follow = drawn.windows(2).filter(|pair| pair[1] == pair[0] % 1_000_000 + 1000);
            // of 20,000 pairs a share of 1 - 1/block, within four standard deviations
            let (share, expected) = (follow.count() as f64 / 20_000.0, 1.0 - 1.0 / block);
            assert!((share - expected).abs() < 0.008, "{block}: {share}");
            let mean = drawn.iter().sum::<u64>() as f64 / 20_000.0;
            // blocks make a mean of fewer independent rows
            assert!((mean / 500_500.0 - 1.0).abs() < 0.08, "{block}: {mean}");
        }
    }

    proptest! {
        #[test]
        fn only_measured_times_are_drawn(
            ms in prop::collection::vec(1..5000u32, 1..50), block in 1.0..30.0f64, seed: u64,
        ) {
            let text: Vec<String> =
                ms.iter().map(|ms| (f64::from(*ms) / 1000.0).to_string()).collect();
            let measured = read(&format!("response_time\n{}", text.join("\n")), block).unwrap();
            let mut draw = measured.draw(Random::new(seed, "rows"));
            for _ in 0..100 {
                prop_assert!(measured.rows.contains(&draw()));
            }
        }
    }
}
