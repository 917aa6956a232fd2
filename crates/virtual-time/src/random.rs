//! A small random number generator whose numbers are the same on every machine and with every
//! version of every dependency.

use std::f64::consts::TAU;

/// xoshiro256++ by Blackman and Vigna, seeded through SplitMix64, as its authors advise:
/// <https://prng.di.unimi.it/>.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator of one purpose: the same seed and purpose give the same numbers, and purposes
    /// do not disturb each other.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a over the purpose's name: <http://www.isthe.com/chongo/tech/comp/fnv/>
        let mixed = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed.rotate_left(32), |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        let mut split = mixed ^ seed;
        let state = std::array::from_fn(|_| split_mix(&mut split));
        Self { state }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Evenly spread over 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // a bias of 2⁻³² at most, which no simulation can see
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    /// Exponentially distributed with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normally distributed with mean 0 and variance 1 (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (TAU * self.unit()).cos()
    }

    /// Log-normally distributed with this mean; `sigma` is the standard deviation of the logarithm.
    pub fn log_normal(&mut self, mean: f64, sigma: f64) -> f64 {
        mean * (sigma * self.normal() - sigma * sigma / 2.0).exp()
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(n: u32, mut draw: impl FnMut() -> f64) -> f64 {
        (0..n).map(|_| draw()).sum::<f64>() / f64::from(n)
    }

    #[test]
    fn the_reference_sequence_of_split_mix_comes_out() {
        // the first outputs for the seed 1234567, as published with the algorithm
        let mut state = 1_234_567;
        let first: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn seeds_and_purposes_differ() {
        let draw = |seed, purpose| Random::new(seed, purpose).next();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(7, "moments");
        let n = 200_000;
        assert!((mean_of(n, || random.unit()) - 0.5).abs() < 0.005);
        assert!((mean_of(n, || random.exponential()) - 1.0).abs() < 0.02);
        assert!(mean_of(n, || random.normal()).abs() < 0.02);
        assert!((mean_of(n, || random.normal().powi(2)) - 1.0).abs() < 0.03);
        assert!((mean_of(n, || random.log_normal(40.0, 0.3)) / 40.0 - 1.0).abs() < 0.02);
        assert!((mean_of(n, || f64::from(random.below(10))) - 4.5).abs() < 0.05);
        assert!((0..1000).all(|_| random.below(3) < 3));
        assert_eq!(random.log_normal(5.0, 0.0), 5.0);
    }
}
