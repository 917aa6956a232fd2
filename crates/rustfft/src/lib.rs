//! Fourier transforms, with as much of the interface of the library `rustfft` as tract uses.
//!
//! tract has operators for spectra, which networks for sound need and detectors do not. The library
//! that they call takes 2 MB in each binary, for a speed that nobody here asks for. This crate takes
//! its place (`[patch]` in the workspace's `Cargo.toml`) with the plain algorithm: mixed-radix
//! Cooley and Tukey (1965), n · (sum of n's prime factors) steps, so a length that is a large prime
//! takes n². Results are not scaled, in either direction, as in that library.

pub use num_complex;
pub use num_traits;

use num_complex::Complex;
use num_traits::{FromPrimitive, Signed};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// A number that can be transformed.
pub trait FftNum: Copy + FromPrimitive + Signed + Sync + Send + Debug + 'static {}

impl<T: Copy + FromPrimitive + Signed + Sync + Send + Debug + 'static> FftNum for T {}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FftDirection {
    /// From a signal to its spectrum.
    Forward,
    /// Back, n times as large.
    Inverse,
}

/// A transform of one length.
pub trait Fft<T: FftNum>: Sync + Send {
    /// Transforms each piece of that length in place.
    ///
    /// # Panics
    /// When the number of values is no multiple of the length.
    fn process(&self, buffer: &mut [Complex<T>]);
}

/// Makes transforms.
#[derive(Debug)]
pub struct FftPlanner<T>(PhantomData<T>);

impl<T: FftNum> Default for FftPlanner<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: FftNum> FftPlanner<T> {
    /// One planner.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// A transform of `length` values.
    pub fn plan_fft(&mut self, length: usize, direction: FftDirection) -> Arc<dyn Fft<T>> {
        let sign = match direction {
            FftDirection::Forward => -1.0,
            FftDirection::Inverse => 1.0,
        };
        let turn = |step: usize| {
            let angle = sign * std::f64::consts::TAU * step as f64 / length as f64;
            let number = |value: f64| T::from_f64(value).unwrap_or_else(T::zero);
            Complex::new(number(angle.cos()), number(angle.sin()))
        };
        Arc::new(Plan { roots: (0..length).map(turn).collect() })
    }

    /// As [`FftPlanner::plan_fft`], from a signal to its spectrum.
    pub fn plan_fft_forward(&mut self, length: usize) -> Arc<dyn Fft<T>> {
        self.plan_fft(length, FftDirection::Forward)
    }
}

/// The roots of unity of one length.
struct Plan<T> {
    roots: Vec<Complex<T>>,
}

impl<T: FftNum> Fft<T> for Plan<T> {
    fn process(&self, buffer: &mut [Complex<T>]) {
        let length = self.roots.len();
        if length == 0 {
            return;
        }
        assert!(buffer.len().is_multiple_of(length), "{} values by {length}", buffer.len());
        for signal in buffer.chunks_exact_mut(length) {
            let from = signal.to_vec();
            self.transform(&from, 1, signal);
        }
    }
}

impl<T: FftNum> Plan<T> {
    /// The transform of every `stride`-th value of `from`, as many as `to` has.
    fn transform(&self, from: &[Complex<T>], stride: usize, to: &mut [Complex<T>]) {
        let length = to.len();
        if length <= 1 {
            to.copy_from_slice(&from[..length]);
            return;
        }
        let radix = smallest_factor(length);
        let part = length / radix;
        let mut parts = vec![Complex::new(T::zero(), T::zero()); length];
        for (number, part) in parts.chunks_exact_mut(part).enumerate() {
            self.transform(&from[number * stride..], stride * radix, part);
        }
        let step = self.roots.len() / length;
        for (at, to) in to.iter_mut().enumerate() {
            let term = |number: usize| {
                parts[number * part + at % part] * self.roots[number * at % length * step]
            };
            *to = (1..radix).fold(parts[at % part], |sum, number| sum + term(number));
        }
    }
}

/// Of a number above 1.
fn smallest_factor(number: usize) -> usize {
    let candidates = (2..).take_while(|factor| factor * factor <= number);
    candidates.into_iter().find(|factor| number.is_multiple_of(*factor)).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(length: usize) -> Vec<Complex<f64>> {
        let value = |at: usize| {
            let at = at as f64;
            Complex::new((at * 1.7).sin() + 0.3, (at * at * 0.31).cos())
        };
        (0..length).map(value).collect()
    }

    /// The definition.
    fn spectrum(signal: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let length = signal.len() as f64;
        let bin = |bin: usize| {
            let term = |(at, value): (usize, &Complex<f64>)| {
                let angle = -std::f64::consts::TAU * (bin * at) as f64 / length;
                value * Complex::new(angle.cos(), angle.sin())
            };
            signal.iter().enumerate().map(term).sum()
        };
        (0..signal.len()).map(bin).collect()
    }

    #[test]
    fn every_length_is_transformed_by_the_definition_and_back() {
        for length in (0..=40).chain([64, 97, 100, 256, 360]) {
            let from = signal(length);
            let mut values = from.clone();
            FftPlanner::new().plan_fft_forward(length).process(&mut values);
            for (ours, right) in values.iter().zip(spectrum(&from)) {
                assert!((ours - right).norm() < 1e-8, "{length}: {ours} is not {right}");
            }
            FftPlanner::new().plan_fft(length, FftDirection::Inverse).process(&mut values);
            for (ours, right) in values.iter().zip(&from) {
                assert!((ours / length as f64 - right).norm() < 1e-9, "{length}");
            }
        }
    }

    #[test]
    fn several_signals_are_transformed_one_by_one() {
        let mut two = [signal(6), signal(6)].concat();
        FftPlanner::new().plan_fft_forward(6).process(&mut two);
        assert_eq!(two[..6], two[6..]);
        let mut one = signal(6);
        FftPlanner::new().plan_fft_forward(6).process(&mut one);
        assert_eq!(one, two[..6]);
    }
}
