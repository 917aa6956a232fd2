//! Load shapes as text.

use super::{LoadShape, Steps};
use std::str::FromStr;

/// No rate may be higher than this, in frames per second.
const MAX_FPS: f64 = 100_000.0;

/// A text that is no load shape.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such shape.
    #[error(
        "load '{0}' is not known; there are constant:fps=10, step:from_fps=5,to_fps=40,at_s=300, \
         burst:base_fps=5,peak_fps=50,burst_s=30,period_s=120, \
         diurnal:low_fps=2,high_fps=40,period_s=86400, \
         cameras:count=8,fps=5,every_s=60, and FILE.csv with the columns time_s,frames_per_s"
    )]
    Shape(String),
    /// A value that the shape does not have.
    #[error("load {shape}: '{entry}' is not one of: {allowed} (as name=number)")]
    Entry {
        /// Which shape.
        shape: &'static str,
        /// What was written.
        entry: String,
        /// What may be written.
        allowed: String,
    },
    /// A value out of its range.
    #[error("load {shape}: {name} is {value}, it must be {allowed}")]
    Value {
        /// Which shape.
        shape: &'static str,
        /// Which value.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A line of a table.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1 on.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// `name=number` entries over their defaults.
struct Entries {
    shape: &'static str,
    values: Vec<(&'static str, f64)>,
}

impl Entries {
    fn read(
        shape: &'static str,
        text: &str,
        defaults: &[(&'static str, f64)],
    ) -> Result<Self, LoadError> {
        let mut values = defaults.to_vec();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let wrong = || LoadError::Entry {
                shape,
                entry: entry.to_owned(),
                allowed: defaults.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            };
            let (name, value) = entry.split_once('=').ok_or_else(wrong)?;
            let place =
                values.iter_mut().find(|(known, _)| *known == name.trim()).ok_or_else(wrong)?;
            place.1 = value.trim().parse().map_err(|_| wrong())?;
        }
        for (name, value) in &values {
            let (most, allowed) = match *name {
                name if name.ends_with("fps") => (MAX_FPS, "0 to 100000 frames per second"),
                "count" => (100_000.0, "0 to 100000"),
                _ => (1e8, "0 to 100000000 seconds"),
            };
            if !(0.0..=most).contains(value) {
                return Err(LoadError::Value { shape, name, value: *value, allowed });
            }
        }
        Ok(Self { shape, values })
    }

    fn get(&self, name: &str) -> f64 {
        self.values.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value)
    }

    fn above_zero(&self, name: &'static str) -> Result<f64, LoadError> {
        let value = self.get(name);
        if value > 0.0 {
            Ok(value)
        } else {
            Err(LoadError::Value { shape: self.shape, name, value, allowed: "above 0" })
        }
    }
}

impl FromStr for LoadShape {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (shape, rest) = text.split_once(':').unwrap_or((text, ""));
        match shape.trim() {
            "constant" => Ok(Self::Constant {
                fps: Entries::read("constant", rest, &[("fps", 10.0)])?.get("fps"),
            }),
            "step" => {
                let entries = Entries::read(
                    "step",
                    rest,
                    &[("from_fps", 5.0), ("to_fps", 40.0), ("at_s", 300.0)],
                )?;
                Ok(Self::Step {
                    from_fps: entries.get("from_fps"),
                    to_fps: entries.get("to_fps"),
                    at_s: entries.get("at_s"),
                })
            }
            "burst" => {
                let defaults =
                    [("base_fps", 5.0), ("peak_fps", 50.0), ("burst_s", 30.0), ("period_s", 120.0)];
                let entries = Entries::read("burst", rest, &defaults)?;
                let (burst_s, period_s) = (entries.get("burst_s"), entries.above_zero("period_s")?);
                if burst_s > period_s {
                    let allowed = "no longer than period_s";
                    return Err(LoadError::Value {
                        shape: "burst",
                        name: "burst_s",
                        value: burst_s,
                        allowed,
                    });
                }
                Ok(Self::Burst {
                    base_fps: entries.get("base_fps"),
                    peak_fps: entries.get("peak_fps"),
                    burst_s,
                    period_s,
                })
            }
            "diurnal" => {
                let entries = Entries::read(
                    "diurnal",
                    rest,
                    &[("low_fps", 2.0), ("high_fps", 40.0), ("period_s", 86_400.0)],
                )?;
                let period_s = entries.above_zero("period_s")?;
                Ok(Self::Diurnal {
                    low_fps: entries.get("low_fps"),
                    high_fps: entries.get("high_fps"),
                    period_s,
                })
            }
            "cameras" => {
                let entries = Entries::read(
                    "cameras",
                    rest,
                    &[("count", 8.0), ("fps", 5.0), ("every_s", 60.0)],
                )?;
                let count = entries.above_zero("count")? as u32;
                Ok(Self::Cameras {
                    count,
                    fps: entries.get("fps"),
                    every_s: entries.get("every_s"),
                })
            }
            _ => Err(LoadError::Shape(text.to_owned())),
        }
    }
}

impl Steps {
    /// Reads CSV with the columns `time_s,frames_per_s`: each rate holds until the next line's
    /// time.
    ///
    /// # Errors
    /// Names the line that cannot be used.
    pub fn from_csv(text: &str) -> Result<Self, LoadError> {
        let wrong = |line: usize, what: String| LoadError::Line { line: line + 1, what };
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let Some((first, header)) = lines.next() else {
            return Err(wrong(0, "there is nothing".into()));
        };
        let columns: Vec<&str> = header.split(',').map(str::trim).collect();
        let column = |name| columns.iter().position(|column| *column == name);
        let (Some(time), Some(rate)) = (column("time_s"), column("frames_per_s")) else {
            return Err(wrong(
                first,
                format!("the columns are '{header}', they must be time_s,frames_per_s"),
            ));
        };
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for (number, line) in lines {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let cell = |column: usize| {
                let value = cells.get(column).and_then(|cell| cell.parse::<f64>().ok());
                let value = value.filter(|value| (0.0..=1e9).contains(value));
                value.ok_or_else(|| {
                    wrong(number, format!("'{line}' is not two numbers of 0 or more"))
                })
            };
            let (at, fps) = (cell(time)?, cell(rate)?);
            if steps.last().is_some_and(|(before, _)| *before >= at) {
                return Err(wrong(
                    number,
                    format!("time_s {at} does not come after the line before"),
                ));
            }
            if fps > MAX_FPS {
                return Err(wrong(
                    number,
                    format!("{fps} frames per second are more than {MAX_FPS}"),
                ));
            }
            steps.push((at, fps));
        }
        if steps.is_empty() {
            Err(wrong(first, "there are no lines below the columns".into()))
        } else {
            Ok(Self(steps))
        }
    }

    /// When the last rate begins, in seconds.
    #[must_use]
    pub fn last_s(&self) -> f64 {
        self.0.last().map_or(0.0, |(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_over_their_defaults() {
        let read = |text: &str| text.parse::<LoadShape>().unwrap();
        assert_eq!(read("constant:fps=7.5"), LoadShape::Constant { fps: 7.5 });
        assert_eq!(
            read("step: to_fps = 9 , at_s=60"),
            LoadShape::Step { from_fps: 5.0, to_fps: 9.0, at_s: 60.0 }
        );
        let burst =
            LoadShape::Burst { base_fps: 5.0, peak_fps: 80.0, burst_s: 30.0, period_s: 120.0 };
        assert_eq!(read("burst:peak_fps=80"), burst);
        assert_eq!(
            read("cameras:count=3,every_s=0"),
            LoadShape::Cameras { count: 3, fps: 5.0, every_s: 0.0 }
        );
    }

    #[test]
    fn mistakes_are_named_with_what_is_allowed() {
        for (text, parts) in [
            ("waves", vec!["'waves'", "constant:fps=10", "FILE.csv"]),
            ("burst:peek_fps=3", vec!["peek_fps=3", "base_fps, peak_fps, burst_s, period_s"]),
            ("constant:fps=fast", vec!["fps=fast"]),
            ("constant:fps=-1", vec!["fps is -1", "0 to 100000"]),
            ("burst:burst_s=200", vec!["burst_s is 200", "no longer than period_s"]),
            ("diurnal:period_s=0", vec!["period_s is 0", "above 0"]),
        ] {
            let message = text.parse::<LoadShape>().unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }

    #[test]
    fn a_table_is_read_and_its_bad_lines_are_named() {
        let steps = Steps::from_csv("time_s,frames_per_s\n0,5\n60, 20\n\n90,0\n").unwrap();
        assert_eq!(
            (steps.0.as_slice(), steps.last_s()),
            ([(0.0, 5.0), (60.0, 20.0), (90.0, 0.0)].as_slice(), 90.0)
        );
        for (text, part) in [
            ("", "line 1"),
            ("a,b\n1,2\n", "time_s,frames_per_s"),
            ("time_s,frames_per_s\n", "no lines below"),
            ("time_s,frames_per_s\n0,5\nx,1\n", "line 3: 'x,1'"),
            ("time_s,frames_per_s\n5,5\n5,6\n", "line 3: time_s 5"),
        ] {
            let message = Steps::from_csv(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
