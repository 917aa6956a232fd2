//! Fitting and judging, on made-up images whose gain is known and on real photos.

use super::*;
use accuracy::{Answer, DetectionsFile, Header, ImageRecord, ModelEntry, Object};
use frame::{BoundingBox, Detection, ImageSize, ModelInfo};
use offload::{Empty, Hardness};

fn model(name: &str) -> ModelEntry {
    let info =
        ModelInfo { name: name.into(), version: "1".into(), input: "8x8".into(), resize: None };
    ModelEntry { info, confidence: 0.25, weak: Some(0.05), nms: "class".into() }
}

/// An object a frame, one of three classes. In every fourth frame the edge is unsure of its box and
/// has it in the wrong place; the cloud never errs.
fn made_up(images: usize) -> (DetectionsFile, Vec<Truth>) {
    let place = |x: f32| BoundingBox { x, y: 0.0, width: 10.0, height: 10.0 };
    let image = |index: usize| {
        let class_id = (index / 4 % 3) as u32;
        let answer = |confidence, x| {
            let detection = Detection {
                class: "thing".into(),
                class_id,
                confidence,
                bounding_box: place(x),
                zones: None,
            };
            Answer { service_ms: 1.0, detections: vec![detection] }
        };
        let hard = index.is_multiple_of(4);
        let record = ImageRecord {
            file: format!("{index:03}.jpg"),
            size: ImageSize { width: 100, height: 100 },
            bytes: 1000,
            decode_ms: 1.0,
            edge: if hard { answer(0.3, 50.0) } else { answer(0.9, 0.0) },
            cloud: answer(0.8, 0.0),
        };
        let object = Object { class_id, bounding_box: place(0.0), crowd: false };
        (record, Truth { objects: vec![object] })
    };
    let header = Header {
        classes: vec!["thing".into(); 3],
        from_confidence: 0.005,
        edge: model("small"),
        cloud: model("large"),
    };
    let (images, truths) = (0..images).map(image).unzip();
    (DetectionsFile { header, images }, truths)
}

#[test]
fn hard_frames_win_all_and_easy_ones_nothing() {
    let (file, truths) = made_up(48);
    let exam = Exam::new(&file, &truths, Objective::Map);
    let all: Vec<usize> = (0..48).collect();
    let (edge, cloud) = exam.ends(&all).unwrap();
    assert!((cloud - 1.0).abs() < 1e-12 && edge < 0.8, "{edge} {cloud}");
    let hardness: Hardness = "max-confidence<0.5".parse().unwrap();
    let order = exam.hardest_first(&hardness, &all);
    assert!((exam.quality(&all, &order[..12]) - cloud).abs() < 1e-12);
    assert!((exam.quality(&all, &order[12..]) - edge).abs() < 1e-12);
    assert!((exam.quality(&all, &exam.in_hindsight(&all)[..12]) - cloud).abs() < 1e-12);
    let chance = exam.by_chance(&all, 12);
    assert!(edge < chance && chance < cloud, "{edge} {chance} {cloud}");
    let gains = exam.gains(&all);
    assert!(
        gains.iter().enumerate().all(|(image, gain)| (*gain > 1.0) == image.is_multiple_of(4)),
        "{gains:?}"
    );
}

#[test]
fn each_measure_is_fitted_to_send_the_hard_half() {
    let (file, truths) = made_up(48);
    let exam = Exam::new(&file, &truths, Objective::Map);
    // every fourth image is hard; halves by pairs have as many of them
    let (fitted, judged): (Vec<usize>, Vec<usize>) = (0..48).partition(|image| image / 4 % 2 == 0);
    // there are no weak detections, and this one takes empty frames for hard
    let in_place = |kind: &Kind| {
        let name = kind.name();
        !name.starts_with("missed") && name != "mean-confidence,empty=hard"
    };
    for kind in Kind::ALL.into_iter().filter(in_place) {
        let hardness = kind.fit(&exam, &fitted, 0.25).unwrap();
        let sent: Vec<usize> =
            judged.iter().copied().filter(|image| hardness.is_hard(&exam.seen(*image))).collect();
        assert!(
            sent.iter().all(|image| image.is_multiple_of(4)) && sent.len() == 6,
            "{}: {hardness}, {sent:?}",
            kind.name()
        );
        assert_eq!(hardness.to_string().parse::<Hardness>().unwrap(), hardness);
        assert_eq!(
            hardness.empty,
            Empty::Easy,
            "no frame is empty, so nothing speaks for sending them"
        );
    }
}

