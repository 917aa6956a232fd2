//! Which traces are exported as they come.

use frame::TraceParent;

/// The bits of a trace id that are random by the W3C's Trace Context (level 2), and that decide.
const RANDOM_BITS: u32 = 56;

/// Decides on a trace, by OpenTelemetry's names.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sampler {
    /// Whether what the caller has decided counts, where there is a caller.
    pub(super) parent_based: bool,
    /// A trace without a caller is sampled if its random bits are not below this.
    threshold: u64,
}

impl Sampler {
    /// The share `ratio` of all traces, from 0 to 1.
    pub(super) fn of(parent_based: bool, ratio: f64) -> Self {
        let all = (1_u64 << RANDOM_BITS) as f64;
        Self { parent_based, threshold: ((1.0 - ratio.clamp(0.0, 1.0)) * all) as u64 }
    }

    /// A new trace, decided on.
    pub(super) fn root(self) -> TraceParent {
        let root = TraceParent::root();
        root.with_sampled(self.takes(root))
    }

    /// A span of our own under that of a caller.
    pub(super) fn under(self, parent: TraceParent) -> TraceParent {
        let child = parent.child();
        if self.parent_based { child } else { child.with_sampled(self.takes(child)) }
    }

    /// By the trace id alone, so that everybody with this share decides the same.
    fn takes(self, trace: TraceParent) -> bool {
        let random = trace.trace_bits() as u64 & ((1 << RANDOM_BITS) - 1);
        random >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_new_traces_is_the_one_asked_for() {
        for (ratio, low, high) in [(0.0, 0, 0), (0.1, 800, 1200), (1.0, 10_000, 10_000)] {
            let sampler = Sampler::of(true, ratio);
            let sampled = (0..10_000).filter(|_| sampler.root().is_sampled()).count();
            assert!((low..=high).contains(&sampled), "{sampled} of 10000 at {ratio}");
        }
    }

    #[test]
    fn a_callers_decision_counts_only_where_it_is_to() {
        let caller = TraceParent::root().with_sampled(false);
        assert!(!Sampler::of(true, 1.0).under(caller).is_sampled());
        assert!(Sampler::of(false, 1.0).under(caller).is_sampled());
        assert!(!Sampler::of(false, 0.0).under(caller.with_sampled(true)).is_sampled());
        assert!(Sampler::of(true, 0.0).under(caller.with_sampled(true)).is_sampled());
    }

    #[test]
    fn whoever_has_the_same_share_decides_the_same() {
        let (one, other) = (Sampler::of(false, 0.3), Sampler::of(false, 0.3));
        for _ in 0..100 {
            let root = one.root();
            assert_eq!(other.under(root).is_sampled(), root.is_sampled());
        }
    }
}
