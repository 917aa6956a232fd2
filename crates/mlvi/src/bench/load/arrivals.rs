//! When frames are sent: known beforehand, whatever the server does.

use clap::ValueEnum;
use std::time::Duration;
use virtual_time::Random;

/// How sendings are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// At random, as frames of many cameras that do not know of each other (a Poisson process)
    Poisson,
    /// At equal distances
    Even,
}

/// The moments of all sendings, from the start on.
pub(super) struct Arrivals {
    spread: Spread,
    gap_s: f64,
    random: Random,
    at_s: f64,
    end_s: f64,
}

impl Arrivals {
    /// `rate` a second for so long.
    pub(super) fn new(spread: Spread, rate: f64, time: Duration, seed: u64) -> Self {
        let random = Random::new(seed, "arrivals");
        Self { spread, gap_s: 1.0 / rate, random, at_s: 0.0, end_s: time.as_secs_f64() }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let at_s = self.at_s;
        self.at_s += match self.spread {
            Spread::Even => self.gap_s,
            Spread::Poisson => self.gap_s * self.random.exponential(),
        };
        (at_s < self.end_s).then(|| Duration::from_secs_f64(at_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_held_on_average() {
        let time = Duration::from_secs(100);
        let even: Vec<_> = Arrivals::new(Spread::Even, 4.0, time, 1).collect();
        assert_eq!(even.len(), 400);
        assert_eq!(even[5], Duration::from_millis(1250));
        let poisson: Vec<_> = Arrivals::new(Spread::Poisson, 4.0, time, 1).collect();
        assert!((340..460).contains(&poisson.len()), "{}", poisson.len());
        assert!(poisson.is_sorted() && poisson.last().unwrap() < &time);
        let again: Vec<_> = Arrivals::new(Spread::Poisson, 4.0, time, 1).collect();
        assert_eq!(poisson, again, "a seed makes it repeatable");
    }
}
