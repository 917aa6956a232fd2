//! What this machine can do at most: the floors under every layer's time.

use kernels::Isa;
use serde::Serialize;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// For each of the two measurements; the fastest part of it counts.
const TIME: Duration = Duration::from_millis(400);
/// Rounds between two looks at the clock, a fraction of a millisecond.
const ROUNDS: usize = 20_000;
/// If the size of the last-level cache is not known.
const CACHE: usize = 64 << 20;
/// The most that is read at a time, whatever the cache: most machines can spare it.
const MOST: usize = 1 << 30;

/// What one core of this machine can do at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Floors {
    /// The instructions with which it multiplies and adds.
    pub(super) instructions: &'static str,
    /// Floating-point operations per second in float32: a multiplication and an addition are two.
    pub(super) flops: f64,
    /// Bytes per second that it reads from beyond its caches, one after the other.
    pub(super) bytes_per_s: f64,
}

impl Floors {
    /// Measures for about a second.
    pub(super) fn measure() -> Self {
        let isa = Isa::best();
        let flops = fastest(|| {
            let (operations, sum) =
                kernels::multiply_add(isa, ROUNDS, black_box(0.5), black_box(1.0));
            black_box(sum);
            operations as f64
        });
        // twice the cache, so that nothing of one round is still there in the next
        let bytes = (2 * crate::bench::machine::cache_bytes().unwrap_or(CACHE)).min(MOST);
        let words = vec![1u64; bytes / size_of::<u64>()];
        let bytes_per_s = fastest(|| {
            black_box(kernels::read(black_box(&words)));
            (words.len() * size_of::<u64>()) as f64
        });
        Self { instructions: isa.name(), flops, bytes_per_s }
    }

    /// The least time of so many operations, in milliseconds.
    pub(super) fn arithmetic_ms(&self, operations: f64) -> f64 {
        operations / self.flops * 1000.0
    }

    /// The least time in which so many bytes come from memory, in milliseconds.
    pub(super) fn memory_ms(&self, bytes: f64) -> f64 {
        bytes / self.bytes_per_s * 1000.0
    }
}

/// The highest rate per second of some work, which tells how much it was.
fn fastest(mut work: impl FnMut() -> f64) -> f64 {
    let started = Instant::now();
    let mut best = 0.0;
    while started.elapsed() < TIME || best == 0.0 {
        let from = Instant::now();
        let done = work();
        best = f64::max(best, done / from.elapsed().as_secs_f64().max(1e-9));
    }
    best
}
