//! Four filters at a time, eight of a panel: on processors with NEON alone, 16-bit products of
//! which pairs are summed; on others, dot products of bytes. The language has no stable functions
//! for the latter, so that these instructions are written as such.
#![allow(unsafe_code, reason = "calls, loads and stores of NEON, each with its argument")]

use super::convolution::{Cell, Convolution, DEPTH, PANEL, ToBytes};
use super::tiles::{self, Tile};
use crate::isa::{DotProd, I8mm, Neon};
use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddq_f32, vaddq_s32, vcombine_u16, vcvtnq_s32_f32, vcvtq_f32_s32,
    vdupq_laneq_s32, vdupq_n_f32, vdupq_n_s8, vdupq_n_s32, vdupq_n_u32, veorq_s8, vget_low_s8,
    vld1q_f32, vld1q_s8, vld1q_s32, vmaxq_f32, vmaxq_s32, vminq_f32, vmull_high_s8, vmull_s8,
    vmulq_f32, vpadalq_s16, vpaddq_s32, vqmovn_u16, vqmovun_s32, vreinterpretq_s8_s32,
    vreinterpretq_s8_u32, vreinterpretq_s32_s8, vsetq_lane_u32, vshlq_n_s32, vst1_u8, vst1q_s32,
};
use std::arch::asm;

/// Filters of a vector.
const LANES: usize = 4;
/// Filters whose sums are made at once.
const HALF: usize = PANEL / 2;
const VECTORS: usize = HALF / LANES;
/// Pixels whose sums stay in registers, beside the weights and a pixel.
const PIXELS: usize = 6;
/// The same in windows of four.
const PIXELS_HALVED: usize = 4;

/// Sums of half a panel for each pixel of a tile.
type Sums<const PIXELS: usize> = [[int32x4_t; VECTORS]; PIXELS];

/// How products of bytes are summed. A value proves that the processor has the instructions, and
/// only such a value leads to the functions that have none as an argument.
pub(super) trait Dot: Copy {
    /// Four sums on their way.
    type Sum: Copy;
    /// What a byte of a pixel is less in the products.
    const LESS: u8;

    /// Does work where the compiler may use the instructions.
    fn enter(self, work: impl FnOnce());

    fn zero() -> Self::Sum;

    /// Four bytes of a pixel as they go into products, in the vector's first place at least.
    fn pixel(bytes: u32) -> int8x16_t;

    /// With the products of four times four weights.
    fn add(sum: Self::Sum, weights: int8x16_t, pixel: int8x16_t) -> Self::Sum;

    /// With what they start with.
    fn total(sum: Self::Sum, start: int32x4_t) -> int32x4_t;
}

impl Dot for Neon {
    // halves of the sums, to be added in pairs
    type Sum = [int32x4_t; 2];
    const LESS: u8 = 128;

