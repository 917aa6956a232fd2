//! Convolutions of each channel by itself.
//!
//! Plain Rust in rows of sixteen channels, which the compiler turns into vectors of the instruction
//! set: a product of a byte and a weight fits into 16 bits.

use super::convolution::{self, PANEL, Step, in_panels, reach};
use super::finish::Finish;
use super::{Layout, strips};
use crate::conv::{Lanes, Work, on};
use crate::{Isa, Size, Team};

/// Neighbours whose sums are made together.
const PIXELS: usize = 4;

/// The weights of a depthwise convolution, quantised.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseFilters<'a> {
    /// `[channels, size, size]`, row by row.
    pub kernel: &'a [i8],
    /// The kernel's side.
    pub size: usize,
    /// For each channel, from the sum of products to the unit of the output; above 0.
    pub factors: &'a [f32],
    /// For each channel, added after that.
    pub addends: &'a [f32],
    /// What the outcome is multiplied by where it is negative, 0 to 1; 1 is no activation.
    pub slope: f32,
    /// No outcome is above, in the unit of the output; infinity changes nothing.
    pub cap: f32,
}

/// A depthwise convolution that is ready to run, from bytes to bytes.
#[derive(Clone, Debug)]
pub struct Depthwise {
    /// `[panels, kernel cells]`.
    weights: Vec<[i16; PANEL]>,
    /// One a channel, in whole panels: what the sum starts with, minus the products of the input's
    /// zero.
    starts: Vec<[i32; PANEL]>,
    factors: Vec<[f32; PANEL]>,
    addends: Vec<[f32; PANEL]>,
    finish: Finish,
    /// Where the kernel's cells are, in bytes from the first.
    cells: Vec<usize>,
    step: Step,
    output: Layout,
}

impl Depthwise {
    /// Packs the weights; `zero` of the output's bytes means zero, and it gets `border` of these.
    ///
    /// # Panics
    /// When slices do not have the lengths that follow from the channels' number and the side, the
    /// input is no layer's or has other channels, the padding is wider than the border, or the
    /// kernel is larger than the padded input.
    #[must_use]
    pub fn new(filters: DepthwiseFilters<'_>, step: Step, (zero, border): (u8, usize)) -> Self {
        let DepthwiseFilters { kernel, size, factors, addends, slope, cap } = filters;
        let Step { input, strides, dilation, padding, .. } = step;
        let (channels, area) = (factors.len(), size * size);
        assert_eq!(addends.len(), channels, "an addend for each channel");
        assert_eq!(kernel.len(), channels * area, "a weight for each cell");
        assert!(channels > 0 && input.stride() == channels.next_multiple_of(PANEL), "a layer");
        assert!(padding <= input.border(), "the border is the padding");
        assert!((0.0..=1.0).contains(&slope), "a slope of at most 1");
        assert!(convolution::sum_fits(area), "sums of 32 bits");
        let out = Size {
            width: reach(input.size().width, size, strides.1, dilation, padding),
            height: reach(input.size().height, size, strides.0, dilation, padding),
        };
        let weight = |channel: usize, cell: usize| {
            kernel.get(channel * area + cell).map_or(0, |weight| i16::from(*weight))
        };
        let panels = channels.div_ceil(PANEL);
        let weights = (0..panels * area)
            .map(|at| std::array::from_fn(|lane| weight(at / area * PANEL + lane, at % area)));
        let starts: Vec<i32> = kernel
            .chunks_exact(area)
            .map(|weights| {
                -i32::from(step.zero) * weights.iter().map(|weight| i32::from(*weight)).sum::<i32>()
            })
            .collect();
        let cells = (0..area).map(|cell| {
            cell / size * dilation * input.row() + cell % size * dilation * input.stride()
        });
        Self {
            weights: weights.collect(),
            starts: in_panels(&starts),
            factors: in_panels(factors),
            addends: in_panels(addends),
            finish: Finish { slope, cap, zero },
            cells: cells.collect(),
            step,
            output: Layout::of_layer(channels, out, border),
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
    pub fn run(&self, isa: Isa, team: &Team, from: &[u8], to: &mut [u8]) {
        assert_eq!(from.len(), self.step.input.bytes(), "the input's bytes");
        assert_eq!(to.len(), self.output.bytes(), "the output's bytes");
        let most = team.share(self.output.size().height);
        let strips = strips::cut(self.output, most, to);
        team.each(strips, |(strip, to)| {
            on(isa, Rows { layer: self, from, first: strip.first(), to });
        });
        self.output.surround(to, self.finish.zero);
    }
}

/// Some rows of the output.
struct Rows<'a> {
    layer: &'a Depthwise,
    from: &'a [u8],
    first: usize,
    to: &'a mut [u8],
}

impl Work for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L::Token) {
        let Depthwise { step, output, .. } = *self.layer;
        let Size { width, .. } = output.size();
        let edge = output.border() * output.stride();
        let stride = step.strides.1 * step.input.stride();
        for (row, to) in self.to.chunks_exact_mut(output.row()).enumerate() {
            let y = (self.first + row) * step.strides.0;
            let from = &self.from[step.origin() + y * step.input.row()..];
            let to = &mut to[edge..][..width * output.stride()];
            let whole = width / PIXELS * PIXELS;
            for x in (0..whole).step_by(PIXELS) {
                let to = &mut to[x * output.stride()..];
                self.layer.neighbours::<PIXELS>(&from[x * stride..], stride, to);
            }
            for x in whole..width {
                let to = &mut to[x * output.stride()..];
                self.layer.neighbours::<1>(&from[x * stride..], stride, to);
            }
        }
    }
}

impl Depthwise {
    /// Outputs next to each other, whose inputs are so many bytes apart.
    #[inline(always)]
    fn neighbours<const N: usize>(&self, from: &[u8], stride: usize, to: &mut [u8]) {
        for panel in 0..self.starts.len() {
            let mut sums = [self.starts[panel]; N];
            let weights = &self.weights[panel * self.cells.len()..];
            for (cell, weights) in self.cells.iter().zip(weights) {
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let at = panel * PANEL + cell + pixel * stride;
                    let bytes: &[u8; PANEL] =
                        from[at..].first_chunk().expect("the border is in the input");
                    for lane in 0..PANEL {
                        sums[lane] += i32::from(i16::from(bytes[lane]) * weights[lane]);
                    }
                }
            }
            let (factors, addends) = (&self.factors[panel], &self.addends[panel]);
            for (pixel, sums) in sums.iter().enumerate() {
                let place = pixel * self.output.stride() + panel * PANEL;
                let to: &mut [u8; PANEL] =
                    to[place..].first_chunk_mut().expect("whole panels of an output");
                *to = self.finish.bytes(std::array::from_fn(|lane| {
                    sums[lane] as f32 * factors[lane] + addends[lane]
                }));
            }
        }
    }
}
