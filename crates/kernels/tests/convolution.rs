//! Every method of convolution in every version that this processor can run against the plain
//! definition in double precision, for shapes of all kinds; and what is around convolutions.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use kernels::conv::{Clamp, Convolution, InvertedResidual, Method, Sides, padded};
use kernels::pixels::{self, Windows};
use kernels::{Isa, Size, Team};
use proptest::prelude::*;

/// Numbers from -1 to 1 that follow no order.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let place = |index: usize| (index + seed) * 7919 % 4099;
    (0..count).map(|index| place(index) as f32 / 2049.5 - 1.0).collect()
}

/// A convolution to be computed.
#[derive(Clone, Debug)]
struct Case {
    sides: Sides,
    batch: usize,
    clamp: Clamp,
    threads: usize,
    seed: usize,
}

impl Case {
    fn kernel(&self) -> Vec<f32> {
        numbers(self.sides.weights(), self.seed)
    }

    fn bias(&self) -> Vec<f32> {
        numbers(self.sides.filters, self.seed + 1)
    }

    /// `[batch, channels, height, width]`.
    fn planes(&self) -> Vec<f32> {
        let Sides { height, width, channels, .. } = self.sides;
        numbers(self.batch * channels * height * width, self.seed + 2)
    }

    fn size(&self) -> Size {
        Size { width: self.sides.width, height: self.sides.height }
    }

    /// The definition: planes of every filter, and for each value how large its terms are. `read`
    /// is done to each factor before.
    fn plainly(&self, read: fn(f32) -> f32) -> (Vec<f32>, f32) {
        let factors = |numbers: Vec<f32>| numbers.into_iter().map(read).collect::<Vec<_>>();
        let (kernel, bias, planes) = (factors(self.kernel()), self.bias(), factors(self.planes()));
        let s = self.sides;
        let (height, width) = s.output();
        let read = if s.depthwise { 1 } else { s.channels };
        let mut out = Vec::new();
        for image in 0..self.batch {
            for (filter, bias) in bias.iter().enumerate() {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let mut sum = f64::from(*bias);
                    for c in 0..read {
                        let channel = if s.depthwise { filter } else { c };
                        for (ky, kx) in
                            (0..s.kernel.0).flat_map(|ky| (0..s.kernel.1).map(move |kx| (ky, kx)))
                        {
                            let row = (y * s.strides.0 + ky * s.dilations.0)
                                .checked_sub(s.before.0)
                                .filter(|row| *row < s.height);
                            let column = (x * s.strides.1 + kx * s.dilations.1)
                                .checked_sub(s.before.1)
                                .filter(|column| *column < s.width);
                            if let (Some(row), Some(column)) = (row, column) {
                                let plane = (image * s.channels + channel) * s.height + row;
                                let weight =
                                    ((filter * read + c) * s.kernel.0 + ky) * s.kernel.1 + kx;
                                sum += f64::from(planes[plane * s.width + column])
                                    * f64::from(kernel[weight]);
                            }
                        }
                    }
                    let value = sum.max(sum * f64::from(self.clamp.slope));
                    out.push(value.min(f64::from(self.clamp.cap)) as f32);
                }
            }
        }
        (out, (read * s.kernel.0 * s.kernel.1) as f32)
    }

    /// By a method, as planes again.
    fn computed(&self, isa: Isa, method: Method, pooled: bool) -> Vec<f32> {
        let weights = (&self.kernel()[..], &self.bias()[..]);
        let layer = Convolution::new(isa, self.sides, method, weights, self.clamp, pooled);
        let planes = self.planes();
        let channels = self.sides.channels;
        let mut from = vec![f32::NAN; planes.len() / channels * padded(channels)];
        pixels::from_planes(&planes, channels, self.size(), &mut from);
        if method == Method::Planar {
            from = planes;
        }
        let (height, width) = layer.output();
        let area = self.batch * height * width;
        let mut to = vec![f32::NAN; area * padded(self.sides.filters)];
        let team = Team::of(self.threads).unwrap();
        layer.run(&team, self.batch, &from, &mut to);
        // a second time, from memory that is not fresh
        layer.run(&team, self.batch, &from, &mut to);
        let mut planes = vec![f32::NAN; area * self.sides.filters];
        pixels::to_planes(&to, self.sides.filters, Size { width, height }, &mut planes);
        planes
    }
}

