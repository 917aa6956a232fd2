//! Both Darknets: what each makes of the same numbers, and files that run in one of them.

use super::super::network::Network;
use super::plain::{Convolution, Map};
use super::{Dice, HEAD, config, read_as, run, weights};
use crate::{Fork, Resize};

const NET: &str = "[net]\nbatch=1\nwidth=32\nheight=32\n";
const LAYERS: &str = "[convolutional]\nbatch_normalize=1\nfilters=6\nactivation=linear\n";

/// One convolution of single cells whose first filters have next to no variance.
fn narrow() -> Convolution {
    let mut dice = Dice(5);
    let variances = vec![1e-7, 1e-6, 5e-6, 1e-4, 0.1, 2.0];
    let kernel = dice
        .list(18)
        .into_iter()
        .zip(0..)
        .map(|(x, at)| if at < 9 { x * 1e-3 } else { x })
        .collect();
    let normalization = Some([dice.list(6), vec![0.0; 6], variances]);
    Convolution {
        filters: 6,
        size: 1,
        strides: (1, 1),
        dilation: 1,
        padding: 0,
        groups: 1,
        biases: dice.list(6),
        normalization,
        kernel,
    }
}

#[test]
fn each_fork_divides_by_a_deviation_of_its_own() {
    let plain = narrow();
    let [scales, _, variances] = plain.normalization.clone().unwrap();
    let image = Map { channels: 3, height: 4, width: 4, values: Dice(9).list(48) };
    for (fork, deviation) in [
        (Fork::Pjreddie, (|variance| variance.sqrt() + 1e-6) as fn(f32) -> f32),
        (Fork::Alexeyab, |variance| (variance + 1e-5).sqrt()),
    ] {
        let darknet =
            read_as(config(4, 4, LAYERS).as_bytes(), &weights(&plain.file_order()), Some(fork))
                .unwrap();
        let found = &run(&darknet, std::slice::from_ref(&image))[0];
        for (filter, values) in found.values.chunks_exact(16).enumerate() {
            let factor = scales[filter] / deviation(variances[filter]);
            for (cell, value) in values.iter().enumerate() {
                let sum: f32 = (0..3)
                    .map(|channel| {
                        plain.kernel[filter * 3 + channel] * image.values[channel * 16 + cell]
                    })
                    .sum();
                let expected = plain.biases[filter] + factor * sum;
                assert!(
                    (value - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
                    "{fork:?} filter {filter}: {value} {expected}"
                );
            }
        }
    }
}

#[test]
fn the_fork_is_told_by_the_file_unless_the_description_names_it() {
    let file = weights(&narrow().file_order());
    let marked = |key: &str| config(8, 8, LAYERS).replacen("[net]", &format!("[net]\n{key}"), 1);
    for (text, named, fork, resize) in [
        (marked(""), None, Fork::Pjreddie, Resize::Letterbox),
        (marked("mosaic=1"), None, Fork::Alexeyab, Resize::Stretch),
        (marked("mosaic=1"), Some(Fork::Pjreddie), Fork::Pjreddie, Resize::Letterbox),
        (marked(""), Some(Fork::Alexeyab), Fork::Alexeyab, Resize::Stretch),
        (marked("letter_box=1"), None, Fork::Alexeyab, Resize::Letterbox),
        (marked("letter_box=0"), None, Fork::Alexeyab, Resize::Stretch),
        (marked("letter_box=1"), Some(Fork::Alexeyab), Fork::Alexeyab, Resize::Letterbox),
    ] {
        let darknet = read_as(text.as_bytes(), &file, named).unwrap();
        assert_eq!((darknet.fork, darknet.resize()), (fork, resize), "{named:?} {text}");
        let remarks = darknet.remarks(std::path::Path::new("a.cfg"));
        assert!(remarks.len() == 1 && remarks[0].contains(fork.word()), "{remarks:?}");
    }
}

/// Each differs from the plain file by what Darknet passes over, reads in the same way, or uses for
/// training alone.
#[test]
fn what_darknet_passes_over_changes_nothing() {
    let numbers = weights(&narrow().file_order());
    let plain = format!("{NET}{LAYERS}{HEAD}");
    let net = |keys: &str| plain.replacen("[net]\n", &format!("[net]\n{keys}\n"), 1);
    let head = |from: &str, to: &str| {
        assert!(plain.contains(from));
        plain.replace(from, to)
    };
    let latin1 = |text: String| {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>()
    };
    let cases: [(Vec<u8>, usize); 27] = [
        (net("letter_box=1").into(), 0),
        (net("ema_alpha=0.9998\nuse_cuda_graph=0").into(), 0),
        (net("policy=sgdr\nsgdr_cycle=1000\nsgdr_mult=2").into(), 0),
        (net("policy=steps\nsteps=1,2,\nscales=.1,.1,").into(), 0),
        (net("time_steps=1\nmax_ratio=1\ncenter=0\nattention=0").into(), 0),
        (net("mosaic_bound=1\nresize_step=32").into(), 0),
        (net("batch=64").into(), 1),
        (net("# comment\n; comment\n\n").into(), 0),
        (net("never_heard_of=1").into(), 1),
        (net("this means nothing").into(), 1),
        (latin1(net("# tamaño de la cámara")), 0),
        (format!("\u{feff}{plain}").into(), 0),
        (plain.replace('\n', "\r\n").into(), 0),
        (plain.replace('=', " = ").into(), 0),
        (plain.replace("\n", "  \t\n").into(), 0),
        (plain.replace("[yolo]", " [ yolo ] # head").into(), 0),
        (head("anchors=4,4", "anchors=4,4,").into(), 0),
        (head("anchors=4,4", "anchors = 4, 4 ; pixels").into(), 0),
        (head("width=32", "width=32px").into(), 1),
        (head("width=32", "width=32.0").into(), 1),
        (head("batch_normalize=1", "batch_normalize=2").into(), 0),
        (head("batch_normalize=1", "cbn=1").into(), 0),
        (head("filters=6", "filters=6\nantialiasing=0\nxnor=0\ndontload=0").into(), 0),
        (head("filters=6", "filters=6\ndot=0.1\nassisted_excitation=4000").into(), 0),
        (head("classes=1", "classes=1\nmap=coco.map\ntruth_thresh=1").into(), 0),
        (head("classes=1", "classes=1\nclasses_multipliers=1,2\ntrack_history_size=5").into(), 0),
        (head("[yolo]", "[empty]\n[yolo]").into(), 0),
    ];
    let wanted = read_as(plain.as_bytes(), &numbers, Some(Fork::Alexeyab)).unwrap();
    let image = Map { channels: 3, height: 32, width: 32, values: Dice(3).list(3 * 32 * 32) };
    let expected = run(&wanted, std::slice::from_ref(&image)).remove(0).values;
    for (bytes, warnings) in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let darknet = read_as(&bytes, &numbers, Some(Fork::Alexeyab))
            .unwrap_or_else(|error| panic!("{error} in\n{shown}"));
        assert_eq!(
            darknet.network.warnings.len(),
            warnings,
            "{:?} of\n{shown}",
            darknet.network.warnings
        );
        assert_eq!(darknet.heads(), wanted.heads(), "{shown}");
        assert_eq!(run(&darknet, std::slice::from_ref(&image))[0].values, expected, "{shown}");
    }
}

#[test]
fn work_without_end_is_refused() {
    let many = format!("{NET}{}{HEAD}", "[dropout]\n".repeat(10_001));
    assert!(Network::parse(&many, None).unwrap_err().text.contains("too many"));
    let wide = "[convolutional]\nfilters=256\nsize=255\npad=1\nactivation=linear\n";
    let hard = format!(
        "[net]\nwidth=1024\nheight=1024\n{}[convolutional]\nfilters=6\nactivation=linear\n{HEAD}",
        wide.repeat(3)
    );
    assert!(Network::parse(&hard, None).unwrap_err().text.contains("multiplications"));
}
