//! Convolutions with packed weights.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::strips::{self, Strip};
use super::{Int8Isa, Layout, isa::Level, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx_vnni, avx2, avx512};
use crate::{Size, Team};

/// Filters of a panel: weights are packed, and sums are made, for so many at once.
pub(super) const PANEL: usize = 16;
/// Bytes of a pixel that one dot product takes in.
pub(super) const DEPTH: usize = 4;

/// Bytes of weights from which on each thread reads them but once.
const MANY_WEIGHTS: usize = 1 << 18;

/// Four weights of each filter of a panel.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Cell(pub(super) [[i8; DEPTH]; PANEL]);

/// The weights of a convolution, quantised.
#[derive(Clone, Copy, Debug)]
pub struct Filters<'a> {
    /// `[filters, channels, size, size]`, row by row; -128 is allowed.
    pub kernel: &'a [i8],
    /// Of its input.
    pub channels: usize,
    /// The kernel's side.
    pub size: usize,
    /// For each filter, from the sum of products to the unit of the output; above 0.
    pub factors: &'a [f32],
    /// For each filter, added after that.
    pub addends: &'a [f32],
    /// What the outcome is multiplied by where it is negative, 0 to 1; 1 is no activation.
    pub slope: f32,
    /// No outcome is above, in the unit of the output; infinity changes nothing.
    pub cap: f32,
}

/// How the kernel moves over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of the input.
    pub input: Layout,
    /// The byte that means zero there.
    pub zero: u8,
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// How far apart the kernel's cells are; 1 is without gaps.
    pub dilation: usize,
    /// Zeros on each of the four sides, no more than the input's border.
    pub padding: usize,
}

impl Step {
    /// Where the kernel's first cell is for the first output, in bytes of the input.
    pub(super) fn origin(self) -> usize {
        (self.input.border() - self.padding) * (self.input.row() + self.input.stride())
    }
}

/// What becomes of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bytes, of which `zero` means zero.
    Bytes {
        /// The byte that means zero.
        zero: u8,
        /// Whether only the largest of each 2 × 2 are kept; where a side is odd, the last one has
        /// what is left.
        halve: bool,
        /// Zeros around the output.
        border: usize,
    },
    /// Numbers, `[filters, height, width]`.
    Planes,
}

/// A convolution that is ready to run.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// `[panels, kernel cells, input stride / 4]`.
    pub(super) cells: Vec<Cell>,
    /// One a filter, in whole panels: what the sum starts with, minus the products of the input's
    /// zero.
    pub(super) starts: Vec<[i32; PANEL]>,
    pub(super) factors: Vec<[f32; PANEL]>,
    pub(super) addends: Vec<[f32; PANEL]>,
    pub(super) slope: f32,
    cap: f32,
    /// Where the kernel's runs of cells begin, in bytes from the first: a row's cells lie next to
    /// each other unless there are gaps between them.
    pub(super) runs: Vec<usize>,
    /// Dot products that one run takes.
    pub(super) depth: usize,
    pub(super) step: Step,
    /// Of the sums.
    pub(super) size: Size,
    pub(super) filters: usize,
    target: Target,
}

/// A convolution to bytes.
pub(super) struct ToBytes<'a> {
    pub(super) convolution: &'a Convolution,
    pub(super) halve: bool,
    pub(super) layout: Strip,
    pub(super) zero: u8,
}

impl ToBytes<'_> {
    /// What a byte can hold, less its zero.
    pub(super) fn limits(&self) -> (f32, f32) {
        let high = f32::from(u8::MAX - self.zero).min(self.convolution.cap);
        (-f32::from(self.zero), high)
    }
}