#[test]
fn halves_share_no_image_and_lack_none() {
    let all: Vec<usize> = (0..31).collect();
    for halves in [Halves::even_odd(&all).unwrap(), Halves::random(&all, 5).unwrap()] {
        for half in halves.both_ways() {
            let mut together = [half.fitted, half.judged].concat();
            together.sort_unstable();
            assert_eq!(together, all);
            assert!(half.fitted.len().abs_diff(half.judged.len()) <= 1);
        }
    }
    let random = |seed| Halves::random(&all, seed).unwrap().both_ways()[0].fitted.to_vec();
    assert_eq!(random(5), random(5));
    assert_ne!(random(5), random(6));
    assert!(Halves::even_odd(&all[..19]).is_err());
}

#[test]
fn the_command_runs_with_and_without_labels() {
    let dir = tempfile::tempdir().unwrap();
    let (file, truths) = made_up(48);
    let path = dir.path().join("detections.jsonl");
    file.write(std::fs::File::create(&path).unwrap()).unwrap();
    let labels = dir.path().join("labels");
    std::fs::create_dir(&labels).unwrap();
    for (image, truth) in file.images.iter().zip(&truths) {
        let line = format!("{} 0.05 0.05 0.1 0.1\n", truth.objects[0].class_id);
        std::fs::write(labels.join(&image.file).with_extension("txt"), line).unwrap();
    }
    let labels = LabelArgs { labels: Some(labels), annotations: None };
    let args = CascadeArgs {
        detections: Some(path.clone()),
        import: ImportArgs::default(),
        labels,
        share: 0.2,
        splits: 2,
        seed: 1,
        measure: vec!["errors(small class)".parse().unwrap()],
        lessons: lessons(),
    };
    run(&args).unwrap();
    let args = CascadeArgs { labels: LabelArgs::default(), ..args };
    run(&args).unwrap();
    // a model that tells no weak detections, which this measure is of
    let mut without = file.clone();
    without.header.edge.weak = None;
    without.write(std::fs::File::create(&path).unwrap()).unwrap();
    let error = format!("{:#}", run(&args).unwrap_err());
    assert!(error.contains("errors(small class)") && error.contains("`edge.weak`"), "{error}");
    let args = CascadeArgs { measure: vec![], ..args };
    run(&args).unwrap();
    assert!(
        Kind::Regression.fit(&Exam::new(&file, &truths, Objective::Map), &[0, 1], 0.2).is_err()
    );
    let with = |change: &dyn Fn(&mut LessonArgs)| {
        let mut lessons = args.lessons.clone();
        change(&mut lessons);
        run(&CascadeArgs { lessons, labels: LabelArgs::default(), ..args.clone() })
    };
    with(&|lessons| lessons.guarantee = true).unwrap();
    with(&|lessons| lessons.learn = true).unwrap();
    assert!(with(&|lessons| lessons.agreement = 1.0).unwrap_err().to_string().contains("--agree"));
    assert!(with(&|lessons| lessons.confidence = 0.1).unwrap_err().to_string().contains("--conf"));
    let dear = with(&|lessons| (lessons.learn, lessons.audit) = (true, 0.3));
    assert!(dear.unwrap_err().to_string().contains("--audit"));
    let bad = CascadeArgs { share: 1.5, labels: LabelArgs::default(), ..args };
    assert!(run(&bad).unwrap_err().to_string().contains("--share"));
}

fn lessons() -> LessonArgs {
    LessonArgs {
        plots: None,
        guarantee: false,
        learn: false,
        agreement: 0.95,
        confidence: 0.9,
        audit: 0.02,
        runs: 1,
    }
}

/// How much of the way each unfitted measure wins, on the mean over halvings.
fn won(exam: &Exam<'_>, splits: usize, names: &[&str]) -> Vec<(String, f64, f64)> {
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| names.contains(&kind.name().as_str())).collect();
    assert_eq!(kinds.len(), names.len());
    let args = CascadeArgs {
        detections: None,
        import: ImportArgs::default(),
        labels: LabelArgs::default(),
        share: 0.2,
        splits,
        seed: 1,
        measure: vec![],
        lessons: lessons(),
    };
    let all: Vec<usize> = (0..exam.images()).collect();
    let splits = Splits::of(exam, &all, &kinds, &args).unwrap();
    splits.print(&args);
    let row = |(name, shares): &(String, Vec<f64>)| {
        let mut sorted = shares.clone();
        sorted.sort_by(f64::total_cmp);
        let (mean, low) = (splits::mean(&sorted), splits::quantile(&sorted, 0.1));
        (name.clone(), mean.unwrap(), low.unwrap())
    };
    splits.rows.iter().map(row).collect()
}

