//! One photo on one thread through YOLOv3-tiny: letterbox, network, and reading the boxes off its
//! outputs.
//!
//! With `MLVI_REFERENCE_DIR` the photo is Darknet's dog and the weights are the real ones; without
//! it both are made up, which takes the letterbox and the network as long, and leaves next to
//! nothing to read.

use criterion::{Criterion, criterion_group, criterion_main};
use detector::{Description, Detector, LoadOptions};
use frame::{ImageSize, RgbImage};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn reference() -> Option<PathBuf> {
    std::env::var_os("MLVI_REFERENCE_DIR").map(PathBuf::from)
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn photo() -> RgbImage {
    if let Some(reference) = reference() {
        let photo =
            std::fs::read(reference.join("images/dog.jpg")).expect("the reference has this photo");
        return vision::decode(&photo, &vision::Limits::default())
            .expect("the photo can be decoded");
    }
    let size = ImageSize { width: 768, height: 576 };
    let data = (0..size.width * size.height * 3).map(|index| (index % 251) as u8).collect();
    RgbImage::new(size, data).expect("the pixels were counted")
}

/// The description and, when the weights are made up, the folder that holds them.
fn description() -> (Description, Option<TempDir>) {
    if let Some(reference) = reference() {
        let description =
            Description::load(&models(), "yolov3-tiny").expect("our own description is sound");
        return (
            description.with_weights_at(reference.join("../models/yolov3-tiny.weights")),
            None,
        );
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    for file in ["yolov3-tiny.cfg", "coco.names"] {
        std::fs::copy(models().join(file), dir.path().join(file)).expect("our own files are there");
    }
    let text = "name = \"yolov3-tiny\"\nformat = \"darknet\"\nconfig = \"yolov3-tiny.cfg\"\n\
                names = \"coco.names\"\n\
                [weights]\nfile = \"made-up.weights\"\n";
    std::fs::write(dir.path().join("yolov3-tiny.toml"), text).expect("the folder is ours");
    // the size of the real file: 20 bytes of header, and numbers between 0 and 1
    let numbers = (0..(35_434_956u32 - 20) / 4).map(|index| (index % 97) as f32 / 97.0);
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    let bytes: Vec<u8> = header.chain(numbers.flat_map(f32::to_le_bytes)).collect();
    std::fs::write(dir.path().join("made-up.weights"), bytes).expect("the folder is ours");
    (Description::load(dir.path(), "yolov3-tiny").expect("this description is sound"), Some(dir))
}

fn stages(criterion: &mut Criterion) {
    let (description, _dir) = description();
    criterion.bench_function("load", |bencher| {
        bencher.iter(|| {
            Detector::load(&description, LoadOptions::default()).expect("the model loads")
        });
    });
    let detector = Detector::load(&description, LoadOptions::default()).expect("the model loads");
    let mut session = detector.session().expect("a session starts");
    let photo = photo();
    criterion.bench_function("letterbox", |bencher| {
        bencher.iter(|| session.input_tensor(black_box(&photo)).expect("the tensor is ours"));
    });
    let tensor = session.input_tensor(&photo).expect("the tensor is ours");
    criterion.bench_function("network", |bencher| {
        bencher.iter(|| session.raw_outputs(black_box(&tensor)).expect("the network runs"));
    });
    criterion.bench_function("decode and suppress", |bencher| {
        bencher.iter_custom(|rounds| {
            let once = |_| {
                session.detect(&[black_box(&photo)]).expect("the network runs")[0].postprocess_ms
            };
            Duration::from_secs_f64((0..rounds).map(once).sum::<f64>() / 1000.0)
        });
    });
    criterion.bench_function("detect", |bencher| {
        bencher.iter(|| session.detect(&[black_box(&photo)]).expect("the network runs"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    targets = stages
}
criterion_main!(benches);
