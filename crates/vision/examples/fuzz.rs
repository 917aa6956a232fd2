//! Decodes damaged copies of files until the time is up: `fuzz SECONDS FILE...`. `.ci/fuzz` runs it
//! under a sanitizer.
//!
//! What it looks for shows outside of it: a panic, a crash, an access to memory that is not its
//! own.

#![allow(clippy::print_stdout, reason = "a program for the command line")]

use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use vision::{Limits, decode, probe};

const LIMITS: Limits = Limits { max_pixels: 1_000_000 };

/// xorshift64: the same damage on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A few changes of the kinds that a decoder stumbles over: bits, lengths, markers, pieces missing
/// or doubled, an early end.
fn damage(bytes: &[u8], others: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(6) {
        let range = if dice.below(2) == 0 { bytes.len().min(700) } else { bytes.len() };
        let at = dice.below(range);
        let end = (at + dice.below(64)).min(bytes.len());
        match dice.below(8) {
            0 => bytes.truncate(at.max(12)),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            3 => {
                let from = dice.below(others.len());
                let piece = &others[from..(from + end - at).min(others.len())];
                drop(bytes.splice(at..end, piece.to_vec()));
            }
            4 if end > at + 1 => bytes[at..at + 2].copy_from_slice(&[0xFF, dice.below(256) as u8]),
            5 if end > at + 3 => bytes[at..at + 4].fill([0, 0x7F, 0x80, 0xFF][dice.below(4)]),
            _ if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            _ => (),
        }
    }
    bytes
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .context("usage: fuzz SECONDS FILE...")?;
    let files =
        arguments.map(|path| std::fs::read(&path).context(path)).collect::<Result<Vec<_>>>()?;
    let whole = files.iter().filter(|bytes| decode(bytes, &LIMITS).is_ok()).count();
    println!("{} files, {whole} of them can be decoded", files.len());
    let (mut dice, mut decoded, mut refused) = (Dice(0x9E37_79B9_7F4A_7C15), 0u64, 0u64);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) && !files.is_empty() {
        let (one, other) = (dice.below(files.len()), dice.below(files.len()));
        let damaged = damage(&files[one], &files[other], &mut dice);
        let _ = probe(&damaged, &LIMITS);
        *if decode(&damaged, &LIMITS).is_ok() { &mut decoded } else { &mut refused } += 1;
    }
    println!("{} damaged files: {decoded} decoded, {refused} refused", decoded + refused);
    Ok(())
}
