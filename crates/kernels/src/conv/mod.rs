//! Two-dimensional convolutions in single precision, as networks of the YOLO family use them.
//!
//! Activations are `[batch, height, width, channels]` ("NHWC") with the channels padded to a
//! multiple of sixteen by zeros ([`padded`]), so that a pixel is a row of whole vectors. Weights are
//! packed once, for a [`Method`] and an instruction set. Methods in bfloat16 take and give numbers
//! of 32 bits, too; they round what they multiply.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
mod bfloat16;
mod depthwise;
mod direct;
mod inverted_residual;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pair_isa;
mod planar;
mod portable;
mod product;
mod scratch;
mod winograd;

use crate::isa::Level;
use crate::{Isa, Team};
pub use inverted_residual::InvertedResidual;
pub use lanes::BLOCK;
pub(crate) use lanes::{Lanes, Work};
use pair_isa::PairIsa;

/// Channels as they lie in memory: the next multiple of sixteen.
#[must_use]
pub const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}

/// Does work with the vectors of an instruction set.
pub(crate) fn on<W: Work>(isa: Isa, work: W) -> W::Output {
    match isa.level() {
        Level::Portable => portable::run(work),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::run(isa, work),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::run(isa, work),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::run(isa, work),
    }
}

/// What the two sides of a product are; sums are of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Float32,
    /// Pairs of which have the place of a number of 32 bits.
    Bfloat16,
}

impl Numbers {
    /// The room that so many numbers, whole blocks of them, take in numbers of 32 bits.
    const fn room(self, count: usize) -> usize {
        match self {
            Self::Float32 => count,
            Self::Bfloat16 => count.div_ceil(2 * BLOCK) * BLOCK,
        }
    }
}

/// Does work with the vectors that multiply such numbers best.
fn on_numbers<W: Work>(isa: Isa, numbers: Numbers, work: W) -> W::Output {
    match numbers {
        Numbers::Float32 => on(isa, work),
        Numbers::Bfloat16 => PairIsa::of(isa).run(work),
    }
}

/// The sides of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sides {
    /// Rows of the input.
    pub height: usize,
    /// Pixels of an input row.
    pub width: usize,
    /// Of the input.
    pub channels: usize,
    /// Channels of the output.
    pub filters: usize,
    /// The kernel's rows and columns.
    pub kernel: (usize, usize),
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// Vertical, horizontal; 1 is without gaps.
    pub dilations: (usize, usize),
    /// Zeros above and to the left.
    pub before: (usize, usize),
    /// Zeros below and to the right.
    pub after: (usize, usize),
    /// Whether each filter reads the one channel of its own number, `filters` being `channels`.
    pub depthwise: bool,
}

impl Sides {
    /// The height and width of what the convolution puts out; 0 where the kernel has no place.
    #[must_use]
    pub fn output(&self) -> (usize, usize) {
        let side = |input: usize, pads: usize, kernel: usize, stride: usize, dilation: usize| {
            let reach = (kernel - 1) * dilation;
            (input + pads).checked_sub(reach + 1).map_or(0, |free| free / stride + 1)
        };
        let rows = side(
            self.height,
            self.before.0 + self.after.0,
            self.kernel.0,
            self.strides.0,
            self.dilations.0,
        );
        let columns = side(
            self.width,
            self.before.1 + self.after.1,
            self.kernel.1,
            self.strides.1,
            self.dilations.1,
        );
        (rows, columns)
    }

    /// Multiplications and additions of a direct convolution of one image, two for each pair.
    #[must_use]
    pub fn operations(&self) -> usize {
        let (height, width) = self.output();
        2 * height * width * self.weights()
    }

    /// How many weights there are.
    #[must_use]
    pub fn weights(&self) -> usize {
        let read = if self.depthwise { 1 } else { self.channels };
        self.filters * read * self.kernel.0 * self.kernel.1
    }

    /// Whether each output pixel reads the input pixel at its own place and no other.
    fn reads_each_pixel_once(&self) -> bool {
        self.kernel == (1, 1)
            && self.strides == (1, 1)
            && self.before == (0, 0)
            && self.after == (0, 0)
    }

    fn are_plain_3x3(&self) -> bool {
        self.kernel == (3, 3) && self.strides == (1, 1) && self.dilations == (1, 1)
    }

    fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
}

/// What is done to each sum: `min(max(y, slope · y), cap)` of `y = sum + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    /// One for each filter; padded by zeros.
    bias: Vec<f32>,
    slope: f32,
    cap: f32,
}

/// The activations that a convolution applies by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// Below zero values are multiplied by it, 0 to 1; 1 changes nothing.
    pub slope: f32,
    /// No value is above; infinity changes nothing.
    pub cap: f32,
}

impl Clamp {
    /// Changes nothing.
    pub const NONE: Self = Self { slope: 1.0, cap: f32::INFINITY };
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A matrix product over the patches, gathered a few pixels at a time.
    Direct,
    /// From separate planes of up to four channels, for a network's first layer.
    Planar,
    /// Each channel by itself.
    Depthwise,
    /// Winograd's minimal filtering F(2×2, 3×3): 4/9 of the multiplications, 16/9 of the weights.
    Winograd2,
    /// F(4×4, 3×3): 1/4 of the multiplications, 4 times the weights.
    Winograd4,
    /// As [`Method::Direct`], with both sides of the product rounded to bfloat16, to the nearest
    /// and the even one of two; sums stay in single precision.
    DirectBfloat16,
    /// As [`Method::Winograd2`] with the same rounding, of what is transformed.
    Winograd2Bfloat16,
}

impl Method {
    /// A short name for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Planar => "planar",
            Self::Depthwise => "depthwise",
            Self::Winograd2 => "winograd F(2,3)",
            Self::Winograd4 => "winograd F(4,3)",
            Self::DirectBfloat16 => "direct bfloat16",
            Self::Winograd2Bfloat16 => "winograd F(2,3) bfloat16",
        }
    }

    /// Whether what is multiplied is rounded to bfloat16.
    #[must_use]
    pub fn is_bfloat16(self) -> bool {
        self.numbers() == Numbers::Bfloat16
    }

    const fn numbers(self) -> Numbers {
        match self {
            Self::Direct | Self::Planar | Self::Depthwise | Self::Winograd2 | Self::Winograd4 => {
                Numbers::Float32
            }
            Self::DirectBfloat16 | Self::Winograd2Bfloat16 => Numbers::Bfloat16,
        }
    }

    /// The methods that can compute a convolution of these sides from padded pixels.
    #[must_use]
    pub fn candidates(sides: &Sides) -> Vec<Self> {
        if sides.depthwise {
            return vec![Self::Depthwise];
        }
        if sides.are_plain_3x3() {
            vec![Self::Direct, Self::Winograd2, Self::Winograd4]
        } else {
            vec![Self::Direct]
        }
    }

    /// The methods in bfloat16 that can do so; a depthwise convolution has none, since it does not
    /// wait for products.
    #[must_use]
    pub fn bfloat16_candidates(sides: &Sides) -> Vec<Self> {
        if sides.depthwise {
            vec![]
        } else if sides.are_plain_3x3() {
            vec![Self::DirectBfloat16, Self::Winograd2Bfloat16]
        } else {
            vec![Self::DirectBfloat16]
        }
    }

    /// Whether a first layer of these sides can be computed from planes.
    #[must_use]
    pub fn takes_planes(sides: &Sides) -> bool {
        planar::takes(sides)
    }
}

/// A convolution whose weights are packed.
#[derive(Clone, Debug)]
pub struct Convolution {
    isa: Isa,
    sides: Sides,
    method: Method,
    epilogue: Epilogue,
    weights: Weights,
    pooled: bool,
}

#[derive(Clone, Debug)]
enum Weights {
    Direct(product::Panels),
    Planar(Vec<f32>),
    Depthwise(Vec<f32>),
    /// A product for each place of a tile, row by row.
    Winograd(product::Panels),
}

