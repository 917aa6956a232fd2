//! Convolutions on bytes, on the layers of YOLOv3-tiny at 416×416, in each version that this
//! processor can run: `cargo bench -p kernels --bench int8`. An element is an operation: a product
//! is two. The first layer is small enough for the nearest cache, and so nears the processor's
//! peak.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kernels::int8::{Convolution, Filters, Int8Isa, Layout, Step, Target};
use kernels::{Size, Team};
use std::hint::black_box;

/// Sides of the input, channels, filters, side of the kernel, whether the output is halved.
const LAYERS: [(usize, usize, usize, usize, bool); 12] = [
    (13, 64, 32, 1, false),
    (416, 3, 16, 3, true),
    (208, 16, 32, 3, true),
    (104, 32, 64, 3, true),
    (52, 64, 128, 3, true),
    (26, 128, 256, 3, false),
    (13, 256, 512, 3, false),
    (13, 512, 1024, 3, false),
    (13, 1024, 256, 1, false),
    (13, 256, 128, 1, false),
    (26, 384, 256, 3, false),
    (26, 256, 255, 1, false),
];

fn layers(criterion: &mut Criterion) {
    for (width, channels, filters, side, halve) in LAYERS {
        let kernel: Vec<i8> = (0..filters * channels * side * side)
            .map(|index| (index * 7919 % 251) as u8 as i8)
            .collect();
        let size = Size { width, height: width };
        let padding = side / 2;
        let input = if channels == 3 {
            Layout::of_image(size, padding)
        } else {
            Layout::of_layer(channels, size, padding)
        };
        let convolution = Convolution::new(
            Filters {
                kernel: &kernel,
                channels,
                size: side,
                factors: &vec![1e-4; filters],
                addends: &vec![0.5; filters],
                slope: 0.1,
                cap: f32::INFINITY,
            },
            Step { input, zero: 20, strides: (1, 1), dilation: 1, padding },
            Target::Bytes { zero: 20, halve, border: 1 },
        );
        let Some(output) = convolution.layout() else { continue };
        let from: Vec<u8> = (0..input.bytes()).map(|index| (index * 7919 % 251) as u8).collect();
        let mut to = vec![0; output.bytes()];
        let halved = if halve { ", halved" } else { "" };
        let name = format!("{channels}→{filters} {side}×{side} at {width}×{width}{halved}");
        let mut group = criterion.benchmark_group(name);
        let operations = 2 * width * width * kernel.len();
        group.throughput(Throughput::Elements(operations as u64));
        for isa in Int8Isa::available() {
            group.bench_function(isa.name(), |bencher| {
                bencher
                    .iter(|| convolution.to_bytes(isa, &Team::alone(), black_box(&from), &mut to));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, layers);
criterion_main!(benches);
