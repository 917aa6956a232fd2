//! Trace files as text.

use super::{Opportunities, Rates, Shape};
use crate::Micros;
use serde::{Deserialize, Serialize};

/// How a trace file is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceFormat {
    /// A line for each opportunity to send a packet of 1500 bytes: its time in whole milliseconds
    /// from the start (mahimahi's format).
    Mahimahi,
    /// A line for each second: the speed in Mbit/s.
    MbitPerSecond,
    /// Comma-separated columns with a header line.
    Csv(Columns),
}

/// Which columns of a CSV trace are read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// The time in seconds; a row's speed holds until the time of the next one.
    pub time_s: String,
    /// The speed in Mbit/s.
    pub mbit_s: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self { time_s: "time_s".into(), mbit_s: "mbit_s".into() }
    }
}

impl TraceFormat {
    /// By a file's name: `.up`, `.down` and `.mahi` are mahimahi's, `.csv` has columns of the
    /// default names, all others have a speed a second.
    #[must_use]
    pub fn of(file_name: &str) -> Self {
        match file_name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "up" | "down" | "mahi" => Self::Mahimahi,
            "csv" => Self::Csv(Columns::default()),
            _ => Self::MbitPerSecond,
        }
    }
}

/// A trace that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A line is not what it should be.
    #[error("line {line}: {problem}")]
    Line {
        /// Which line, from 1 on.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing would ever get through.
    #[error("this trace never carries anything")]
    Silent,
}

/// Lines with their numbers from 1 on; empty ones and those that begin with `#` are left out.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

pub(super) fn parse(text: &str, format: &TraceFormat) -> Result<Shape, TraceError> {
    let shape = match format {
        TraceFormat::Mahimahi => Opportunities::new(&milliseconds(text)?).map(Shape::Opportunities),
        TraceFormat::MbitPerSecond => {
            let speeds =
                lines(text).map(|(line, text)| speed(line, text)).collect::<Result<Vec<_>, _>>()?;
            let end = speeds.len() as Micros * 1_000_000;
            Rates::new((0..).step_by(1_000_000).zip(speeds).collect(), end).map(Shape::Rates)
        }
        TraceFormat::Csv(columns) => csv(text, columns)?.map(Shape::Rates),
    };
    shape.ok_or(TraceError::Silent)
}

fn milliseconds(text: &str) -> Result<Vec<u64>, TraceError> {
    let mut times: Vec<u64> = Vec::new();
    for (line, text) in lines(text) {
        let wrong = |problem| TraceError::Line { line, problem };
        let time = text
            .parse()
            .map_err(|_| wrong(format!("'{text}' is not a whole number of milliseconds")))?;
        // a year: far beyond any trace, and far from where microseconds overflow
        if time > 31_536_000_000 {
            return Err(wrong(format!("{time} ms is more than a year")));
        }
        if times.last().is_some_and(|last| *last > time) {
            return Err(wrong(format!("{time} ms comes after a later time")));
        }
        times.push(time);
    }
    Ok(times)
}

fn speed(line: usize, text: &str) -> Result<f64, TraceError> {
    match text.parse::<f64>() {
        Ok(mbit_s) if (0.0..=1e6).contains(&mbit_s) => Ok(mbit_s),
        _ => Err(TraceError::Line {
            line,
            problem: format!("'{text}' is not a speed in Mbit/s from 0 to 1,000,000"),
        }),
    }
}

fn csv(text: &str, columns: &Columns) -> Result<Option<Rates>, TraceError> {
    let mut rows = lines(text);
    let cells = |text: &str| -> Vec<String> {
        text.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let Some((line, header)) = rows.next() else { return Ok(None) };
    let header = cells(header);
    let position = |name: &str| {
        let missing = || TraceError::Line {
            line,
            problem: format!("there is no column '{name}' among {}", header.join(", ")),
        };
        header.iter().position(|cell| cell == name).ok_or_else(missing)
    };
    let (time_column, speed_column) = (position(&columns.time_s)?, position(&columns.mbit_s)?);
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (line, row) in rows {
        let row = cells(row);
        let wrong = |problem| TraceError::Line { line, problem };
        let cell = |column: usize| {
            row.get(column).ok_or_else(|| {
                wrong(format!("it has {} columns, the header {}", row.len(), header.len()))
            })
        };
        let (time, mbit_s) = (cell(time_column)?, speed(line, cell(speed_column)?)?);
        let seconds = time.parse().ok().filter(|seconds: &f64| seconds.abs() <= 1e11);
        let seconds = seconds.ok_or_else(|| wrong(format!("'{time}' is not a time in seconds")))?;
        // steps shorter than this would be empty after rounding to microseconds
        if steps.last().is_some_and(|(last, _)| seconds < last + 1e-5) {
            return Err(wrong(format!("{seconds} s is not later than the row before")));
        }
        steps.push((seconds, mbit_s));
    }
    let Some((first, _)) = steps.first().copied() else { return Ok(None) };
    let micros = |seconds: f64| ((seconds - first) * 1e6).round() as Micros;
    // the last row holds as long as the one before; a single one for a second
    let last = steps.len() - 1;
    let length = if last == 0 { 1.0 } else { steps[last].0 - steps[last - 1].0 };
    let end = micros(steps[last].0 + length);
    Ok(Rates::new(steps.iter().map(|(seconds, mbit_s)| (micros(*seconds), *mbit_s)).collect(), end))
}
