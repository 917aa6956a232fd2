//! The convolutions of YOLOv3-tiny at 416 × 416, each by every method:
//! `cargo bench -p kernels --bench convolution`. `MLVI_BENCH_THREADS` threads share each; the rate
//! is in operations of a direct convolution, so that methods compare.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kernels::conv::{Clamp, Convolution, Method, Sides, padded};
use kernels::{Isa, Team};
use std::hint::black_box;
use std::time::Duration;

/// Side, channels, filters, the kernel's side.
const LAYERS: [(usize, usize, usize, usize); 12] = [
    (416, 3, 16, 3),
    (208, 16, 32, 3),
    (104, 32, 64, 3),
    (52, 64, 128, 3),
    (26, 128, 256, 3),
    (13, 256, 512, 3),
    (13, 512, 1024, 3),
    (13, 1024, 256, 1),
    (13, 512, 255, 1),
    (13, 256, 128, 1),
    (26, 384, 256, 3),
    (26, 256, 255, 1),
];

/// Numbers that follow no order.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 4099) as f32 / 4099.0 - 0.5).collect()
}

fn convolutions(criterion: &mut Criterion) {
    let threads = std::env::var("MLVI_BENCH_THREADS").ok().and_then(|text| text.parse().ok());
    let team = Team::of(threads.unwrap_or(1)).expect("threads");
    for (side, channels, filters, kernel) in LAYERS {
        let around = (kernel / 2, kernel / 2);
        let sides = Sides {
            height: side,
            width: side,
            channels,
            filters,
            kernel: (kernel, kernel),
            strides: (1, 1),
            dilations: (1, 1),
            before: around,
            after: around,
            depthwise: false,
        };
        let name = format!("{side}x{side} {channels} to {filters}, {kernel}x{kernel}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(sides.operations() as u64));
        let planes = Method::takes_planes(&sides);
        let mut methods = if planes { vec![Method::Planar] } else { Method::candidates(&sides) };
        methods.extend(Method::bfloat16_candidates(&sides));
        let (weights, bias) = (numbers(sides.weights()), numbers(filters));
        let clamp = Clamp { slope: 0.1, cap: f32::INFINITY };
        for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::PORTABLE) {
            for method in &methods {
                let layer = Convolution::new(isa, sides, *method, (&weights, &bias), clamp, false);
                let planar = *method == Method::Planar;
                let depth = if planar { channels } else { padded(channels) };
                let from = numbers(side * side * depth);
                let mut to = vec![0.0; side * side * padded(filters)];
                group.bench_function(
                    format!("{} {}", method.name(), layer.instructions()),
                    |bencher| {
                        bencher.iter(|| {
                            team.enter(|| layer.run(&team, 1, black_box(&from), &mut to));
                        });
                    },
                );
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = convolutions
}
criterion_main!(benches);
