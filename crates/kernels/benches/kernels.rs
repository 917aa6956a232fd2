//! Each kernel in each version that this processor can run, on the sizes of YOLOv3-tiny and of a
//! frame of 640×480: `cargo bench -p kernels`. A kernel is worth its lines when its ratio to
//! `portable` says so.

use criterion::{Criterion, criterion_group, criterion_main};
use kernels::{Isa, Letterboxer, Placement, Sharpener, Size, find_byte, halve};
use std::hint::black_box;

const FRAME: Size = Size { width: 640, height: 480 };
const LARGE: Size = Size { width: 1920, height: 1080 };

/// Numbers from 0 to 1 that follow no order.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 4099) as f32 / 4099.0).collect()
}

fn pixels(size: Size) -> Vec<u8> {
    (0..size.area() * 3).map(|index| (index * 7919 % 251) as u8).collect()
}

fn max_pool(criterion: &mut Criterion) {
    // the first and the last but one that halve
    for (planes, width) in [(16, 416), (256, 26)] {
        let size = Size { width, height: width };
        let from = numbers(planes * size.area());
        let mut to = vec![0.0; from.len() / 4];
        let mut group = criterion.benchmark_group(format!("max pool {planes}x{width}x{width}"));
        for isa in Isa::available() {
            group.bench_function(isa.name(), |bencher| {
                bencher.iter(|| halve(isa, black_box(&from), size, &mut to));
            });
        }
        group.finish();
    }
}

fn letterbox(criterion: &mut Criterion) {
    let input = Size { width: 416, height: 416 };
    let fitted = Size { width: 416, height: 312 };
    for image in [FRAME, LARGE, fitted] {
        let pixels = pixels(image);
        let fitted = if image == LARGE { Size { width: 416, height: 234 } } else { fitted };
        let placement = Placement { image, fitted, input };
        let mut planes = vec![0.0; input.area() * 3];
        let mut picture = vec![0; input.area() * 3];
        let name = format!("letterbox {}x{} to 416x416", image.width, image.height);
        let mut group = criterion.benchmark_group(name);
        for isa in Isa::available() {
            let mut letterboxer = Letterboxer::new(isa);
            group.bench_function(isa.name(), |bencher| {
                bencher.iter(|| letterboxer.fill(black_box(&pixels), placement, &mut planes));
            });
            group.bench_function(format!("{} to bytes", isa.name()), |bencher| {
                bencher
                    .iter(|| letterboxer.fill_bytes(black_box(&pixels), placement, &mut picture));
            });
        }
        group.finish();
    }
}

fn sharpening(criterion: &mut Criterion) {
    for size in [FRAME, LARGE] {
        let mut pixels = pixels(size);
        let name = format!("sharpen {}x{}", size.width, size.height);
        let mut group = criterion.benchmark_group(name);
        for isa in Isa::available() {
            let mut sharpener = Sharpener::new(isa);
            group.bench_function(isa.name(), |bencher| {
                bencher.iter(|| sharpener.sharpen(black_box(&mut pixels), size, 1.2));
            });
        }
        group.finish();
    }
}

fn finding(criterion: &mut Criterion) {
    let bytes = vec![7; 100_000];
    let mut group = criterion.benchmark_group("find a byte in 100 kB");
    for isa in Isa::available() {
        group.bench_function(isa.name(), |bencher| {
            bencher.iter(|| find_byte(isa, 0xFF, black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, max_pool, letterbox, sharpening, finding);
criterion_main!(benches);