fn clamps() -> impl Strategy<Value = Clamp> {
    prop_oneof![
        Just(Clamp::NONE),
        Just(Clamp { slope: 0.1, cap: f32::INFINITY }),
        Just(Clamp { slope: 0.0, cap: 6.0 }),
    ]
}

fn cases(
    kernel: impl Strategy<Value = (usize, usize)>,
    steps: impl Strategy<Value = (usize, usize)>,
    depthwise: bool,
) -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1usize..6, 14usize..19, 30usize..36];
    let filters = prop_oneof![1usize..6, 14usize..19, 30usize..50];
    let around = ((0usize..3, 0usize..3), (0usize..3, 0usize..3));
    let rest = (1usize..3, clamps(), 1usize..4, 0usize..1000);
    let sides = (1usize..24, 1usize..40, channels, filters, around);
    (sides, kernel, (steps, 1usize..3), rest).prop_map(
        move |((height, width, channels, filters, (before, after)), kernel, moves, rest)| {
            let (strides, dilation) = moves;
            let (batch, clamp, threads, seed) = rest;
            let filters = if depthwise { channels } else { filters };
            let dilations = (dilation, dilation);
            let sides = Sides {
                height,
                width,
                channels,
                filters,
                kernel,
                strides,
                dilations,
                before,
                after,
                depthwise,
            };
            Case { sides, batch, clamp, threads, seed }
        },
    )
}

/// How far a method may be off, in units of the terms' number.
fn tolerance(method: Method) -> f32 {
    match method {
        Method::Winograd4 => 2e-6,
        Method::Winograd2 => 1e-6,
        Method::Direct | Method::Planar | Method::Depthwise => 3e-7,
        // of rounded factors the products are exact
        Method::DirectBfloat16 => 3e-7,
        // what is transformed is off by 2⁻⁹ of it, in both directions
        Method::Winograd2Bfloat16 => 2e-3,
    }
}

/// The nearest number whose lower 16 bits are zero, the even one of two.
fn bfloat16(value: f32) -> f32 {
    let bits = value.to_bits();
    let (down, rest) = (bits >> 16, bits & 0xFFFF);
    let up = rest > 0x8000 || (rest == 0x8000 && down % 2 == 1);
    f32::from_bits((down + u32::from(up)) << 16)
}

fn close(case: &Case, method: Method) -> Result<(), TestCaseError> {
    let (wanted, terms) =
        case.plainly(if method == Method::DirectBfloat16 { bfloat16 } else { |value| value });
    for isa in Isa::available() {
        let found = case.computed(isa, method, false);
        prop_assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            let allowed = tolerance(method) * (terms + 10.0);
            let name = isa.name();
            prop_assert!((found - wanted).abs() <= allowed, "{name}: {found} is not {wanted}");
        }
        let (height, width) = case.sides.output();
        if method.pools() && height % 2 == 0 && width % 2 == 0 && !found.is_empty() {
            let mut halved = vec![f32::NAN; found.len() / 4];
            kernels::halve(isa, &found, Size { width, height }, &mut halved);
            prop_assert_eq!(case.computed(isa, method, true), halved, "{}", isa.name());
        }
    }
    Ok(())
}

fn kernels() -> impl Strategy<Value = (usize, usize)> {
    (1usize..6, 1usize..6)
}