    #[inline(always)]
    fn enter(self, work: impl FnOnce()) {
        #[target_feature(enable = "neon")]
        fn enter(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` proves the instructions
        unsafe { enter(work) }
    }

    #[inline(always)]
    fn zero() -> Self::Sum {
        // SAFETY: called with a token alone
        [unsafe { vdupq_n_s32(0) }; 2]
    }

    #[inline(always)]
    fn pixel(bytes: u32) -> int8x16_t {
        // SAFETY: called with a token alone
        unsafe { vreinterpretq_s8_s32(vdupq_laneq_s32::<0>(vreinterpretq_s32_s8(signed(bytes)))) }
    }

    #[inline(always)]
    fn add([low, high]: Self::Sum, weights: int8x16_t, pixel: int8x16_t) -> Self::Sum {
        // SAFETY: called with a token alone
        unsafe {
            let first = vmull_s8(vget_low_s8(weights), vget_low_s8(pixel));
            [vpadalq_s16(low, first), vpadalq_s16(high, vmull_high_s8(weights, pixel))]
        }
    }

    #[inline(always)]
    fn total([low, high]: Self::Sum, start: int32x4_t) -> int32x4_t {
        // SAFETY: called with a token alone
        unsafe { vaddq_s32(vpaddq_s32(low, high), start) }
    }
}

impl Dot for DotProd {
    type Sum = int32x4_t;
    const LESS: u8 = 128;

    #[inline(always)]
    fn enter(self, work: impl FnOnce()) {
        #[target_feature(enable = "neon,dotprod")]
        fn enter(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` proves the instructions
        unsafe { enter(work) }
    }

    #[inline(always)]
    fn zero() -> Self::Sum {
        // SAFETY: called with a token alone
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    fn pixel(bytes: u32) -> int8x16_t {
        signed(bytes)
    }

    #[inline(always)]
    fn add(mut sum: Self::Sum, weights: int8x16_t, pixel: int8x16_t) -> Self::Sum {
        // SAFETY: called with a token alone; the instruction works on registers
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {weights:v}.16b, {pixel:v}.4b[0]",
                sum = inout(vreg) sum,
                weights = in(vreg) weights,
                pixel = in(vreg) pixel,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }

    #[inline(always)]
    fn total(sum: Self::Sum, start: int32x4_t) -> int32x4_t {
        // SAFETY: called with a token alone
        unsafe { vaddq_s32(sum, start) }
    }
}

impl Dot for I8mm {
    type Sum = int32x4_t;
    const LESS: u8 = 0;

    #[inline(always)]
    fn enter(self, work: impl FnOnce()) {
        #[target_feature(enable = "neon,i8mm")]
        fn enter(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` proves the instructions
        unsafe { enter(work) }
    }

    #[inline(always)]
    fn zero() -> Self::Sum {
        // SAFETY: called with a token alone
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    fn pixel(bytes: u32) -> int8x16_t {
        first(bytes)
    }

    #[inline(always)]
    fn add(mut sum: Self::Sum, weights: int8x16_t, pixel: int8x16_t) -> Self::Sum {
        // SAFETY: called with a token alone; the instruction works on registers
        unsafe {
            asm!(
                ".arch_extension i8mm",
                "sudot {sum:v}.4s, {weights:v}.16b, {pixel:v}.4b[0]",
                sum = inout(vreg) sum,
                weights = in(vreg) weights,
                pixel = in(vreg) pixel,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }

    #[inline(always)]
    fn total(sum: Self::Sum, start: int32x4_t) -> int32x4_t {
        // SAFETY: called with a token alone
        unsafe { vaddq_s32(sum, start) }
    }
}

/// Four bytes in a vector's first place.
#[inline(always)]
fn first(bytes: u32) -> int8x16_t {
    // SAFETY: called with a token alone
    unsafe { vreinterpretq_s8_u32(vsetq_lane_u32::<0>(bytes, vdupq_n_u32(0))) }
}

/// Four bytes in a vector's first place, each less 128.
#[inline(always)]
fn signed(bytes: u32) -> int8x16_t {
    // SAFETY: called with a token alone
    unsafe { veorq_s8(first(bytes), vdupq_n_s8(-128)) }
}

pub(super) fn to_bytes<D: Dot>(isa: D, work: &ToBytes<'_>, from: &[u8], to: &mut [u8]) {
    let convolution = work.convolution;
    isa.enter(
        #[inline(always)]
        || {
            for half in 0..2 * convolution.panels() {
                let sums = Half::<D>::new(convolution, half, from);
                if work.halve {
                    tiles::of_bytes::<PIXELS_HALVED, true>(convolution, work.layout, |tile| {
                        bytes::<D, PIXELS_HALVED, true>(work, &sums, tile, to);
                    });
                } else {
                    tiles::of_bytes::<PIXELS, false>(convolution, work.layout, |tile| {
                        bytes::<D, PIXELS, false>(work, &sums, tile, to);
                    });
                }
            }
        },
    );
}

pub(super) fn to_planes<D: Dot>(isa: D, convolution: &Convolution, from: &[u8], to: &mut [f32]) {
    isa.enter(
        #[inline(always)]
        || {
            for panel in 0..convolution.panels() {
                let halves = [2 * panel, 2 * panel + 1];
                let halves = halves.map(|half| Half::<D>::new(convolution, half, from));
                tiles::of_planes::<PIXELS>(convolution, |tile| {
                    let mut rows = [[0; PANEL]; PIXELS];
                    for (half, sums) in halves.iter().enumerate() {
                        for (row, sums) in rows.iter_mut().zip(sums.of(&tile.from)) {
                            let row = row[half * HALF..].as_chunks_mut::<LANES>().0;
                            for (row, sums) in row.iter_mut().zip(sums) {
                                // SAFETY: called with a token alone; there is room for four sums
                                unsafe { vst1q_s32(row.as_mut_ptr(), sums) };
                            }
                        }
                    }
                    convolution.scatter(panel, &rows, &tile.to, to);
                });
            }
        },
    );
}

#[inline(always)]
fn bytes<D: Dot, const PIXELS: usize, const HALVE: bool>(
    work: &ToBytes<'_>,
    half: &Half<'_, D>,
    tile: &Tile<PIXELS>,
    to: &mut [u8],
) {
    let sums = half.of(&tile.from);
    let mut pixel = 0;
    while pixel < PIXELS {
        let mut largest = sums[pixel];
        if HALVE {
            for (place, sum) in largest.iter_mut().enumerate() {
                // SAFETY: called with a token alone
                *sum = unsafe {
                    vmaxq_s32(
                        vmaxq_s32(*sum, sums[pixel + 1][place]),
                        vmaxq_s32(sums[pixel + 2][place], sums[pixel + 3][place]),
                    )
                };
            }
        }
        finish(work, half.index, largest, &mut to[tile.to[pixel]..]);
        pixel += if HALVE { 4 } else { 1 };
    }
}

/// Sums of half a panel become bytes.
#[inline(always)]
fn finish(work: &ToBytes<'_>, half: usize, sums: [int32x4_t; VECTORS], to: &mut [u8]) {
    let convolution = work.convolution;
    let part = half % 2 * HALF..half % 2 * HALF + HALF;
    let factors = convolution.factors[half / 2][part.clone()].as_chunks::<LANES>().0;
    let addends = convolution.addends[half / 2][part].as_chunks::<LANES>().0;
    let (low, high) = work.limits();
    let place = &mut to[half * HALF..][..HALF];
    // SAFETY: called with a token alone; four numbers are loaded where four are, and eight bytes
    // are stored where there is room for them
    unsafe {
        let words = [0, 1].map(
            #[inline(always)]
            |at| {
                let (factors, addends) =
                    (vld1q_f32(factors[at].as_ptr()), vld1q_f32(addends[at].as_ptr()));
                let value = vaddq_f32(vmulq_f32(vcvtq_f32_s32(sums[at]), factors), addends);
                let value = vmaxq_f32(value, vmulq_f32(value, vdupq_n_f32(convolution.slope)));
                let value = vminq_f32(vmaxq_f32(value, vdupq_n_f32(low)), vdupq_n_f32(high));
                let zero = vdupq_n_s32(i32::from(work.zero));
                vqmovun_s32(vaddq_s32(vcvtnq_s32_f32(value), zero))
            },
        );
        vst1_u8(place.as_mut_ptr(), vqmovn_u16(vcombine_u16(words[0], words[1])));
    }
}

/// Half a panel of a convolution, and its input.
struct Half<'a, D> {
    convolution: &'a Convolution,
    /// Of the half, through all panels.
    index: usize,
    from: &'a [u8],
    /// What the sums start with.
    starts: [int32x4_t; VECTORS],
    dot: std::marker::PhantomData<D>,
}

impl<'a, D: Dot> Half<'a, D> {
    #[inline(always)]
    fn new(convolution: &'a Convolution, index: usize, from: &'a [u8]) -> Self {
        let numbers = &convolution.starts[index / 2][index % 2 * HALF..][..HALF];
        let numbers = numbers.as_chunks::<LANES>().0;
        // SAFETY: called with a token alone; four numbers are at each place
        let starts = unsafe { [vld1q_s32(numbers[0].as_ptr()), vld1q_s32(numbers[1].as_ptr())] };
        let mut half = Self { convolution, index, from, starts, dot: std::marker::PhantomData };
        if D::LESS != 0 {
            half.make_up();
        }
        half
    }

    /// Bytes are taken for 128 less than they are: adds as much of the weights to the starts.
    #[inline(always)]
    fn make_up(&mut self) {
        let mut sums = [D::zero(); VECTORS];
        // SAFETY: called with a token alone
        let one = unsafe { vdupq_n_s8(1) };
        for cell in self.convolution.panel(self.index / 2) {
            let weights = self.weights(cell);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = D::add(*sum, weights, one);
            }
        }
        for (start, sum) in self.starts.iter_mut().zip(sums) {
            // SAFETY: called with a token alone
            *start = unsafe { vaddq_s32(*start, vshlq_n_s32::<7>(D::total(sum, vdupq_n_s32(0)))) };
        }
    }

    #[inline(always)]
    fn weights(&self, cell: &Cell) -> [int8x16_t; VECTORS] {
        let filters = cell.0[self.index % 2 * HALF..][..HALF].as_flattened();
        let vectors = filters.as_chunks::<{ LANES * DEPTH }>().0;
        // SAFETY: called with a token alone; sixteen weights are at each place
        unsafe { [vld1q_s8(vectors[0].as_ptr()), vld1q_s8(vectors[1].as_ptr())] }
    }

    /// Of the pixels that start at the given bytes.
    #[inline(always)]
    fn of<const PIXELS: usize>(&self, at: &[usize; PIXELS]) -> Sums<PIXELS> {
        let convolution = self.convolution;
        let depth = convolution.depth;
        let room = self.from.len().checked_sub(convolution.span());
        let room = room.expect("an input of one output at least");
        assert!(at.iter().all(|at| *at <= room), "all that the outputs read is there");
        let mut sums = [[D::zero(); VECTORS]; PIXELS];
        let cells = convolution.panel(self.index / 2).chunks_exact(depth);
        for (offset, cells) in convolution.runs.iter().zip(cells) {
            let mut pixels = [self.from.as_ptr(); PIXELS];
            for (pixel, at) in pixels.iter_mut().zip(at) {
                // SAFETY: a span from each of the pixels on is within `from`, and no run reads
                // beyond it: the last one ends where the span does
                *pixel = unsafe { pixel.add(at + offset) };
            }
            for (step, cell) in cells.iter().enumerate() {
                let weights = self.weights(cell);
                for pixel in 0..PIXELS {
                    // SAFETY: four bytes of a run of 4 · depth bytes
                    let bytes =
                        unsafe { pixels[pixel].add(step * DEPTH).cast::<u32>().read_unaligned() };
                    let bytes = D::pixel(bytes);
                    for place in 0..VECTORS {
                        sums[pixel][place] = D::add(sums[pixel][place], weights[place], bytes);
                    }
                }
            }
        }
        sums.map(
            #[inline(always)]
            |sums| [D::total(sums[0], self.starts[0]), D::total(sums[1], self.starts[1])],
        )
    }
}