impl Convolution {
    /// Packs the weights.
    ///
    /// # Panics
    /// When slices do not have the lengths that follow from the filters' number and the sides, a
    /// pixel of the input is not as wide as the channels, the padding is wider than the border, the
    /// kernel is larger than the padded input, or a sum could be too large for 32 bits.
    #[must_use]
    pub fn new(filters: Filters<'_>, step: Step, target: Target) -> Self {
        let Filters { kernel, channels, size, factors, addends, slope, cap } = filters;
        let Step { input, zero, strides, dilation, padding } = step;
        let (count, area) = (factors.len(), size * size);
        assert_eq!(addends.len(), count, "an addend for each filter");
        assert_eq!(kernel.len(), count * channels * area, "a weight for each cell");
        assert!(channels > 0 && channels <= input.stride(), "channels of a pixel");
        assert!(padding <= input.border(), "the border is the padding");
        assert!((0.0..=1.0).contains(&slope), "a slope of at most 1");
        assert!(sum_fits(channels * area), "sums of 32 bits");
        let out = Size {
            width: reach(input.size().width, size, strides.1, dilation, padding),
            height: reach(input.size().height, size, strides.0, dilation, padding),
        };
        let run = if dilation == 1 { size } else { 1 };
        let runs = (0..area).step_by(run).map(|cell| {
            cell / size * dilation * input.row() + cell % size * dilation * input.stride()
        });
        let weights = Weights { kernel, channels, area };
        let panels = count.div_ceil(PANEL);
        let cells = (0..panels).flat_map(|panel| {
            let cell = move |at: usize| {
                let (cell, first) = (at / (input.stride() / DEPTH), at % (input.stride() / DEPTH));
                weights.cell(panel * PANEL, cell, first * DEPTH)
            };
            (0..area * input.stride() / DEPTH).map(cell)
        });
        let starts: Vec<i32> = (0..count)
            .map(|filter| {
                let weights = &kernel[filter * channels * area..][..channels * area];
                -i32::from(zero) * weights.iter().map(|weight| i32::from(*weight)).sum::<i32>()
            })
            .collect();
        Self {
            cells: cells.collect(),
            starts: in_panels(&starts),
            factors: in_panels(factors),
            addends: in_panels(addends),
            slope,
            cap,
            runs: runs.collect(),
            depth: run * input.stride() / DEPTH,
            step,
            size: out,
            filters: count,
            target,
        }
    }