impl Convolution {
    /// Packs the weights `[filters, channels, kernel rows, kernel columns]`, of a depthwise one
    /// `[filters, 1, …]`.
    ///
    /// `pooled` keeps of every 2 × 2 outputs only the largest; both sides of the output must be
    /// even then, and the method [`Method::Planar`] or one of Winograd's.
    ///
    /// # Panics
    /// When the weights, the bias, the method or the pooling do not fit the sides.
    #[must_use]
    pub fn new(
        isa: Isa,
        sides: Sides,
        method: Method,
        (kernel, bias): (&[f32], &[f32]),
        clamp: Clamp,
        pooled: bool,
    ) -> Self {
        assert_eq!(kernel.len(), sides.weights(), "as many weights as the sides say");
        assert_eq!(bias.len(), sides.filters, "a bias for each filter");
        assert!(sides.strides.0 > 0 && sides.strides.1 > 0, "a step forward");
        assert!(sides.kernel.0 > 0 && sides.kernel.1 > 0, "a kernel");
        let mut bias = bias.to_vec();
        bias.resize(padded(sides.filters), 0.0);
        let (height, width) = sides.output();
        assert!(
            !pooled || (height % 2 == 0 && width % 2 == 0 && method.pools()),
            "pooling of even sides by a method that pools"
        );
        let weights = match method {
            Method::Direct | Method::DirectBfloat16 => {
                Weights::Direct(direct::pack(isa, method.numbers(), &sides, kernel))
            }
            Method::Planar => Weights::Planar(planar::pack(&sides, kernel)),
            Method::Depthwise => Weights::Depthwise(depthwise::pack(&sides, kernel)),
            Method::Winograd2 | Method::Winograd4 | Method::Winograd2Bfloat16 => {
                assert!(sides.are_plain_3x3() && !sides.depthwise, "a plain 3 × 3 kernel");
                Weights::Winograd(winograd::pack(isa, &sides, method, kernel))
            }
        };
        let epilogue = Epilogue { bias, slope: clamp.slope, cap: clamp.cap };
        Self { isa, sides, method, epilogue, weights, pooled }
    }

    /// A short name of the instructions that it uses, for reports.
    #[must_use]
    pub fn instructions(&self) -> &'static str {
        match self.method.numbers() {
            Numbers::Float32 => self.isa.name(),
            Numbers::Bfloat16 => PairIsa::of(self.isa).name(),
        }
    }

    /// The sides.
    #[must_use]
    pub fn sides(&self) -> &Sides {
        &self.sides
    }

    /// How it is computed.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the largest of every 2 × 2 outputs is all that is put out.
    #[must_use]
    pub fn pooled(&self) -> bool {
        self.pooled
    }

    /// The height and width of what it puts out.
    #[must_use]
    pub fn output(&self) -> (usize, usize) {
        let (height, width) = self.sides.output();
        if self.pooled { (height / 2, width / 2) } else { (height, width) }
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        match &self.weights {
            Weights::Direct(panels) | Weights::Winograd(panels) => panels.bytes(),
            Weights::Planar(values) | Weights::Depthwise(values) => size_of_val(&values[..]),
        }
    }

    /// Convolves `batch` images, `[batch, height, width, padded channels]` or, by
    /// [`Method::Planar`], `[batch, channels, height, width]`, to
    /// `[batch, height, width, padded filters]`.
    ///
    /// # Panics
    /// When a slice has another length.
    pub fn run(&self, team: &Team, batch: usize, from: &[f32], to: &mut [f32]) {
        let Sides { height, width, channels, filters, .. } = self.sides;
        let depth = if self.method == Method::Planar { channels } else { padded(channels) };
        assert_eq!(from.len(), batch * height * width * depth, "input of the sides");
        let output = self.output();
        assert_eq!(to.len(), batch * output.0 * output.1 * padded(filters), "room for the output");
        if to.is_empty() {
            return;
        }
        match &self.weights {
            Weights::Direct(panels) => direct::run(self, panels, team, from, None, to),
            Weights::Planar(weights) => planar::run(self, weights, team, from, to),
            Weights::Depthwise(weights) => depthwise::run(self, weights, team, from, to),
            Weights::Winograd(weights) => winograd::run(self, weights, team, batch, from, to),
        }
    }
}

impl Method {
    /// Whether it can keep only the largest of every 2 × 2 outputs.
    #[must_use]
    pub fn pools(self) -> bool {
        match self {
            Self::Planar | Self::Winograd2 | Self::Winograd4 | Self::Winograd2Bfloat16 => true,
            Self::Direct | Self::DirectBfloat16 | Self::Depthwise => false,
        }
    }
}