fn strides() -> impl Strategy<Value = (usize, usize)> {
    (1usize..4, 1usize..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn direct_convolution_is_its_definition(case in cases(kernels(), strides(), false)) {
        close(&case, Method::Direct)?;
    }

    #[test]
    fn direct_convolution_in_bfloat16_is_the_definition_of_rounded_factors(
        case in cases(kernels(), strides(), false),
    ) {
        close(&case, Method::DirectBfloat16)?;
    }

    #[test]
    fn winograds_filtering_in_bfloat16_is_nearly_the_convolution(
        mut case in cases(Just((3, 3)), Just((1, 1)), false),
    ) {
        case.sides.dilations = (1, 1);
        close(&case, Method::Winograd2Bfloat16)?;
    }

    #[test]
    fn depthwise_convolution_is_its_definition(case in cases(kernels(), strides(), true)) {
        close(&case, Method::Depthwise)?;
    }

    #[test]
    fn depthwise_convolution_by_the_usual_windows_is_its_definition(
        mut case in cases(kernels(), Just((1, 1)), true),
        (side, stride) in prop_oneof![Just((3, 1)), Just((3, 2)), Just((5, 1))],
    ) {
        let sides = &mut case.sides;
        (sides.kernel, sides.strides) = ((side, side), (stride, stride));
        sides.dilations = (1, 1);
        close(&case, Method::Depthwise)?;
    }

    #[test]
    fn winograds_filtering_is_the_convolution(
        mut case in cases(Just((3, 3)), Just((1, 1)), false),
        four in any::<bool>(),
    ) {
        case.sides.dilations = (1, 1);
        close(&case, if four { Method::Winograd4 } else { Method::Winograd2 })?;
    }

    #[test]
    fn a_first_layer_of_planes_is_the_convolution(
        mut case in cases(Just((3, 3)), Just((1, 1)), false),
        stride in 1usize..3,
        channels in 1usize..5,
    ) {
        case.sides = Sides { dilations: (1, 1), strides: (stride, stride), channels, ..case.sides };
        close(&case, Method::Planar)?;
    }

    #[test]
    fn planes_become_pixels_and_back(
        channels in 1usize..40, height in 1usize..7, width in 1usize..7, batch in 0usize..3,
    ) {
        let size = Size { width, height };
        let planes = numbers(batch * channels * size.area(), 0);
        let mut pixels = vec![f32::NAN; batch * size.area() * padded(channels)];
        pixels::from_planes(&planes, channels, size, &mut pixels);
        for (place, value) in pixels.iter().enumerate() {
            let (pixel, channel) = (place / padded(channels), place % padded(channels));
            let (image, pixel) = (pixel / size.area(), pixel % size.area());
            let at = (image * channels + channel) * size.area() + pixel;
            prop_assert_eq!(*value, if channel < channels { planes[at] } else { 0.0 });
        }
        let mut back = vec![f32::NAN; planes.len()];
        pixels::to_planes(&pixels, channels, size, &mut back);
        prop_assert_eq!(back, planes);
    }

    #[test]
    fn channels_are_joined_and_taken_apart(
        parts in prop::collection::vec(1usize..40, 1..4), pixels in 0usize..9,
    ) {
        let inputs: Vec<Vec<f32>> = parts
            .iter()
            .enumerate()
            .map(|(part, channels)| {
                let values = numbers(pixels * padded(*channels), part);
                let inside = |(place, value)| {
                    if place % padded(*channels) < *channels { value } else { 0.0 }
                };
                values.into_iter().enumerate().map(inside).collect()
            })
            .collect();
        let all: usize = parts.iter().sum();
        let mut joined = vec![f32::NAN; pixels * padded(all)];
        let with_channels: Vec<(&[f32], usize)> =
            inputs.iter().map(|input| &input[..]).zip(parts.iter().copied()).collect();
        pixels::concat(&with_channels, &mut joined);
        let mut first = 0;
        for (input, channels) in inputs.iter().zip(&parts) {
            let mut apart = vec![f32::NAN; input.len()];
            pixels::select(&joined, all, first..first + channels, &mut apart);
            prop_assert_eq!(&apart, input);
            first += channels;
        }
        let beyond = joined.chunks_exact(padded(all)).flat_map(|pixel| &pixel[all..]);
        prop_assert!(beyond.into_iter().all(|value| *value == 0.0));
    }

    #[test]
    fn pooling_pixels_takes_the_largest_of_each_window(
        channels in 1usize..20, height in 1usize..9, width in 1usize..9,
        side in 1usize..4, stride in 1usize..3, before in 0usize..2,
    ) {
        let before = before.min(side - 1);
        let count = |all: usize| (all + before - 1) / stride + 1;
        let output = Size { width: count(width), height: count(height) };
        let size = Size { width, height };
        let windows = Windows {
            sides: (side, side), strides: (stride, stride), before: (before, before), output,
        };
        let from = numbers(size.area() * padded(channels), 5);
        let mut to = vec![f32::NAN; output.area() * padded(channels)];
        // the last window of such a count may begin at the very edge
        let reaches = |all: usize, count: usize| (count - 1) * stride < all + before;
        prop_assume!(reaches(height, output.height) && reaches(width, output.width));
        pixels::max_pool(&from, channels, size, &windows, &mut to);
        for (place, value) in to.iter().enumerate() {
            let (pixel, channel) = (place / padded(channels), place % padded(channels));
            let (top, left) = (pixel / output.width * stride, pixel % output.width * stride);
            let inside = |at: usize, all: usize| at >= before && at - before < all;
            let cells = (top..top + side)
                .flat_map(|y| (left..left + side).map(move |x| (y, x)))
                .filter(|(y, x)| inside(*y, height) && inside(*x, width))
                .map(|(y, x)| {
                    from[((y - before) * width + x - before) * padded(channels) + channel]
                });
            prop_assert_eq!(*value, cells.fold(f32::NEG_INFINITY, f32::max));
        }
    }
}

#[test]
fn a_pixel_becomes_a_square() {
    let from = numbers(2 * 3 * padded(5), 0);
    let mut to = vec![f32::NAN; from.len() * 4];
    pixels::upsample(&from, 5, 3, 2, &mut to);
    for (place, value) in to.iter().enumerate() {
        let (pixel, channel) = (place / padded(5), place % padded(5));
        let (y, x) = (pixel / 6, pixel % 6);
        assert_eq!(*value, from[(y / 2 * 3 + x / 2) * padded(5) + channel]);
    }
}

#[test]
fn what_is_no_number_stays_none() {
    let sides = Sides {
        height: 6,
        width: 6,
        channels: 16,
        filters: 16,
        kernel: (3, 3),
        strides: (1, 1),
        dilations: (1, 1),
        before: (1, 1),
        after: (1, 1),
        depthwise: false,
    };
    for isa in Isa::available() {
        let bfloat16 = Method::bfloat16_candidates(&sides);
        for method in Method::candidates(&sides).into_iter().chain(bfloat16) {
            let weights = numbers(sides.weights(), 0);
            let clamp = Clamp { slope: 0.1, cap: 6.0 };
            let layer = Convolution::new(isa, sides, method, (&weights, &[0.0; 16]), clamp, false);
            let mut to = vec![0.0; 36 * 16];
            layer.run(&Team::alone(), 1, &vec![f32::NAN; 36 * 16], &mut to);
            let name = method.name();
            assert!(to.iter().all(|value| value.is_nan()), "{name} {}", isa.name());
        }
    }
}

#[test]
#[should_panic(expected = "as many weights as the sides say")]
fn weights_must_fit_the_sides() {
    let sides = Sides {
        height: 4,
        width: 4,
        channels: 1,
        filters: 1,
        kernel: (3, 3),
        strides: (1, 1),
        dilations: (1, 1),
        before: (0, 0),
        after: (0, 0),
        depthwise: false,
    };
    let weights = (&[0.0; 8][..], &[0.0][..]);
    let _ = Convolution::new(Isa::PORTABLE, sides, Method::Direct, weights, Clamp::NONE, false);
}

/// Three convolutions in a row, of which the first and the last are of 1 × 1.
#[derive(Clone, Debug)]
struct Block {
    size: Size,
    /// Of the input, between, of the output.
    channels: [usize; 3],
    kernel: usize,
    stride: usize,
    padding: usize,
    residual: bool,
    batch: usize,
    threads: usize,
}

impl Block {
    fn layers(&self, isa: Isa) -> [Convolution; 3] {
        let [input, wide, output] = self.channels;
        let layer = |(height, width), channels, filters, depthwise: bool| {
            let (kernel, stride, padding) =
                if depthwise { (self.kernel, self.stride, self.padding) } else { (1, 1, 0) };
            let sides = Sides {
                height,
                width,
                channels,
                filters,
                kernel: (kernel, kernel),
                strides: (stride, stride),
                dilations: (1, 1),
                before: (padding, padding),
                after: (padding, padding),
                depthwise,
            };
            let (weights, bias) = (numbers(sides.weights(), 3), numbers(filters, 5));
            let method = if depthwise { Method::Depthwise } else { Method::Direct };
            let clamp = Clamp { slope: 0.25, ..Clamp::NONE };
            Convolution::new(isa, sides, method, (&weights, &bias), clamp, false)
        };
        let expand = layer((self.size.height, self.size.width), input, wide, false);
        let depthwise = layer(expand.output(), wide, wide, true);
        let project = layer(depthwise.output(), wide, output, false);
        [expand, depthwise, project]
    }

    /// Each by itself, and the addition.
    fn plainly(&self, isa: Isa, from: &[f32]) -> Vec<f32> {
        let mut values = from.to_vec();
        for layer in self.layers(isa) {
            let (height, width) = layer.output();
            let filters = padded(layer.sides().filters);
            let mut to = vec![f32::NAN; self.batch * height * width * filters];
            layer.run(&Team::alone(), self.batch, &values, &mut to);
            values = to;
        }
        if self.residual {
            values.iter_mut().zip(from).for_each(|(value, from)| *value += from);
        }
        values
    }
}

fn block() -> impl Strategy<Value = Block> {
    let channels = (1usize..40, 1usize..150, 1usize..40);
    let window = (prop_oneof![Just(1usize), Just(3), Just(5)], 1usize..3, 0usize..3);
    ((1usize..40, 1usize..40), channels, window, any::<bool>(), 1usize..3, 1usize..4)
        .prop_filter_map(
            "a kernel no larger than its padded input, and an output like the input",
            |(size, channels, (kernel, stride, padding), residual, batch, threads)| {
                let (width, height) = size;
                let like = stride == 1 && 2 * padding + 1 == kernel;
                let block = Block {
                    size: Size { width, height },
                    channels: [
                        channels.0,
                        channels.1,
                        if residual { channels.0 } else { channels.2 },
                    ],
                    kernel,
                    stride,
                    padding,
                    residual,
                    batch,
                    threads,
                };
                let fits = kernel <= width.min(height) + 2 * padding;
                (fits && (like || !residual)).then_some(block)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_block_gives_what_its_layers_give_one_by_one(block in block()) {
        let [input, ..] = block.channels;
        let mut from = numbers(block.batch * block.size.area() * padded(input), 1);
        for pixel in from.chunks_exact_mut(padded(input)) {
            pixel[input..].fill(0.0);
        }
        for isa in Isa::available() {
            let expected = block.plainly(isa, &from);
            let layers = InvertedResidual::new(block.layers(isa), block.residual);
            let mut found = vec![f32::NAN; expected.len()];
            layers.run(&Team::of(block.threads).unwrap(), block.batch, &from, &mut found);
            prop_assert!(found == expected, "{}: {block:?}", isa.name());
        }
    }
}
