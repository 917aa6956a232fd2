//! In blocks first, which the compiler turns into vector code: most blocks lack the byte.

/// Bytes of a block.
const BLOCK: usize = 32;

pub(super) fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let skipped = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |any, byte| any | (*byte == wanted)))
        .count();
    let start = skipped * BLOCK;
    bytes[start..].iter().position(|byte| *byte == wanted).map(|found| start + found)
}
