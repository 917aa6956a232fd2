//! What one 640×480 frame costs in each step: `cargo bench -p vision`.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use frame::{ImageSize, Point, Polygon, RgbImage};
use std::hint::black_box;
use vision::{Limits, blacken, decode, encode_jpeg, probe, sharpen};

/// Something with a photo's mix of smooth areas, edges and grain; at quality 90 about 90 kB.
fn photo_like(width: u32, height: u32) -> RgbImage {
    let mut grain = 0x1234_5678u32;
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            grain ^= grain << 13;
            grain ^= grain >> 17;
            grain ^= grain << 5;
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let waves = (u * 40.0).sin() * (v * 23.0 + u * 9.0).cos();
            let edge = if ((x / 40) ^ (y / 30)) % 3 == 0 { 50.0 } else { 0.0 };
            for shade in [u * 120.0, v * 120.0, (u + v) * 60.0] {
                data.push((40.0 + shade + 30.0 * waves + edge + (grain % 13) as f32) as u8);
            }
        }
    }
    RgbImage::new(ImageSize { width, height }, data).expect("three bytes a pixel")
}

/// Around the point at these relative coordinates.
fn octagon(centre: f64) -> Polygon {
    let corner = |index: u8| {
        let angle = std::f64::consts::TAU * f64::from(index) / 8.0;
        Point { x: centre + 0.2 * angle.cos(), y: centre + 0.2 * angle.sin() }
    };
    Polygon::new((0..8).map(corner).collect()).expect("it is in the picture")
}

fn steps(criterion: &mut Criterion) {
    let limits = Limits::default();
    let image = photo_like(640, 480);
    let bytes = encode_jpeg(&image, 90).expect("it fits a JPEG");
    let mut group = criterion.benchmark_group("640x480");
    group.bench_function("probe", |b| b.iter(|| probe(black_box(&bytes), &limits)));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(&bytes), &limits)));
    group.bench_function("sharpen", |b| {
        b.iter_batched(|| image.clone(), |image| sharpen(image, 1.2), BatchSize::LargeInput);
    });
    group.bench_function("encode", |b| b.iter(|| encode_jpeg(black_box(&image), 90)));
    // four masks of eight corners, which cover a third of the picture
    let masks: Vec<Polygon> = (0..4).map(|index| octagon(0.2 + 0.2 * f64::from(index))).collect();
    group.bench_function("blacken", |b| {
        b.iter_batched_ref(|| image.clone(), |image| blacken(image, &masks), BatchSize::LargeInput);
    });
    // what a preprocessor does with a frame's pixels
    group.bench_function("decode, sharpen, encode", |b| {
        b.iter(|| encode_jpeg(&sharpen(decode(black_box(&bytes), &limits)?, 1.2), 90));
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