/// The default by itself, without any number that was fitted, and what it stands against.
const DEFAULT: &str = "uncertainty(weak small class)";

#[test]
fn the_default_is_in_the_table() {
    assert!(Kind::ALL.contains(&Kind::named(&Aim::default())));
    assert_eq!(Kind::named(&Aim::default()).name(), DEFAULT);
}

#[test]
fn the_default_wins_more_than_half_of_the_gap_on_photos() {
    let Some(args) = detections::tests::on_photos("yolov3-tiny-320", "yolov3-tiny-608") else {
        return;
    };
    let args = detections::DetectionsArgs { nms: Some("class".into()), ..args };
    let file = detections::find(&args, &detections::tests::models_dir()).unwrap();
    let truths = args.labels.truths(&file).unwrap().unwrap();
    let exam = Exam::new(&file, &truths, Objective::Map);
    let rows = won(&exam, 5, &[DEFAULT, "mean-confidence,empty=hard"]);
    let [default, before, chance, hindsight] = &rows[..] else { panic!("{rows:?}") };
    assert!(default.1 >= 0.55 && default.2 >= 0.0, "{rows:?}");
    assert!(default.1 > chance.1 && default.1 > before.1 && hindsight.1 > default.1, "{rows:?}");
}

/// A tenth of the pictures of the published pairs of detectors.
#[test]
fn the_default_wins_two_fifths_of_the_gap_on_published_detections() {
    let Some(reference) = requires::reference_dir() else { return };
    let folder = reference.join("../offload/rohe");
    let found = |model: &str| Some(folder.join(format!("{model}_results.csv.gz")));
    let args = ImportArgs {
        import: Some(crate::simulate::import::Form::Rohe),
        edge_results: found("yolov11n"),
        cloud_results: found("yolov11m"),
        ..ImportArgs::default()
    };
    let mut file = args.read(None).unwrap().unwrap();
    let mut nth = 0;
    file.images.retain(|_| {
        nth += 1;
        nth % 10 == 0
    });
    let truth = |image: &ImageRecord| {
        Truth::of_detections(image.cloud.thresholded(&file.header.cloud).confident)
    };
    let truths: Vec<Truth> = file.images.iter().map(truth).collect();
    let exam = Exam::new(&file, &truths, Objective::F1);
    let rows = won(&exam, 5, &[DEFAULT, "mean-confidence,empty=hard"]);
    let [default, before, chance, hindsight] = &rows[..] else { panic!("{rows:?}") };
    assert!(default.1 >= 0.4, "{rows:?}");
    assert!(default.1 > chance.1 && default.1 > before.1 && hindsight.1 > default.1, "{rows:?}");
}

/// On photos of COCO, fitted on one half and judged on the other, both ways.
#[test]
fn a_fifth_sent_by_regression_wins_half_of_the_gap() {
    let Some(args) = detections::tests::on_photos("yolov3-tiny-320", "yolov3-tiny-608") else {
        return;
    };
    let file = detections::find(&args, &detections::tests::models_dir()).unwrap();
    let truths = args.labels.truths(&file).unwrap().unwrap();
    let exam = Exam::new(&file, &truths, Objective::Map);
    let all: Vec<usize> = (0..file.images.len()).collect();
    for half in Halves::even_odd(&all).unwrap().both_ways() {
        let (edge, cloud) = exam.ends(half.judged).unwrap();
        let hardness = Kind::Regression.fit(&exam, half.fitted, 0.2).unwrap();
        let order = exam.hardest_first(&hardness, half.judged);
        let won = (exam.quality(half.judged, &order[..count_of(0.2, order.len())]) - edge)
            / (cloud - edge);
        println!("fitted on the {}: {won:.3} of {:.4} won", half.name, cloud - edge);
        assert!(won >= 0.5, "fitted on the {}: {won} by {hardness}", half.name);
    }
}
