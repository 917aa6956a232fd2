//! What a user sees of the benchmarks, and the peers themselves.

use super::BenchCommand;
use super::files::NetworkFiles;
use super::peer::{Peer, PeerArgs, PeerKind, PeerRun, Precision, Started};
use clap::{CommandFactory, Parser};
use detector::{Description, Detector, LoadOptions, Session};
use frame::{ImageSize, RgbImage};
use std::path::Path;
use tempfile::TempDir;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    bench: BenchCommand,
}

#[test]
fn the_help_teaches() {
    let help = |command: &str| {
        let mut cli = Cli::command();
        let found = cli.find_subcommand_mut(command).unwrap();
        found.render_long_help().to_string()
    };
    for (command, words) in [
        (
            "detector",
            ["--with-peers", "--profile", "Example: mlvi bench detector", "requirements.txt"],
        ),
        ("pipeline", ["--against", "python", "Example: mlvi bench pipeline", "--cameras"]),
        ("report", ["--out", "report.md", "Example: mlvi bench report", "--images"]),
        ("unit", ["--starts", "--set", "MLVI_MODEL_KERNELS", "--frames"]),
    ] {
        let help = help(command);
        words.iter().for_each(|word| assert!(help.contains(word), "{command}: {word}\n{help}"));
    }
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| drop(cli.bench));
    assert!(parse("bench detector --runs 0").is_err());
    assert!(parse("bench unit --starts 0").is_err());
    assert!(parse("bench report").is_err(), "a folder is needed");
    assert!(parse("bench pipeline --against java").is_err());
    assert!(parse("bench pipeline --against python").is_ok());
}

const SIDE: u32 = 32;

/// A network of Darknet's with two heads, and every kind of layer that tiny-YOLOv3 has.
const CONFIG: &str = "[net]\nwidth=32\nheight=32\nchannels=3\n\
    [convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n\
    [maxpool]\nsize=2\nstride=2\n\
    [maxpool]\nsize=2\nstride=1\n\
    [convolutional]\nfilters=18\nsize=1\nactivation=linear\n\
    [yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 16,16\nclasses=1\nnum=3\n\
    [route]\nlayers=-3\n\
    [convolutional]\nbatch_normalize=1\nfilters=4\nsize=1\nactivation=leaky\n\
    [upsample]\nstride=2\n\
    [route]\nlayers=-1,0\n\
    [convolutional]\nfilters=18\nsize=1\nactivation=linear\n\
    [yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 16,16\nclasses=1\nnum=3\n";
/// What `CONFIG` asks for: four numbers a filter with batch normalisation, else one, and kernels.
const NUMBERS: usize = (8 * 4 + 8 * 27) + (18 + 18 * 8) + (4 * 4 + 4 * 8) + (18 + 18 * 12);

/// A folder with the model `small`, and the same from `small.onnx` as the model `written`.
fn models() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("small.cfg", CONFIG.as_bytes());
    write("small.names", b"thing\n");
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    let numbers = (0..NUMBERS).map(|index| (index * 37 % 101) as f32 / 101.0 + 0.01);
    let weights: Vec<u8> = header.chain(numbers.flat_map(f32::to_le_bytes)).collect();
    write("small.weights", &weights);
    let common = "names = \"small.names\"\n";
    write(
        "small.toml",
        format!(
            "name = \"small\"\nformat = \"darknet\"\nconfig = \"small.cfg\"\n{common}\
             [weights]\nfile = \"small.weights\"\n"
        )
        .as_bytes(),
    );
    let head = "[[onnx.heads]]\nanchors = [[4, 4], [8, 8], [16, 16]]\n";
    write(
        "written.toml",
        format!(
            "name = \"written\"\nformat = \"onnx\"\n{common}[input]\nwidth = {SIDE}\n\
             height = {SIDE}\n[onnx]\noutput = \"yolo-heads\"\n{head}{head}[weights]\n\
             file = \"small.onnx\"\n"
        )
        .as_bytes(),
    );
    dir
}

fn session(dir: &Path, name: &str) -> (Description, Session) {
    let description = Description::load(dir, name).unwrap();
    let detector = Detector::load(&description, LoadOptions::default()).unwrap();
    let session = detector.session().unwrap();
    (description, session)
}

fn photo() -> RgbImage {
    let size = ImageSize { width: SIDE, height: SIDE };
    let data = (0..SIDE * SIDE * 3).map(|index| (index * 31 % 251) as u8).collect();
    RgbImage::new(size, data).unwrap()
}

fn outputs(session: &mut Session) -> Vec<f32> {
    let tensor = session.input_tensor(&photo()).unwrap();
    session.raw_outputs(&tensor).unwrap().into_iter().flat_map(|output| output.values).collect()
}

fn assert_close(found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len());
    assert!(wanted.iter().any(|value| value.abs() > 0.1), "there is something to compare");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() <= 1e-5 * wanted.abs().max(1.0), "{found} and {wanted}");
    }
}

#[test]
fn what_is_written_for_peers_is_the_same_network() {
    let dir = models();
    let (description, mut darknet) = session(dir.path(), "small");
    let files = NetworkFiles::write(&description, &mut darknet, &photo(), 1).unwrap();
    assert_eq!(files.shape, [1, 3, 32, 32]);
    std::fs::copy(&files.onnx, dir.path().join("small.onnx")).unwrap();
    let (_, mut written) = session(dir.path(), "written");
    assert_close(&outputs(&mut written), &outputs(&mut darknet));
}

#[test]
fn onnx_runtime_runs_what_is_written() {
    let Some(python) = std::env::var("MLVI_PYTHON").ok() else {
        return requires::skip(requires::Requirement::OnnxRuntime, "MLVI_PYTHON is not set");
    };
    let dir = models();
    let (description, mut darknet) = session(dir.path(), "small");
    let args = PeerArgs {
        with_peers: true,
        python,
        bench_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench"),
        photos: None,
    };
    let kind = PeerKind::OnnxRuntime;
    let run = PeerRun { kind, threads: 1, precision: Precision::Float32, throughput: false };
    for batch in [1, 2] {
        let files = NetworkFiles::write(&description, &mut darknet, &photo(), batch).unwrap();
        let mut peer = match Peer::start(&args, run, &files).unwrap() {
            Started::Ready(peer) => peer,
            Started::Missing(why) => {
                return requires::skip(requires::Requirement::OnnxRuntime, &why);
            }
        };
        assert!(peer.name.starts_with("ONNX Runtime"), "{}", peer.name);
        let single = outputs(&mut darknet);
        // a head of each image, then the next head
        let (small, large) = single.split_at(18 * 16 * 16);
        let wanted: Vec<f32> =
            [small, large].into_iter().flat_map(|head| head.repeat(batch)).collect();
        assert_close(&peer.outputs().unwrap(), &wanted);
        assert!(peer.run_once().unwrap() > 0.0);
    }
}
