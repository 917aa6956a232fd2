//! Layers on bytes: every version that this processor can run against the portable one, and the
//! portable one against the plain definition.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use kernels::int8::{
    Convolution, Depthwise, DepthwiseFilters, Filters, Int8Isa, Layout, Step, Sum, Target, Window,
    channels, concat, max_pool, quantize, upsample,
};
use kernels::{Isa, Size, Team};
use proptest::prelude::*;

/// A convolution with its input.
#[derive(Clone, Debug)]
struct Case {
    size: Size,
    channels: usize,
    border: usize,
    image: bool,
    bytes: Vec<u8>,
    kernel: Vec<i8>,
    side: usize,
    strides: (usize, usize),
    dilation: usize,
    padding: usize,
    zero: u8,
    factors: Vec<f32>,
    addends: Vec<f32>,
    slope: f32,
    cap: f32,
    threads: usize,
    halve: bool,
    out_border: usize,
    out_zero: u8,
}

impl Case {
    fn input(&self) -> Layout {
        if self.image {
            Layout::of_image(self.size, self.border)
        } else {
            Layout::of_layer(self.channels, self.size, self.border)
        }
    }

    fn convolution(&self, target: Target) -> Convolution {
        let filters = Filters {
            kernel: &self.kernel,
            channels: self.channels,
            size: self.side,
            factors: &self.factors,
            addends: &self.addends,
            slope: self.slope,
            cap: self.cap,
        };
        let step = Step {
            input: self.input(),
            zero: self.zero,
            strides: self.strides,
            dilation: self.dilation,
            padding: self.padding,
        };
        Convolution::new(filters, step, target)
    }

    fn bytes_target(&self) -> Target {
        Target::Bytes { zero: self.out_zero, halve: self.halve, border: self.out_border }
    }

    /// The input as it lies in memory; what is beyond the channels counts for nothing.
    fn input_bytes(&self, beyond: u8) -> Vec<u8> {
        let layout = self.input();
        let mut bytes = vec![self.zero; layout.bytes()];
        let row = (self.size.width + 2 * self.border) * layout.stride();
        for y in 0..self.size.height {
            for x in 0..self.size.width {
                let place = (y + self.border) * row + (x + self.border) * layout.stride();
                let pixel = &mut bytes[place..][..layout.stride()];
                pixel.fill(beyond);
                let from = (y * self.size.width + x) * self.channels;
                pixel[..self.channels].copy_from_slice(&self.bytes[from..][..self.channels]);
            }
        }
        bytes
    }

    /// The definition: the sum at an output.
    fn sum(&self, filter: usize, y: usize, x: usize) -> i64 {
        let mut sum = 0;
        for (ky, kx) in (0..self.side).flat_map(|ky| (0..self.side).map(move |kx| (ky, kx))) {
            let row = (y * self.strides.0 + ky * self.dilation).checked_sub(self.padding);
            let column = (x * self.strides.1 + kx * self.dilation).checked_sub(self.padding);
            let (Some(row), Some(column)) = (row, column) else { continue };
            if row >= self.size.height || column >= self.size.width {
                continue;
            }
            for channel in 0..self.channels {
                let byte = self.bytes[(row * self.size.width + column) * self.channels + channel];
                let weight = self.kernel
                    [((filter * self.channels + channel) * self.side + ky) * self.side + kx];
                sum += (i64::from(byte) - i64::from(self.zero)) * i64::from(weight);
            }
        }
        sum
    }

