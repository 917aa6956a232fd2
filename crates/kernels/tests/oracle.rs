//! Every version of every kernel that this processor can run against the portable one, and the
//! portable one against the plain definition.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use kernels::{Isa, Letterboxer, Placement, Sharpener, Size, find_byte, halve, multiply_add, read};
use proptest::prelude::*;
use std::io::Write;

/// How many floating-point numbers lie between two; NaN is as far as can be from any number, and
/// next to itself.
fn ulps(a: f32, b: f32) -> u32 {
    // negative numbers count down from 0
    let place = |x: f32| {
        let bits = x.to_bits().cast_signed();
        i64::from(if bits < 0 { i32::MIN - bits } else { bits })
    };
    match (a.is_nan(), b.is_nan()) {
        (true, true) => 0,
        (true, false) | (false, true) => u32::MAX,
        (false, false) => u32::try_from(place(a).abs_diff(place(b))).unwrap(),
    }
}

fn most_ulps(these: &[f32], those: &[f32]) -> u32 {
    assert_eq!(these.len(), those.len());
    these.iter().zip(those).map(|(a, b)| ulps(*a, *b)).max().unwrap_or(0)
}

/// All but the portable one, which is the oracle.
fn others() -> Vec<Isa> {
    Isa::available().into_iter().filter(|isa| *isa != Isa::PORTABLE).collect()
}

/// Numbers of all kinds, and often equal ones.
fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -9.0f32..9.0, 2 => (-2i8..3).prop_map(f32::from), 1 => prop::num::f32::ANY]
}

fn planes() -> impl Strategy<Value = (Vec<f32>, Size)> {
    (1usize..80, 1usize..9, 0usize..4).prop_flat_map(|(width, height, planes)| {
        prop::collection::vec(any_number(), width * height * planes)
            .prop_map(move |values| (values, Size { width, height }))
    })
}

fn halved(isa: Isa, values: &[f32], size: Size) -> Vec<f32> {
    let halves = size.width.div_ceil(2) * size.height.div_ceil(2);
    let mut out = vec![f32::INFINITY; values.len() / size.area() * halves];
    halve(isa, values, size, &mut out);
    out
}

/// The definition of max pooling, cell by cell; no NaN among the values.
fn plainly_halved(values: &[f32], size: Size) -> Vec<f32> {
    let mut out = Vec::new();
    for plane in values.chunks_exact(size.area()) {
        for y in (0..size.height).step_by(2) {
            for x in (0..size.width).step_by(2) {
                let cells = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
                let inside = cells.iter().filter(|(x, y)| *x < size.width && *y < size.height);
                let values = inside.map(|(x, y)| plane[y * size.width + x]);
                out.push(values.fold(f32::NEG_INFINITY, f32::max));
            }
        }
    }
    out
}

fn image() -> impl Strategy<Value = (Vec<u8>, Size)> {
    (1usize..70, 1usize..12).prop_flat_map(|(width, height)| {
        prop::collection::vec(any::<u8>(), width * height * 3)
            .prop_map(move |pixels| (pixels, Size { width, height }))
    })
}

fn sharpened(isa: Isa, pixels: &[u8], size: Size, factor: f32) -> Vec<u8> {
    let mut out = pixels.to_vec();
    Sharpener::new(isa).sharpen(&mut out, size, factor);
    out
}

/// The definition of sharpening, pixel by pixel.
fn plainly_sharpened(pixels: &[u8], Size { width, height }: Size, factor: f32) -> Vec<u8> {
    let at = |x: usize, y: usize, c: usize| f64::from(pixels[(y * width + x) * 3 + c]);
    let mut out = Vec::new();
    for (y, x, c) in
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c))))
    {
        let border = x == 0 || y == 0 || x + 1 >= width || y + 1 >= height;
        let smooth = if border {
            at(x, y, c)
        } else {
            let nine: f64 = (0..9).map(|i| at(x + i % 3 - 1, y + i / 3 - 1, c)).sum();
            ((nine + 4.0 * at(x, y, c)) / 13.0).round()
        };
        out.push((smooth as f32 + factor * (at(x, y, c) - smooth) as f32) as u8);
    }
    out
}

/// Factors with two decimals, any others, and some that no processor's integers hold.
fn factor() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => (0u16..400).prop_map(|hundredths| f32::from(hundredths) / 100.0),
        4 => -1.0f32..4.0,
        1 => prop::num::f32::ANY,
    ]
}

/// An image, and planes that it fits into; some images have the size that they are to be fitted to.
fn placed() -> impl Strategy<Value = (Vec<u8>, Placement)> {
    (image(), 1usize..60, 1usize..20, 0usize..9, 0usize..9, 0..4).prop_map(
        |((pixels, image), width, height, beside, above, kind)| {
            let fitted = if kind == 0 { image } else { Size { width, height } };
            let Size { width, height } = fitted;
            let input = Size { width: width + beside, height: height + above };
            (pixels, Placement { image, fitted, input })
        },
    )
}

