//! Wrong files are refused with file and line, and no file makes the reader panic or ask for absurd
//! memory.

use super::super::network::Network;
use super::super::syntax::Diagnostic;
use super::{Dice, HEAD, config, read, weights};
use crate::ModelError;
use proptest::prelude::*;

const CONVOLUTION: &str = "[convolutional]\nfilters=6\nactivation=linear\n";
/// Six biases, and a kernel of 3 × 6.
const NUMBERS: usize = 24;

fn diagnostic(text: &str) -> Diagnostic {
    Network::parse(text, None).unwrap_err()
}

#[test]
fn each_refusal_names_its_line_and_what_is_wrong() {
    let after_net = |layers: &str| config(32, 32, layers);
    let cases = [
        (String::new(), 1, "[net]"),
        ("[convolutional]\n".into(), 1, "[net]"),
        ("[net]\nwidth=32\n".into(), 1, "height"),
        ("[net]\nwidth=0\nheight=32\n".into(), 2, "width"),
        ("[net]\nwidth=99999\nheight=32\n".into(), 2, "4096"),
        ("[net]\nwidth=32\nheight=32\nchannels=1\n".into(), 4, "channels"),
        ("[net]\nwidth=32\nheight=32\n".into(), 3, "no [yolo]"),
        (after_net("[avgpool]"), 4, "avgpool"),
        (after_net("[convolutional]\nxnor=1"), 5, "xnor"),
        (after_net("[convolutional]\nactivation=gelu"), 5, "leaky"),
        (after_net("[convolutional]\nantialiasing=1"), 5, "antialiasing"),
        (after_net("[convolutional]\ndontload=1"), 5, "dontload"),
        (after_net("[shortcut]\nfrom=-1\nweights_type=per_channel"), 6, "weights_type"),
        (after_net("[maxpool]\nmaxpool_depth=1"), 5, "maxpool_depth"),
        (after_net("[convolutional]\nfilters=0"), 5, "1 to 65536"),
        (after_net("[convolutional]\nfilters=6 # six\nsize=x3"), 6, "x3"),
        (after_net("[convolutional]\ngroups=2"), 4, "groups"),
        (after_net("[convolutional]\nsize=33"), 4, "output"),
        (after_net("[convolutional]\nsize=3\ndilation=2"), 4, "dilation"),
        (after_net("[maxpool]\nsize=2\npadding=3"), 6, "padding"),
        (after_net("[route]"), 4, "layers"),
        (after_net("[route]\nlayers=0"), 4, "layer 0"),
        (after_net("[route]\nlayers=-1"), 4, "layer -1"),
        (after_net("[maxpool]\nstride=1\n[route]\nlayers=-1\ngroups=2"), 6, "2 groups"),
        (after_net("[maxpool]\nstride=1\n[route]\nlayers=-1\ngroup_id=1"), 8, "group_id"),
        (
            after_net("[maxpool]\nstride=1\n[maxpool]\nstride=2\n[route]\nlayers=-1,-2"),
            8,
            "differ in size",
        ),
        (
            after_net("[maxpool]\nstride=2\n[maxpool]\nstride=2\n[shortcut]\nfrom=-2"),
            8,
            "differ in shape",
        ),
        (after_net("[shortcut]\nactivation=linear"), 4, "from"),
        (after_net("[upsample]\nscale=2"), 5, "scale"),
        (after_net("[upsample]\nstride=255\n[upsample]\nstride=255"), 6, "too large"),
        (after_net("[convolutional]\nfilters=7"), 6, "6"),
        (after_net(&format!("{CONVOLUTION}[yolo]\nnum=2\nanchors=1,2")), 7, "anchors"),
        (after_net(&format!("{CONVOLUTION}[yolo]\nnum=1\nanchors=1,2\nmask=1")), 10, "mask"),
        (
            after_net(&format!(
                "{CONVOLUTION}[yolo]\nnum=1\nclasses=1\nanchors=1,2\nnms_kind=diounms"
            )),
            11,
            "greedynms",
        ),
        (
            after_net(&format!("{CONVOLUTION}[yolo]\nnum=1\nclasses=1\nanchors=1,2\nnew_coords=1")),
            11,
            "new_coords",
        ),
        (after_net(&format!("{CONVOLUTION}{HEAD}[route]\nlayers=-1")), 11, "[yolo]"),
    ];
    for (text, line, word) in cases {
        let diagnostic = diagnostic(&text);
        assert!(
            diagnostic.line == line && diagnostic.text.contains(word),
            "{diagnostic:?} instead of '{word}' in line {line} of\n{text}"
        );
    }
}

