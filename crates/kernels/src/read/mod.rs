//! How fast a core reads memory.

/// Reads all words once, from the first to the last, and returns their sum: as fast as memory gives
/// them, since plain vector additions are faster than any memory.
#[must_use]
pub fn read(words: &[u64]) -> u64 {
    // sums of their own, so that no addition waits for the one before
    let (blocks, rest) = words.as_chunks::<32>();
    let mut sums = [0u64; 32];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
}
