//! How often a layer puts out which values, in a bounded memory.

use engine::Range;

/// Bins above zero, and as many below.
const HALF: usize = 2048;
/// In how many steps a bound is sought.
const STEPS: usize = 64;

/// Counts in bins of equal width around zero, which get wider when a value lies beyond them.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    bins: Vec<u64>,
    /// Where the last bin ends; 0 before the first value that is not 0.
    limit: f32,
    seen: Option<Range>,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { bins: vec![0; 2 * HALF], limit: 0.0, seen: None }
    }

    /// Counts values; what is no finite number is passed over.
    pub(super) fn add(&mut self, values: &[f32]) {
        let mut seen = self.seen;
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            let point = Range { low: value, high: value };
            seen = Some(seen.map_or(point, |seen| seen.with(point)));
        }
        let Some(range) = seen else { return };
        self.seen = seen;
        let largest = range.high.max(-range.low);
        if self.limit == 0.0 {
            self.limit = largest;
        }
        while self.limit < largest {
            self.widen();
        }
        // all values so far were 0
        let bins = if self.limit > 0.0 { HALF as f32 / self.limit } else { 0.0 };
        for value in values.iter().filter(|value| value.is_finite()) {
            let bin = (value * bins + HALF as f32) as usize;
            self.bins[bin.min(2 * HALF - 1)] += 1;
        }
    }

    fn widen(&mut self) {
        let mut wider = vec![0; 2 * HALF];
        for (bin, count) in self.bins.iter().enumerate() {
            wider[(bin + HALF) / 2] += count;
        }
        (self.bins, self.limit) = (wider, self.limit * 2.0);
    }

    /// The least and the largest value.
    pub(super) fn extremes(&self) -> Range {
        self.seen.unwrap_or(Range::ZERO)
    }

    /// Without as many of the outermost values on each side as leave `share` of all.
    pub(super) fn percentile(&self, share: f64) -> Range {
        let all: u64 = self.bins.iter().sum();
        let outside = (all as f64 * (1.0 - share)) as u64;
        let from = |bins: &mut dyn Iterator<Item = (usize, &u64)>| {
            let mut count = 0;
            let mut found = None;
            for (bin, in_bin) in bins {
                count += in_bin;
                if count > outside {
                    found = Some(bin);
                    break;
                }
            }
            found
        };
        let bin = 1.0 / HALF as f32 * self.limit;
        let low = from(&mut self.bins.iter().enumerate());
        let high = from(&mut self.bins.iter().enumerate().rev());
        let (Some(low), Some(high)) = (low, high) else { return Range::ZERO };
        let edge = |edge: usize| (edge as f32 - HALF as f32) * bin;
        let seen = self.extremes();
        Range { low: edge(low).max(seen.low), high: edge(high + 1).min(seen.high) }
    }

    /// The range in which 255 steps leave the least mean square error, with what lies beyond it cut
    /// off.
    pub(super) fn least_error(&self) -> Range {
        let seen = self.extremes().with(Range::ZERO);
        let part = |bound: f32, step: usize| bound * step as f32 / STEPS as f32;
        let mut best = (f64::INFINITY, seen);
        for high in (1..=STEPS).map(|step| part(seen.high, step)) {
            for low in (0..=STEPS).map(|step| part(seen.low, step)) {
                let range = Range { low, high };
                let error = self.error(range);
                if error < best.0 {
                    best = (error, range);
                }
                if seen.low == 0.0 {
                    break;
                }
            }
        }
        best.1
    }

    fn error(&self, range: Range) -> f64 {
        let step = f64::from(range.high - range.low) / 255.0;
        let (low, high) = (f64::from(range.low), f64::from(range.high));
        let bin = f64::from(self.limit) / HALF as f64;
        let error = |(index, count): (usize, &u64)| {
            let centre = (index as f64 + 0.5 - HALF as f64) * bin;
            let beyond = (low - centre).max(centre - high).max(0.0);
            *count as f64 * (beyond * beyond + step * step / 12.0)
        };
        self.bins.iter().enumerate().filter(|(_, count)| **count > 0).map(error).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_widen_and_keep_what_they_counted() {
        let mut histogram = Histogram::new();
        histogram.add(&[0.0, f32::NAN]);
        assert_eq!(histogram.extremes(), Range::ZERO);
        histogram.add(&[1.0, -1.0, 0.5]);
        histogram.add(&[7.0]);
        assert_eq!(histogram.extremes(), Range { low: -1.0, high: 7.0 });
        assert_eq!(histogram.limit, 8.0);
        assert_eq!(histogram.bins.iter().sum::<u64>(), 5);
        let bin = |value: f32| (value / 8.0 * HALF as f32 + HALF as f32) as usize;
        for value in [0.5, 7.0] {
            assert_eq!(histogram.bins[bin(value)], 1, "{value}");
        }
    }

    #[test]
    fn outliers_are_left_out_of_percentiles_and_of_the_least_error() {
        let mut histogram = Histogram::new();
        let many: Vec<f32> = (0..100_000).map(|index| (index % 1000) as f32 / 1000.0).collect();
        histogram.add(&many);
        histogram.add(&[40.0]);
        let close = |range: Range, high: f32| (range.high - high).abs() < 0.05;
        assert!(close(histogram.percentile(1.0), 40.0));
        assert!(close(histogram.percentile(0.9999), 1.0), "{:?}", histogram.percentile(0.9999));
        // two values of a hundred thousand are worth the steps that the others lose up to here
        let best = histogram.least_error();
        assert!(best.low == 0.0 && best.high > 1.0 && best.high < 40.0, "{best:?}");
        for high in [1.0, 40.0] {
            assert!(histogram.error(best) < histogram.error(Range { low: 0.0, high }), "{best:?}");
        }
    }
}