#[test]
fn keys_of_training_are_passed_over() {
    let training =
        "batch=64\nsubdivisions=2\nmomentum=0.9\npolicy=steps\nsteps=1,2\nscales=.1,.1\nhue=.1\n";
    let text = config(32, 32, CONVOLUTION).replacen("[net]\n", &format!("[net]\n{training}"), 1);
    let text = format!(
        "{text}jitter=.3\nignore_thresh=.7\ntruth_thresh=1\nrandom=1\nnms_kind=greedynms\n\
         beta_nms=0.6\niou_loss=ciou\n"
    );
    assert!(Network::parse(&text, None).is_ok());
}

#[test]
fn the_descriptions_input_size_overrides_the_files() {
    let size = frame::ImageSize { width: 64, height: 96 };
    let network = Network::parse(&config(32, 32, CONVOLUTION), Some(size)).unwrap();
    assert_eq!((network.input.width, network.input.height), (64, 96));
}

#[test]
fn a_config_error_names_the_file() {
    let error = read("[net]\nwidth=32\nheight=32\n[lstm]\n", &[]).err().unwrap().to_string();
    assert!(error.contains("test.cfg:4: ") && error.contains("lstm"), "{error}");
}

#[test]
fn weights_of_another_length_are_refused_with_both_sizes() {
    let whole = weights(&Dice(1).list(NUMBERS));
    assert!(read(&config(8, 8, CONVOLUTION), &whole).is_ok());
    for length in
        [0, 3, 12, 16, 20, whole.len() - 4, whole.len() - 1, whole.len() + 1, whole.len() + 4]
    {
        let mut bytes = whole.clone();
        bytes.resize(length, 0);
        match read(&config(8, 8, CONVOLUTION), &bytes).err() {
            Some(ModelError::WrongSize { path, expected, actual, .. }) => {
                assert!(path.ends_with("test.weights"));
                assert_eq!((expected, actual), (whole.len() as u64, length as u64));
            }
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn old_files_count_the_images_seen_in_32_bits() {
    let numbers = Dice(1).list(NUMBERS);
    let old = |major: u32, minor: u32| -> Vec<u8> {
        let header = [major, minor, 0, 0].into_iter().flat_map(u32::to_le_bytes);
        header.chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect()
    };
    assert!(read(&config(8, 8, CONVOLUTION), &old(0, 1)).is_ok());
    assert!(read(&config(8, 8, CONVOLUTION), &old(1001, 0)).is_ok());
    assert!(read(&config(8, 8, CONVOLUTION), &old(0, 2)).is_err());
}

#[test]
fn absurd_numbers_ask_for_no_memory() {
    let wide = "[convolutional]\nfilters=65536\nactivation=linear\n";
    let text = config(8, 8, &format!("{wide}{wide}{wide}{CONVOLUTION}"));
    assert!(matches!(read(&text, &weights(&[0.0; NUMBERS])), Err(ModelError::WrongSize { .. })));
}

/// A `.cfg` with every kind of section.
fn sample() -> String {
    let layers = "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=1\npad=1\n\
                  activation=leaky\n\
                  [maxpool]\nsize=2\nstride=2\n[convolutional]\nfilters=4\ngroups=2\nsize=3\n\
                  pad=1\nactivation=mish\n\
                  [dropout]\nprobability=.2\n[shortcut]\nfrom=-3\n[upsample]\nstride=2\n[route]\n\
                  layers=-1,0\n\
                  [route]\nlayers=-1\ngroups=2\ngroup_id=1\n[convolutional]\nfilters=6\n\
                  activation=linear\n";
    config(16, 16, layers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_mutated_config_never_panics(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..4, "[0-9a-z=,\\[\\]#.\n -]{0,6}"), 1..5,
        ),
    ) {
        let mut text = sample();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.replace_range(start..end, &inserted);
        }
        // numbers that the parser lets through must not make the weights reader ask for memory, nor
        // the shapes overflow
        if Network::parse(&text, None).is_ok() {
            let _ = read(&text, &weights(&[0.5; 30]));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(
        text in "\\PC{0,80}",
        lines in prop::collection::vec("(\\[[a-z]{0,12}\\]|[a-z_]{0,9}=[-0-9.,]{0,9}|#|;)", 0..9),
    ) {
        let _ = Network::parse(&text, None);
        let _ = Network::parse(&lines.join("\n"), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutated_weights_never_panic(
        length in prop_oneof![Just(20 + 4 * NUMBERS), 0usize..200],
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
    ) {
        let mut bytes = weights(&Dice(1).list(NUMBERS));
        bytes.resize(length, 0);
        for (at, value) in edits.into_iter().filter(|_| length > 0) {
            bytes[at.index(length)] = value;
        }
        if let Ok(darknet) = read(&config(8, 8, CONVOLUTION), &bytes) {
            let values = vec![0.5; 192];
            let image = super::plain::Map { channels: 3, height: 8, width: 8, values };
            super::run(&darknet, &[image]);
        }
    }
}