fn letterboxed(isa: Isa, pixels: &[u8], placement: Placement) -> Vec<f32> {
    let mut planes = vec![f32::NAN; placement.input.area() * 3];
    Letterboxer::new(isa).fill(pixels, placement, &mut planes);
    planes
}

fn letterboxed_to_bytes(isa: Isa, pixels: &[u8], placement: Placement) -> Vec<u8> {
    let mut picture = vec![77; placement.input.area() * 3];
    Letterboxer::new(isa).fill_bytes(pixels, placement, &mut picture);
    picture
}

/// Planes as an interleaved picture of bytes.
fn in_bytes(planes: &[f32]) -> Vec<u8> {
    let area = planes.len() / 3;
    let byte = |value: f32| (value * 255.0 + 0.5) as u8;
    (0..area * 3).map(|index| byte(planes[index % 3 * area + index / 3])).collect()
}

/// Darknet's `resize_image` and `embed_image`, written down plainly: horizontal pass, vertical
/// pass, embed.
fn plainly_letterboxed(pixels: &[u8], placement: Placement) -> Vec<f32> {
    let Placement { image, fitted, input } = placement;
    let mut out = vec![0.5; input.area() * 3];
    // the pixel before a position and how far the position is beyond it
    let place = |at: usize, from: usize, to: usize| {
        let position = if at + 1 == to || from == 1 {
            (from - 1) as f32
        } else {
            at as f32 * (from - 1) as f32 / (to - 1) as f32
        };
        (position as usize, position - (position as usize) as f32)
    };
    for channel in 0..3 {
        let pixel = |x: usize, y: usize| {
            let (x, y) = (x.min(image.width - 1), y.min(image.height - 1));
            f32::from(pixels[(y * image.width + x) * 3 + channel]) / 255.0
        };
        for y in 0..fitted.height {
            let (upper, down) = place(y, image.height, fitted.height);
            for x in 0..fitted.width {
                let (left, right) = place(x, image.width, fitted.width);
                let across = |y: usize| (1.0 - right) * pixel(left, y) + right * pixel(left + 1, y);
                let row = (input.height - fitted.height) / 2 + y;
                let column = (input.width - fitted.width) / 2 + x;
                out[channel * input.area() + row * input.width + column] =
                    (1.0 - down) * across(upper) + down * across(upper + 1);
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn max_pooling_is_the_same_in_every_version((values, size) in planes()) {
        let oracle = halved(Isa::PORTABLE, &values, size);
        for isa in others() {
            prop_assert_eq!(most_ulps(&halved(isa, &values, size), &oracle), 0, "{}", isa.name());
        }
    }

    #[test]
    fn portable_max_pooling_is_its_definition((mut values, size) in planes()) {
        values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        prop_assert_eq!(halved(Isa::PORTABLE, &values, size), plainly_halved(&values, size));
    }

    #[test]
    fn sharpening_is_the_same_in_every_version((pixels, size) in image(), factor in factor()) {
        let oracle = sharpened(Isa::PORTABLE, &pixels, size, factor);
        for isa in others() {
            let found = sharpened(isa, &pixels, size, factor);
            prop_assert_eq!(&found, &oracle, "{}", isa.name());
        }
    }

    #[test]
    fn portable_sharpening_is_its_definition((pixels, size) in image(), factor in -1.0f32..4.0) {
        let found = sharpened(Isa::PORTABLE, &pixels, size, factor);
        prop_assert_eq!(found, plainly_sharpened(&pixels, size, factor));
        prop_assert_eq!(sharpened(Isa::PORTABLE, &pixels, size, 1.0), pixels);
    }

    #[test]
    fn the_letterbox_is_the_same_in_every_version((pixels, placement) in placed()) {
        let oracle = letterboxed(Isa::PORTABLE, &pixels, placement);
        for isa in others() {
            let found = letterboxed(isa, &pixels, placement);
            prop_assert_eq!(most_ulps(&found, &oracle), 0, "{}", isa.name());
        }
    }

    #[test]
    fn the_portable_letterbox_is_its_definition((pixels, placement) in placed()) {
        let found = letterboxed(Isa::PORTABLE, &pixels, placement);
        for (found, plain) in found.iter().zip(plainly_letterboxed(&pixels, placement)) {
            // positions computed in another order may round to the neighbouring pixel's share
            prop_assert!((found - plain).abs() < 1e-3, "{} {}", found, plain);
        }
    }

    #[test]
    fn a_letterbox_in_bytes_is_the_letterbox_rounded((pixels, placement) in placed()) {
        let oracle = in_bytes(&letterboxed(Isa::PORTABLE, &pixels, placement));
        for isa in Isa::available() {
            let found = letterboxed_to_bytes(isa, &pixels, placement);
            prop_assert_eq!(&found, &oracle, "{}", isa.name());
        }
    }

    /// What is already as large as it is to be gives exactly its own values.
    #[test]
    fn an_image_that_fits_is_only_taken_apart((pixels, image) in image()) {
        let placement = Placement { image, fitted: image, input: image };
        let unit = 1.0 / 255.0;
        for isa in Isa::available() {
            let planes = letterboxed(isa, &pixels, placement);
            for (index, byte) in pixels.iter().enumerate() {
                let value = planes[index % 3 * image.area() + index / 3];
                prop_assert_eq!(value, f32::from(*byte) * unit, "{}", isa.name());
            }
            prop_assert_eq!(&letterboxed_to_bytes(isa, &pixels, placement), &pixels);
        }
    }

    /// A picture that was fitted once takes the short way the next time: the bars stay exact.
    #[test]
    fn a_fitted_picture_is_letterboxed_to_nearly_the_same((pixels, placement) in placed()) {
        let Placement { fitted, input, .. } = placement;
        for isa in Isa::available() {
            let at_once = letterboxed(isa, &pixels, placement);
            let alone = Placement { input: fitted, ..placement };
            let picture = letterboxed_to_bytes(isa, &pixels, alone);
            let placement = Placement { image: fitted, fitted, input };
            for (twice, once) in letterboxed(isa, &picture, placement).iter().zip(at_once) {
                prop_assert!((twice - once).abs() < 0.51 / 255.0, "{} {}", twice, once);
            }
        }
    }

    #[test]
    fn a_byte_is_found_where_it_first_is(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        wanted in any::<u8>(),
        rare in any::<bool>(),
    ) {
        // else the first blocks have nearly always one
        let even = |bytes: &[u8]| bytes.iter().map(|byte| byte & 0xFE).collect();
        let bytes: Vec<u8> = if rare { even(&bytes) } else { bytes };
        let wanted = if rare { bytes.last().copied().unwrap_or(wanted) } else { wanted };
        let expected = bytes.iter().position(|byte| *byte == wanted);
        for isa in Isa::available() {
            prop_assert_eq!(find_byte(isa, wanted, &bytes), expected, "{}", isa.name());
        }
    }
}

#[test]
fn a_second_image_leaves_nothing_of_the_first() {
    let input = Size { width: 16, height: 16 };
    let wide = Size { width: 30, height: 10 };
    let high = Size { width: 10, height: 30 };
    let pixels: Vec<u8> = (0..900u32).map(|index| (index * 37 % 251) as u8).collect();
    let first = Placement { image: wide, fitted: Size { width: 16, height: 5 }, input };
    let second = Placement { image: high, fitted: Size { width: 5, height: 16 }, input };
    let mut planes = vec![f32::NAN; input.area() * 3];
    let mut letterboxer = Letterboxer::new(Isa::best());
    letterboxer.fill(&pixels, first, &mut planes);
    letterboxer.fill(&pixels, second, &mut planes);
    assert_eq!(planes, letterboxed(Isa::best(), &pixels, second));
}

#[test]
fn multiply_adds_are_all_done() {
    for isa in Isa::available() {
        for rounds in [0, 1, 5] {
            let (operations, sum) = multiply_add(isa, rounds, 0.5, 1.0);
            // halved and 1 more, over and over: 1, 1.5, 1.75, …, all of them exact
            let each = 2.0 - 0.5_f32.powi(i32::try_from(rounds).unwrap());
            let numbers = sum / each;
            assert!(numbers >= 32.0 && numbers.fract() == 0.0, "{}: {sum}", isa.name());
            assert_eq!(operations, 2 * rounds as u64 * numbers as u64, "{}", isa.name());
        }
    }
}

#[test]
fn every_word_is_read_once() {
    for length in [0, 1, 31, 32, 33, 100] {
        let words: Vec<u64> = (0..length).map(|index| u64::MAX / 3 + index * index).collect();
        let wanted = words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
        assert_eq!(read(&words), wanted, "{length}");
    }
}

#[test]
fn ulps_count_the_numbers_between() {
    assert_eq!(ulps(1.0, 1.0), 0);
    assert_eq!(ulps(1.0, 1.0 + f32::EPSILON), 1);
    assert_eq!(ulps(0.0, -0.0), 0);
    assert_eq!(ulps(f32::from_bits(1), -f32::from_bits(1)), 2);
    assert_eq!(ulps(f32::NAN, 1.0), u32::MAX);
}

#[test]
fn the_best_instructions_are_available() {
    let available = Isa::available();
    assert_eq!(available.first(), Some(&Isa::PORTABLE));
    assert_eq!(available.last(), Some(&Isa::best()));
    // what a passing test prints is not shown; standard error itself is
    let names: Vec<&str> = available.iter().map(|isa| isa.name()).collect();
    writeln!(std::io::stderr(), "kernels are compared for: {}", names.join(", "))
        .expect("standard error can be written");
}

/// NEON is in every 64-bit Arm processor that runs an operating system: it is what kernels get.
#[cfg(target_arch = "aarch64")]
#[test]
fn arm_processors_use_neon() {
    let names: Vec<&str> = Isa::available().iter().map(|isa| isa.name()).collect();
    assert_eq!(names, ["portable", "neon"]);
    assert_eq!(Isa::best().name(), "neon");
}