    fn value(&self, filter: usize, y: usize, x: usize) -> f32 {
        let sum = self.sum(filter, y, x) as f32;
        let value = sum * self.factors[filter] + self.addends[filter];
        if value < 0.0 { value * self.slope } else { value.min(self.cap) }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let sides = (1usize..30, 1usize..12, 1usize..40, 1usize..40, 1usize..4);
    let steps = (1usize..3, 1usize..3, 1usize..3, 0usize..3, 0usize..2);
    let bytes = (any::<u8>(), any::<u8>(), any::<bool>(), 0usize..3);
    (sides, steps, bytes)
        .prop_filter("a kernel no larger than its input", |(sides, steps, _)| {
            let reach = (sides.4 - 1) * steps.2 + 1;
            reach <= sides.0.min(sides.1) + 2 * steps.3
        })
        .prop_flat_map(|(sides, steps, (zero, out_zero, halve, out_border))| {
            let (width, height, channels, filters, side) = sides;
            let weights = filters * channels * side * side;
            (
                prop::collection::vec(any::<u8>(), width * height * channels),
                prop::collection::vec(any::<i8>(), weights),
                prop::collection::vec(1e-4f32..0.02, filters),
                prop::collection::vec(-300f32..300.0, filters),
                (
                    prop_oneof![Just(0.0f32), Just(0.1), Just(1.0)],
                    prop_oneof![Just(f32::INFINITY), Just(40.5)],
                    1usize..4,
                ),
            )
                .prop_map(
                    move |(bytes, kernel, factors, addends, (slope, cap, threads))| Case {
                        size: Size { width, height },
                        channels,
                        border: steps.3 + steps.4,
                        image: channels <= 4,
                        bytes,
                        kernel,
                        side,
                        strides: (steps.0, steps.1),
                        dilation: steps.2,
                        padding: steps.3,
                        zero,
                        factors,
                        addends,
                        slope,
                        cap,
                        threads,
                        halve,
                        out_border,
                        out_zero,
                    },
                )
        })
}

fn others() -> Vec<Int8Isa> {
    Int8Isa::available().into_iter().filter(|isa| *isa != Int8Isa::PORTABLE).collect()
}

fn to_bytes(case: &Case, isa: Int8Isa) -> (Layout, Vec<u8>) {
    let convolution = case.convolution(case.bytes_target());
    let layout = convolution.layout().unwrap();
    let mut out = vec![0xA5; layout.bytes()];
    let team = Team::of(case.threads).unwrap();
    convolution.to_bytes(isa, &team, &case.input_bytes(0x5A), &mut out);
    (layout, out)
}

fn to_planes(case: &Case, isa: Int8Isa) -> (Size, Vec<f32>) {
    let convolution = case.convolution(Target::Planes);
    let mut out = vec![f32::NAN; convolution.filters() * convolution.size().area()];
    convolution.to_planes(isa, &case.input_bytes(0xFF), &mut out);
    (convolution.size(), out)
}

/// Pixel by pixel of a layout, the border too.
fn pixels(layout: Layout, bytes: &[u8]) -> impl Iterator<Item = (Option<(usize, usize)>, &[u8])> {
    let wide = layout.size().width + 2 * layout.border();
    bytes.chunks_exact(layout.stride()).enumerate().map(move |(index, pixel)| {
        let inside =
            |at: usize, side: usize| at.checked_sub(layout.border()).filter(|at| *at < side);
        let y = inside(index / wide, layout.size().height);
        let x = inside(index % wide, layout.size().width);
        (y.zip(x), pixel)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn convolutions_to_bytes_are_as_defined_in_every_version(case in case()) {
        let (layout, expected) = to_bytes(&case, Int8Isa::PORTABLE);
        for isa in others() {
            let (_, found) = to_bytes(&case, isa);
            prop_assert!(found == expected, "{} differs", isa.name());
        }
        let filters = case.factors.len();
        let (sums, _) = to_planes(&case, Int8Isa::PORTABLE);
        for (place, pixel) in pixels(layout, &expected) {
            let Some((y, x)) = place else {
                prop_assert!(pixel.iter().all(|byte| *byte == case.out_zero), "the border");
                continue;
            };
            for (filter, byte) in pixel[..filters].iter().enumerate() {
                let value = if case.halve {
                    let cells = [(0, 0), (0, 1), (1, 0), (1, 1)]
                        .map(|(dy, dx)| (2 * y + dy, 2 * x + dx));
                    let inside =
                        cells.iter().filter(|(y, x)| *y < sums.height && *x < sums.width);
                    inside.map(|(y, x)| case.value(filter, *y, *x)).fold(f32::MIN, f32::max)
                } else {
                    case.value(filter, y, x)
                };
                let exact = (value + f32::from(case.out_zero)).clamp(0.0, 255.0);
                prop_assert!((f32::from(*byte) - exact).abs() <= 0.501, "{byte} is not {exact}");
            }
        }
    }

    #[test]
    fn convolutions_to_planes_are_as_defined_in_every_version(case in case()) {
        let (size, expected) = to_planes(&case, Int8Isa::PORTABLE);
        for isa in others() {
            let (_, found) = to_planes(&case, isa);
            prop_assert!(found == expected, "{} differs", isa.name());
        }
        for (index, found) in expected.iter().enumerate() {
            let (filter, pixel) = (index / size.area(), index % size.area());
            let value = case.value(filter, pixel / size.width, pixel % size.width);
            prop_assert!((found - value).abs() <= 1e-3, "{found} is not {value}");
        }
    }

    #[test]
    fn images_become_the_bytes_that_they_were(
        (width, height, planes) in (1usize..40, 1usize..4, 1usize..5),
        border in 0usize..3,
        seed in any::<u8>(),
    ) {
        let size = Size { width, height };
        let byte = |index: usize| ((index * 37) as u8).wrapping_add(seed);
        let values: Vec<f32> =
            (0..planes * size.area()).map(|index| f32::from(byte(index)) / 255.0).collect();
        let layout = Layout::of_image(size, border);
        for isa in Int8Isa::available() {
            let mut out = vec![0xA5; layout.bytes()];
            quantize(isa, &values, layout, &mut out);
            for (place, pixel) in pixels(layout, &out) {
                for (plane, found) in pixel.iter().enumerate() {
                    let expected = match place {
                        Some((y, x)) if plane < planes => byte(plane * size.area() + y * width + x),
                        _ => 0,
                    };
                    prop_assert_eq!(*found, expected, "{}", isa.name());
                }
            }
        }
    }

    #[test]
    fn pools_take_the_largest_byte_of_each_window(
        (width, height, count) in (1usize..9, 1usize..9, 1usize..20),
        (size, stride, before) in (1usize..4, 1usize..3, 0usize..2),
        border in 0usize..2,
        seed in any::<u8>(),
    ) {
        prop_assume!(before < size);
        let input = Layout::of_layer(count, Size { width, height }, 1);
        // as many windows as begin over the image
        let steps = |side: usize| (side + before - 1) / stride + 1;
        prop_assume!((steps(width) - 1) * stride < width + before);
        let out_size = Size { width: steps(width), height: steps(height) };
        let output = Layout::of_layer(count, out_size, border);
        let from: Vec<u8> =
            (0..input.bytes()).map(|index| ((index * 73) as u8) ^ seed).collect();
        let mut to = vec![0; output.bytes()];
        let window = Window { size, strides: (stride, stride), before };
        let covers = (0..steps(width)).all(|x| x * stride + size > before)
            && (0..steps(height)).all(|y| y * stride + size > before);
        prop_assume!(covers);
        max_pool(window, (&from, input), (&mut to, output), 7);
        let image: Vec<_> = pixels(input, &from).filter_map(|(at, p)| Some((at?, p))).collect();
        for (place, pixel) in pixels(output, &to) {
            let Some((y, x)) = place else {
                prop_assert!(pixel.iter().all(|byte| *byte == 7), "the border");
                continue;
            };
            for (channel, found) in pixel.iter().enumerate() {
                let within = |at: usize, window: usize| {
                    (window * stride..window * stride + size).contains(&(at + before))
                };
                let cells = image.iter().filter(|((cy, cx), _)| within(*cy, y) && within(*cx, x));
                prop_assert_eq!(Some(*found), cells.map(|(_, pixel)| pixel[channel]).max());
            }
        }
    }
}

#[test]
fn channels_are_put_together_taken_apart_and_repeated() {
    let size = Size { width: 3, height: 2 };
    let image = |count: usize, first: u8| {
        let layout = Layout::of_layer(count, size, 0);
        let mut bytes = vec![0xEE; layout.bytes()];
        for (index, pixel) in bytes.chunks_exact_mut(layout.stride()).enumerate() {
            for (channel, byte) in pixel[..count].iter_mut().enumerate() {
                *byte = first + (index * count + channel) as u8;
            }
        }
        (bytes, layout)
    };
    let ((a, a_layout), (b, b_layout)) = (image(5, 0), image(14, 100));
    let both_layout = Layout::of_layer(19, size, 1);
    let mut both = vec![0xEE; both_layout.bytes()];
    concat(&[(&a, a_layout, 5), (&b, b_layout, 14)], (&mut both, both_layout), 9);
    for (place, pixel) in pixels(both_layout, &both) {
        let Some((y, x)) = place else {
            assert!(pixel.iter().all(|byte| *byte == 9));
            continue;
        };
        let index = y * size.width + x;
        assert_eq!(pixel[..5], a[index * 16..][..5]);
        assert_eq!(pixel[5..19], b[index * 16..][..14]);
    }
    let mut again = vec![0; b_layout.bytes()];
    channels((5, 14), (&both, both_layout), (&mut again, b_layout), 0);
    for (found, expected) in again.chunks_exact(16).zip(b.chunks_exact(16)) {
        assert_eq!(found[..14], expected[..14]);
    }
    let large_layout = Layout::of_layer(14, Size { width: 6, height: 4 }, 1);
    let mut large = vec![0; large_layout.bytes()];
    upsample(2, (&b, b_layout), (&mut large, large_layout), 9);
    for (place, pixel) in pixels(large_layout, &large) {
        match place {
            Some((y, x)) => assert_eq!(*pixel, b[(y / 2 * 3 + x / 2) * 16..][..16]),
            None => assert!(pixel.iter().all(|byte| *byte == 9)),
        }
    }
}

/// Bytes that follow no order.
fn some_bytes(count: usize, seed: u8) -> Vec<u8> {
    (0..count).map(|index| (index * 7919 % 4099) as u8 ^ seed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn depthwise_convolutions_are_as_defined_in_every_version(
        (width, height, count) in (1usize..24, 1usize..9, 1usize..40),
        (side, dilation, padding, around) in (1usize..6, 1usize..3, 0usize..3, 0usize..2),
        (strides, threads) in ((1usize..3, 1usize..3), 1usize..4),
        (zero, out_zero, border) in (any::<u8>(), any::<u8>(), 0usize..3),
        (slope, cap) in (
            prop_oneof![Just(0.0f32), Just(0.1), Just(1.0)],
            prop_oneof![Just(f32::INFINITY), Just(40.5)],
        ),
        seed in any::<u8>(),
    ) {
        prop_assume!((side - 1) * dilation < width.min(height) + 2 * padding);
        let size = Size { width, height };
        let input = Layout::of_layer(count, size, padding + around);
        let kernel: Vec<i8> = some_bytes(count * side * side, seed ^ 0x2B)
            .into_iter()
            .map(|byte| byte as i8)
            .collect();
        let per_channel = |scale: f32, least: f32| -> Vec<f32> {
            (0..count).map(|channel| least + scale * (channel % 7) as f32).collect()
        };
        let (factors, addends) = (per_channel(0.01, 0.001), per_channel(20.0, -50.0));
        let filters = DepthwiseFilters {
            kernel: &kernel, size: side, factors: &factors, addends: &addends, slope, cap,
        };
        let step = Step { input, zero, strides, dilation, padding };
        let layer = Depthwise::new(filters, step, (out_zero, border));
        let values = some_bytes(count * size.area(), seed);
        let mut from = vec![zero; input.bytes()];
        let row = (width + 2 * input.border()) * input.stride();
        for (index, pixel) in values.chunks_exact(count).enumerate() {
            let (y, x) = (index / width + input.border(), index % width + input.border());
            from[y * row + x * input.stride()..][..count].copy_from_slice(pixel);
        }
        let output = layer.layout();
        let team = Team::of(threads).unwrap();
        let run = |isa: Isa| {
            let mut to = vec![0xA5; output.bytes()];
            layer.run(isa, &team, &from, &mut to);
            to
        };
        let expected = run(Isa::PORTABLE);
        for isa in Isa::available() {
            prop_assert!(run(isa) == expected, "{} differs", isa.name());
        }
        for (place, pixel) in pixels(output, &expected) {
            let Some((y, x)) = place else {
                prop_assert!(pixel.iter().all(|byte| *byte == out_zero), "the border");
                continue;
            };
            for (channel, byte) in pixel[..count].iter().enumerate() {
                let mut sum = 0i64;
                for (ky, kx) in (0..side).flat_map(|ky| (0..side).map(move |kx| (ky, kx))) {
                    let at = |out: usize, stride: usize, k: usize, all: usize| {
                        (out * stride + k * dilation).checked_sub(padding).filter(|at| *at < all)
                    };
                    let cell = at(y, strides.0, ky, height).zip(at(x, strides.1, kx, width));
                    if let Some((cy, cx)) = cell {
                        let value = values[(cy * width + cx) * count + channel];
                        let weight = kernel[(channel * side + ky) * side + kx];
                        sum += (i64::from(value) - i64::from(zero)) * i64::from(weight);
                    }
                }
                let value = sum as f32 * factors[channel] + addends[channel];
                let value = value.max(value * slope).min(cap);
                let exact = (value + f32::from(out_zero)).clamp(0.0, 255.0);
                prop_assert!((f32::from(*byte) - exact).abs() <= 0.501, "{byte} is not {exact}");
            }
        }
    }

    #[test]
    fn sums_of_two_layers_are_as_defined_in_every_version(
        (width, height, count) in (1usize..9, 1usize..7, 1usize..40),
        borders in (0usize..3, 0usize..3, 0usize..3),
        (zeros, out_zero) in ((any::<u8>(), any::<u8>()), any::<u8>()),
        (factors, slope) in ((0.05f32..3.0, 0.05f32..3.0), prop_oneof![Just(1.0f32), Just(0.1)]),
        (seed, threads) in (any::<u8>(), 1usize..4),
    ) {
        let size = Size { width, height };
        let layout = |border| Layout::of_layer(count, size, border);
        let (a, b, output) = (layout(borders.0), layout(borders.1), layout(borders.2));
        let inputs = [(a, zeros.0, factors.0), (b, zeros.1, factors.1)];
        let sum = Sum::new(inputs, (slope, 100.0), (output, out_zero));
        let from = [some_bytes(a.bytes(), seed), some_bytes(b.bytes(), !seed)];
        let team = Team::of(threads).unwrap();
        let run = |isa: Isa| {
            let mut to = vec![0xA5; output.bytes()];
            sum.run(isa, &team, [&from[0], &from[1]], &mut to);
            to
        };
        let expected = run(Isa::PORTABLE);
        for isa in Isa::available() {
            prop_assert!(run(isa) == expected, "{} differs", isa.name());
        }
        let inside = |layout: Layout, bytes: &[u8]| -> Vec<Vec<u8>> {
            pixels(layout, bytes).filter_map(|(at, p)| at.map(|_| p[..count].to_vec())).collect()
        };
        let (these, those) = (inside(a, &from[0]), inside(b, &from[1]));
        let found = inside(output, &expected);
        prop_assert_eq!(found.len(), size.area());
        for ((found, this), that) in found.iter().zip(&these).zip(&those) {
            for ((found, this), that) in found.iter().zip(this).zip(that) {
                let value = (f32::from(*this) - f32::from(zeros.0)) * factors.0
                    + (f32::from(*that) - f32::from(zeros.1)) * factors.1;
                let value = value.max(value * slope).min(100.0);
                let exact = (value + f32::from(out_zero)).clamp(0.0, 255.0);
                prop_assert!((f32::from(*found) - exact).abs() <= 0.51, "{found} is not {exact}");
            }
        }
        let border = pixels(output, &expected).filter(|(place, _)| place.is_none());
        for (_, pixel) in border {
            prop_assert!(pixel.iter().all(|byte| *byte == out_zero), "the border");
        }
    }
}

/// Each processor gets all versions that its instructions allow, the quickest last.
#[cfg(target_arch = "aarch64")]
#[test]
fn arm_processors_use_their_dot_products() {
    use std::arch::is_aarch64_feature_detected;
    let versions = [
        ("portable", true),
        ("neon", true),
        ("neon-dotprod", is_aarch64_feature_detected!("dotprod")),
        ("neon-i8mm", is_aarch64_feature_detected!("i8mm")),
    ];
    let expected: Vec<&str> =
        versions.iter().filter(|version| version.1).map(|version| version.0).collect();
    let names: Vec<&str> = Int8Isa::available().iter().map(|isa| isa.name()).collect();
    assert_eq!(names, expected);
    assert_eq!(Int8Isa::best().name(), *expected.last().unwrap());
}
