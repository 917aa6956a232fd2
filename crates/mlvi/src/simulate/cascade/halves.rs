//! Halves of a set of images: one to fit a measure on, the other to judge it by.

/// Both halves.
pub(super) struct Halves {
    one: Vec<usize>,
    other: Vec<usize>,
    names: [&'static str; 2],
}

/// One way to use them.
pub(super) struct Half<'a> {
    pub(super) name: &'static str,
    pub(super) fitted: &'a [usize],
    pub(super) judged: &'a [usize],
}

/// Fewer images cannot be fitted, let alone judged.
const FEWEST: usize = 20;

impl Halves {
    /// The first, third, fifth … image, and the others.
    pub(super) fn even_odd(images: &[usize]) -> anyhow::Result<Self> {
        let halve = |first: usize| images.iter().copied().skip(first).step_by(2).collect();
        Self::new(
            halve(0),
            halve(1),
            ["even half, judged on the odd one", "odd half, judged on the even one"],
        )
    }

    /// By chance; the same for the same seed. Within a half the images keep their order.
    pub(super) fn random(images: &[usize], seed: u64) -> anyhow::Result<Self> {
        let shuffled = shuffled(images, seed);
        let (one, other) = shuffled.split_at(images.len() / 2);
        let sorted = |half: &[usize]| {
            let mut half = half.to_vec();
            half.sort_unstable();
            half
        };
        Self::new(
            sorted(one),
            sorted(other),
            ["one half, judged on the other", "other half, judged on the one"],
        )
    }

    fn new(one: Vec<usize>, other: Vec<usize>, names: [&'static str; 2]) -> anyhow::Result<Self> {
        let count = one.len() + other.len();
        anyhow::ensure!(
            count >= FEWEST,
            "there are {count} images; at least {FEWEST} are needed to fit and judge a measure"
        );
        Ok(Self { one, other, names })
    }

    pub(super) fn both_ways(&self) -> [Half<'_>; 2] {
        let half = |name, fitted, judged| Half { name, fitted, judged };
        [half(self.names[0], &self.one, &self.other), half(self.names[1], &self.other, &self.one)]
    }
}

/// Fisher and Yates's shuffle with SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
pub(super) fn shuffled(images: &[usize], seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut shuffled = images.to_vec();
    for last in (1..shuffled.len()).rev() {
        // the bias of a remainder is one in 10¹⁷ here
        shuffled.swap(last, (next() % (last as u64 + 1)) as usize);
    }
    shuffled
}
