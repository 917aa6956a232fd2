//! What the bandit has learned of one tier.

/// Upper ends of the buckets of load ratios; the last bucket has none.
const BUCKETS: [f64; 16] =
    [0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.4, 2.0, f64::INFINITY];
/// The bucket of the highest load ratios.
pub(super) const LAST_BUCKET: usize = BUCKETS.len() - 1;
/// What an older observation counts of what the next one does: about the latest hundred in a bucket
/// count.
const DISCOUNT: f64 = 0.99;
/// How many observations the initial belief is worth.
const PRIOR_WEIGHT: f64 = 1.0;
/// The width of the confidence bound; the theory's constant is for worst cases and explores more
/// than pays.
const CONFIDENCE: f64 = 0.005;

/// In which bucket a load ratio is.
pub(super) fn bucket_of(ratio: f64) -> usize {
    BUCKETS.partition_point(|upper| *upper < ratio).min(LAST_BUCKET)
}

/// The probability of missing the deadline on a tier, by load ratio.
#[derive(Clone)]
pub(super) struct Arm {
    cells: [Cell; BUCKETS.len()],
    /// The probability of missing, never falling from bucket to bucket.
    pub(super) miss: [f64; BUCKETS.len()],
    /// Its lower confidence bound, never falling either.
    pub(super) bound: [f64; BUCKETS.len()],
}

#[derive(Clone, Copy)]
struct Cell {
    weight: f64,
    missed: f64,
}

impl Arm {
    pub(super) fn new() -> Self {
        // before anything was seen, predictions are taken at their word
        let cell = |index: usize| {
            let missed = match BUCKETS[index] {
                upper if upper <= 0.9 => 0.0,
                upper if upper <= 1.0 => 0.5,
                _ => 1.0,
            };
            Cell { weight: PRIOR_WEIGHT, missed: PRIOR_WEIGHT * missed }
        };
        let mut arm = Self {
            cells: std::array::from_fn(cell),
            miss: [0.0; BUCKETS.len()],
            bound: [0.0; BUCKETS.len()],
        };
        arm.estimate(1.0);
        arm
    }

    /// A frame at this load ratio missed its deadline or not.
    pub(super) fn observe(&mut self, bucket: usize, missed: bool) {
        let cell = &mut self.cells[bucket];
        cell.weight = cell.weight * DISCOUNT + 1.0;
        cell.missed = cell.missed * DISCOUNT + f64::from(u8::from(missed));
    }

    /// Pools adjacent violators, then bounds.
    pub(super) fn estimate(&mut self, observations: f64) {
        let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(BUCKETS.len());
        for cell in &self.cells {
            let (mut missed, mut weight, mut length) = (cell.missed, cell.weight, 1);
            while let Some(&(before, of, cells)) = blocks.last()
                && before / of > missed / weight
            {
                (missed, weight, length) = (missed + before, weight + of, length + cells);
                blocks.pop();
            }
            blocks.push((missed, weight, length));
        }
        let (mut bucket, mut least) = (0, 0.0f64);
        for (missed, weight, length) in blocks {
            let probability = missed / weight;
            let width = (CONFIDENCE * (1.0 + observations).ln() / weight).sqrt();
            least = least.max(probability - width);
            for _ in 0..length {
                (self.miss[bucket], self.bound[bucket]) = (probability, least.clamp(0.0, 1.0));
                bucket += 1;
            }
        }
    }
}