    /// Where its bytes lie; `None` when it puts out planes.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        match self.target {
            Target::Bytes { halve, border, .. } => {
                let Size { width, height } = self.size;
                let size = if halve {
                    Size { width: width.div_ceil(2), height: height.div_ceil(2) }
                } else {
                    self.size
                };
                Some(Layout::of_layer(self.filters, size, border))
            }
            Target::Planes => None,
        }
    }

    /// Width and height of the planes.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// How many channels it puts out.
    #[must_use]
    pub fn filters(&self) -> usize {
        self.filters
    }

    /// Runs a convolution whose target is bytes; the threads share its rows.
    ///
    /// # Panics
    /// When a slice does not have the length of its layout, or the target is planes.
    pub fn to_bytes(&self, isa: Int8Isa, team: &Team, from: &[u8], to: &mut [u8]) {
        let (Target::Bytes { zero, halve, border: _ }, Some(layout)) = (self.target, self.layout())
        else {
            panic!("a convolution to planes")
        };
        assert_eq!(from.len(), self.step.input.bytes(), "the input's bytes");
        assert_eq!(to.len(), layout.bytes(), "the output's bytes");
        let rows = layout.size().height;
        let many = size_of_val(&self.cells[..]) > MANY_WEIGHTS;
        let most = if many { rows.div_ceil(team.threads()) } else { team.share(rows) };
        team.each(strips::cut(layout, most, to), |(layout, to)| {
            let work = ToBytes { convolution: self, halve, layout, zero };
            match isa.level() {
                Level::Portable => portable::to_bytes(&work, from, to),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2(isa) => avx2::to_bytes(isa, &work, from, to),
                #[cfg(target_arch = "x86_64")]
                Level::AvxVnni(isa) => avx_vnni::to_bytes(isa, &work, from, to),
                #[cfg(target_arch = "x86_64")]
                Level::Avx512Vnni(isa) => avx512::to_bytes(isa, &work, from, to),
                #[cfg(target_arch = "aarch64")]
                Level::Neon(isa) => neon::to_bytes(isa, &work, from, to),
                #[cfg(target_arch = "aarch64")]
                Level::DotProd(isa) => neon::to_bytes(isa, &work, from, to),
                #[cfg(target_arch = "aarch64")]
                Level::I8mm(isa) => neon::to_bytes(isa, &work, from, to),
            }
        });
        layout.surround(to, zero);
    }

    /// Runs a convolution whose target is planes.
    ///
    /// # Panics
    /// When a slice does not have the length of its layout, or the target is bytes.
    pub fn to_planes(&self, isa: Int8Isa, from: &[u8], to: &mut [f32]) {
        assert_eq!(self.target, Target::Planes, "a convolution to bytes");
        assert_eq!(from.len(), self.step.input.bytes(), "the input's bytes");
        assert_eq!(to.len(), self.filters * self.size.area(), "the output's numbers");
        match isa.level() {
            Level::Portable => portable::to_planes(self, from, to),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(isa) => avx2::to_planes(isa, self, from, to),
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni(isa) => avx_vnni::to_planes(isa, self, from, to),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni(isa) => avx512::to_planes(isa, self, from, to),
            #[cfg(target_arch = "aarch64")]
            Level::Neon(isa) => neon::to_planes(isa, self, from, to),
            #[cfg(target_arch = "aarch64")]
            Level::DotProd(isa) => neon::to_planes(isa, self, from, to),
            #[cfg(target_arch = "aarch64")]
            Level::I8mm(isa) => neon::to_planes(isa, self, from, to),
        }
    }

    /// Where the kernel's first cell is for the first output.
    pub(super) fn origin(&self) -> usize {
        self.step.origin()
    }

    pub(super) fn panels(&self) -> usize {
        self.starts.len()
    }

    /// The cells of one panel.
    pub(super) fn panel(&self, index: usize) -> &[Cell] {
        let count = self.runs.len() * self.depth;
        &self.cells[index * count..][..count]
    }

    /// Bytes of the input from the first that an output reads to behind the last.
    pub(super) fn span(&self) -> usize {
        self.runs.last().map_or(0, |run| run + self.depth * DEPTH)
    }

    /// Sums of one panel for pixels in a row become numbers of the planes. Where the last pixel is
    /// there several times, its sums are.
    pub(super) fn scatter(
        &self,
        panel: usize,
        sums: &[[i32; PANEL]],
        pixels: &[usize],
        to: &mut [f32],
    ) {
        let (Some(first), Some(last)) = (pixels.first(), pixels.last()) else { return };
        let area = self.size.area();
        let filters = PANEL.min(self.filters - panel * PANEL);
        for filter in 0..filters {
            let (factor, addend) = (self.factors[panel][filter], self.addends[panel][filter]);
            let plane = &mut to[(panel * PANEL + filter) * area..][..area];
            for (out, sums) in plane[*first..=*last].iter_mut().zip(sums) {
                let value = sums[filter] as f32 * factor + addend;
                *out = value.max(value * self.slope).min(self.cap);
            }
        }
    }
}

/// Whether a sum of so many products of bytes, less the products of a zero, fits into 32 bits.
#[must_use]
pub(super) fn sum_fits(products: usize) -> bool {
    products <= i32::MAX as usize / (2 * 255 * 128)
}

/// How many steps a kernel makes along a side.
pub(super) fn reach(
    side: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
) -> usize {
    assert!(size > 0 && stride > 0, "a kernel that moves");
    let (wide, kernel) = (side + 2 * padding, (size - 1) * dilation + 1);
    assert!(kernel <= wide, "a kernel no larger than its padded input");
    (wide - kernel) / stride + 1
}

#[derive(Clone, Copy)]
struct Weights<'a> {
    kernel: &'a [i8],
    channels: usize,
    /// Cells of a kernel.
    area: usize,
}

impl Weights<'_> {
    /// Those of a panel's filters at one of the kernel's cells for four channels; 0 beyond them.
    fn cell(&self, filter: usize, tap: usize, channel: usize) -> Cell {
        let count = self.kernel.len() / (self.channels * self.area);
        let weight = |filter: usize, channel: usize| {
            let there = filter < count && channel < self.channels;
            let at = (filter * self.channels + channel) * self.area + tap;
            if there { self.kernel[at] } else { 0 }
        };
        Cell(std::array::from_fn(|row| {
            std::array::from_fn(|place| weight(filter + row, channel + place))
        }))
    }
}

pub(super) fn in_panels<T: Copy + Default>(values: &[T]) -> Vec<[T; PANEL]> {
    let panel =
        |values: &[T]| std::array::from_fn(|index| values.get(index).copied().unwrap_or_default());
    values.chunks(PANEL).map(panel).collect()
}
