//! How many frames come in when.

mod parse;

pub use parse::LoadError;

use serde::Serialize;
use std::f64::consts::TAU;
use virtual_time::{Micros, Random};

/// Frames per second over time.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadShape {
    /// Always the same.
    Constant {
        /// Frames per second.
        fps: f64,
    },
    /// One rate, and from a moment on another.
    Step {
        /// Frames per second before.
        from_fps: f64,
        /// Frames per second from then on.
        to_fps: f64,
        /// When, in seconds.
        at_s: f64,
    },
    /// Bursts at even distances, each at the end of its period.
    Burst {
        /// Frames per second outside of bursts.
        base_fps: f64,
        /// Frames per second in a burst.
        peak_fps: f64,
        /// How long a burst lasts, in seconds.
        burst_s: f64,
        /// From one burst to the next, in seconds.
        period_s: f64,
    },
    /// A day: a cosine from the lowest rate to the highest and back.
    Diurnal {
        /// Frames per second at night, with which it begins.
        low_fps: f64,
        /// Frames per second at noon.
        high_fps: f64,
        /// How long a day is, in seconds.
        period_s: f64,
    },
    /// Cameras that come one after the other, each with the same rate.
    Cameras {
        /// How many.
        count: u32,
        /// Frames per second of one.
        fps: f64,
        /// From one's coming to the next one's, in seconds; the first is there from the start.
        every_s: f64,
    },
    /// What a file says.
    Table(Steps),
}

/// A rate from each of these moments on, as (seconds, frames per second).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Steps(pub(crate) Vec<(f64, f64)>);

impl LoadShape {
    /// Frames per second at this second.
    #[must_use]
    pub fn fps(&self, second: f64) -> f64 {
        match self {
            Self::Constant { fps } => *fps,
            Self::Step { from_fps, to_fps, at_s } => {
                if second < *at_s {
                    *from_fps
                } else {
                    *to_fps
                }
            }
            Self::Burst { base_fps, peak_fps, burst_s, period_s } => {
                if second.rem_euclid(*period_s) >= period_s - burst_s {
                    *peak_fps
                } else {
                    *base_fps
                }
            }
            Self::Diurnal { low_fps, high_fps, period_s } => {
                low_fps + (high_fps - low_fps) * (1.0 - (TAU * second / period_s).cos()) / 2.0
            }
            Self::Cameras { count, fps, every_s } => {
                let come = if *every_s > 0.0 {
                    (second / every_s).floor() + 1.0
                } else {
                    f64::from(*count)
                };
                fps * come.min(f64::from(*count))
            }
            Self::Table(Steps(steps)) => {
                let after = steps.partition_point(|(from, _)| *from <= second);
                if after == 0 { 0.0 } else { steps[after - 1].1 }
            }
        }
    }

    /// The same shape with every rate times `factor`.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Constant { fps } => Self::Constant { fps: fps * factor },
            Self::Step { from_fps, to_fps, at_s } => {
                Self::Step { from_fps: from_fps * factor, to_fps: to_fps * factor, at_s }
            }
            Self::Burst { base_fps, peak_fps, burst_s, period_s } => Self::Burst {
                base_fps: base_fps * factor,
                peak_fps: peak_fps * factor,
                burst_s,
                period_s,
            },
            Self::Diurnal { low_fps, high_fps, period_s } => {
                Self::Diurnal { low_fps: low_fps * factor, high_fps: high_fps * factor, period_s }
            }
            Self::Cameras { count, fps, every_s } => {
                Self::Cameras { count, fps: fps * factor, every_s }
            }
            Self::Table(Steps(steps)) => {
                Self::Table(Steps(steps.into_iter().map(|(at, fps)| (at, fps * factor)).collect()))
            }
        }
    }

    /// The most frames per second within these minutes.
    #[must_use]
    pub fn peak_fps(&self, minutes: f64) -> f64 {
        self.rates(minutes).fold(0.0, f64::max)
    }

    /// How many frames are expected within these minutes.
    #[must_use]
    pub fn expected_frames(&self, minutes: f64) -> f64 {
        self.rates(minutes).sum()
    }

    /// Frames per second in the middle of each second.
    fn rates(&self, minutes: f64) -> impl Iterator<Item = f64> {
        (0..(minutes * 60.0).ceil() as u64).map(|second| self.fps(second as f64 + 0.5))
    }

    /// When frames come in: a Poisson process whose rate is constant within each second.
    pub(crate) fn arrivals(&self, seed: u64, minutes: f64) -> Vec<Micros> {
        let mut random = Random::new(seed, "arrivals");
        let mut times = Vec::new();
        // the next frame comes when so many more are expected
        let mut until_next = random.exponential();
        for (second, fps) in (0..).zip(self.rates(minutes)) {
            let mut into = 0.0;
            while fps > 0.0 && until_next <= fps * (1.0 - into) {
                into += until_next / fps;
                times.push(second * 1_000_000 + (into * 1e6) as Micros);
                until_next = random.exponential();
            }
            until_next -= fps * (1.0 - into);
        }
        let end = (minutes * 6e7) as Micros;
        times.retain(|time| *time < end);
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_the_rates_that_they_say() {
        let burst: LoadShape = "burst".parse().unwrap();
        assert_eq!(
            [0.5, 89.5, 90.5, 119.5, 120.5].map(|s| burst.fps(s)),
            [5.0, 5.0, 50.0, 50.0, 5.0]
        );
        let step = LoadShape::Step { from_fps: 2.0, to_fps: 9.0, at_s: 60.0 };
        assert_eq!([59.5, 60.5].map(|s| step.fps(s)), [2.0, 9.0]);
        let day = LoadShape::Diurnal { low_fps: 2.0, high_fps: 40.0, period_s: 3600.0 };
        assert!(
            (day.fps(0.0) - 2.0).abs() < 1e-9
                && (day.fps(1800.0) - 40.0).abs() < 1e-9
                && (day.fps(900.0) - 21.0).abs() < 1e-9
        );
        let cameras = LoadShape::Cameras { count: 3, fps: 5.0, every_s: 60.0 };
        assert_eq!([0.5, 61.0, 130.0, 900.0].map(|s| cameras.fps(s)), [5.0, 10.0, 15.0, 15.0]);
        let table = LoadShape::Table(Steps(vec![(10.0, 4.0), (20.0, 7.0)]));
        assert_eq!([5.0, 10.0, 19.9, 20.0, 99.0].map(|s| table.fps(s)), [0.0, 4.0, 4.0, 7.0, 7.0]);
        assert_eq!((burst.peak_fps(5.0), burst.scaled(0.5).peak_fps(5.0)), (50.0, 25.0));
    }

    #[test]
    fn as_many_frames_come_as_are_expected() {
        let burst: LoadShape = "burst".parse().unwrap();
        let times = burst.arrivals(3, 60.0);
        // 30 periods of 90 s × 5 and 30 s × 50; four standard deviations
        assert!(times.len().abs_diff(58_500) < 970, "{}", times.len());
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
        let in_burst = times.iter().filter(|time| **time % 120_000_000 >= 90_000_000).count();
        assert!(in_burst.abs_diff(45_000) < 850, "{in_burst}");
        assert_eq!(times, burst.arrivals(3, 60.0));
        assert_ne!(times, burst.arrivals(4, 60.0));
    }
}
