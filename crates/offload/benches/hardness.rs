//! Judging one answer of the edge's model: 8 detections and 24 weak ones of six classes, by each
//! measure, and reading the measure's text.

use criterion::{Criterion, criterion_group, criterion_main};
use frame::{BoundingBox, Detection, ImageSize};
use offload::{EdgeDetections, Hardness};
use std::hint::black_box;

fn judge(criterion: &mut Criterion) {
    let found: Vec<Detection> = (0..32u32)
        .map(|index| Detection {
            class: "thing".into(),
            class_id: index * 7 % 6,
            confidence: 0.95 - index as f32 * 0.028,
            bounding_box: BoundingBox {
                x: index as f32,
                y: 10.0,
                width: 40.0,
                height: 30.0 + index as f32,
            },
            zones: None,
        })
        .collect();
    let (confident, weak) = found.split_at(8);
    let seen = EdgeDetections { confident, weak, image: ImageSize { width: 640, height: 480 } };
    for (name, text) in [
        ("mean-confidence", "mean-confidence<0.5,empty=hard"),
        ("cross-entropy", "cross-entropy<0.5,empty=hard"),
        ("ibt", "ibt(0.5)>=0.5,empty=hard"),
        ("max-confidence", "max-confidence<0.5,empty=hard"),
        ("uncertainty", "uncertainty(weak small class)>=3.5"),
        ("errors", "errors>=2"),
        (
            "regression",
            "regression(1.1089 1.8246 0.5776 0.15347 -6.7282 3.0429)>=9.3213,empty=hard",
        ),
    ] {
        let hardness: Hardness = text.parse().expect("the form is allowed");
        criterion.bench_function(&format!("is hard/{name}"), |bencher| {
            bencher.iter(|| hardness.is_hard(black_box(&seen)))
        });
        criterion.bench_function(&format!("read/{name}"), |bencher| {
            bencher.iter(|| black_box(text).parse::<Hardness>().expect("the form is allowed"));
        });
    }
}

criterion_group!(benches, judge);
criterion_main!(benches);
