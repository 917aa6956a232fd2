//! What one 640×480 frame costs in each step: `cargo bench -p vision`.

use criterion::{Criterion, criterion_group, criterion_main};
use frame::{ImageSize, RgbImage};
use std::hint::black_box;
use vision::{Limits, decode, encode_jpeg, probe, sharpen};

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

fn steps(criterion: &mut Criterion) {
    let limits = Limits::default();
    let image = photo_like(640, 480);
    let bytes = encode_jpeg(&image, 90).expect("it fits a JPEG");
    let mut group = criterion.benchmark_group("640x480");
    group.bench_function("probe", |b| b.iter(|| probe(black_box(&bytes), &limits)));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(&bytes), &limits)));
    group.bench_function("sharpen", |b| b.iter(|| sharpen(black_box(&image), 1.2)));
    group.bench_function("encode", |b| b.iter(|| encode_jpeg(black_box(&image), 90)));
    // what a frame costs on its way, the inference itself left out
    group.bench_function("road", |b| {
        b.iter(|| {
            let uploaded = decode(black_box(&bytes), &limits)?;
            let prepared = encode_jpeg(&sharpen(&uploaded, 1.2), 90)?;
            decode(&prepared, &limits)
        });
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
