//! Sums of two layers, each of which has bytes of its own meaning.

use super::convolution::PANEL;
use super::finish::Finish;
use super::{Layout, strips};
use crate::conv::{Lanes, Work, on};
use crate::{Isa, Team};

/// A sum of two layers that is ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    inputs: [Layout; 2],
    /// From each input's bytes to the unit of the output.
    factors: [f32; 2],
    /// What the inputs' zeros come to, to be added.
    addend: f32,
    finish: Finish,
    output: Layout,
}

impl Sum {
    /// Of two layers of the same size and channels; of each, where it lies, which byte means zero,
    /// and the factor from its unit to that of the output. `slope` and `cap` are as in
    /// [`super::Filters`]; `zero` of the output's bytes means zero.
    ///
    /// # Panics
    /// When the layouts differ in size or channels, or the slope is not 0 to 1.
    #[must_use]
    pub fn new(
        inputs: [(Layout, u8, f32); 2],
        (slope, cap): (f32, f32),
        (output, zero): (Layout, u8),
    ) -> Self {
        for (input, ..) in inputs {
            assert_eq!(input.size(), output.size(), "the same sides");
            assert_eq!(input.stride(), output.stride(), "the same channels");
        }
        assert!(output.stride().is_multiple_of(PANEL), "a layer's pixels");
        assert!((0.0..=1.0).contains(&slope), "a slope of at most 1");
        Self {
            inputs: inputs.map(|(layout, ..)| layout),
            factors: inputs.map(|(_, _, factor)| factor),
            addend: -inputs.iter().map(|(_, zero, factor)| f32::from(*zero) * factor).sum::<f32>(),
            finish: Finish { slope, cap, zero },
            output,
        }
    }

    /// Where its bytes lie.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.output
    }

    /// Runs it.
    ///
    /// # Panics
    /// When a slice does not have the length of its layout.
    pub fn run(&self, isa: Isa, team: &Team, from: [&[u8]; 2], to: &mut [u8]) {
        for (from, layout) in from.iter().zip(self.inputs) {
            assert_eq!(from.len(), layout.bytes(), "the input's bytes");
        }
        assert_eq!(to.len(), self.output.bytes(), "the output's bytes");
        let most = team.share(self.output.size().height);
        team.each(strips::cut(self.output, most, to), |(strip, to)| {
            on(isa, Rows { sum: self, from, first: strip.first(), to });
        });
        self.output.surround(to, self.finish.zero);
    }
}

/// Some rows of the output.
struct Rows<'a> {
    sum: &'a Sum,
    from: [&'a [u8]; 2],
    first: usize,
    to: &'a mut [u8],
}

impl Work for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L::Token) {
        let Sum { inputs, factors, addend, finish, output } = *self.sum;
        let edge = output.border() * output.stride();
        let length = output.size().width * output.stride();
        for (row, to) in self.to.chunks_exact_mut(output.row()).enumerate() {
            let y = self.first + row;
            let a = &self.from[0][inputs[0].row_at(y)].as_chunks::<PANEL>().0;
            let b = &self.from[1][inputs[1].row_at(y)].as_chunks::<PANEL>().0;
            let to = to[edge..][..length].as_chunks_mut::<PANEL>().0;
            for ((to, a), b) in to.iter_mut().zip(*a).zip(*b) {
                *to = finish.bytes(std::array::from_fn(|lane| {
                    f32::from(a[lane]) * factors[0] + f32::from(b[lane]) * factors[1] + addend
                }));
            }
        }
    }
}
