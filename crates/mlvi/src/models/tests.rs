//! Fetching on small files: from a local copy, and from a server that misbehaves in every way.

use super::{FetchError, ModelsCommand, Source, fetch, place, run};
use detector::Description;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const BYTES: &[u8] = b"these are the weights";
/// sha256 of [`BYTES`].
const SHA256: &str = "1f37de1efe65eafa62eecff07876ee832138e32600cb5e50a041b51648f402e3";

fn description(dir: &TempDir, sha256: &str, url: Option<&str>) -> Description {
    std::fs::write(dir.path().join("names"), "thing\n").unwrap();
    let url = url.map_or(String::new(), |url| format!("url = \"{url}\"\n"));
    let text = format!(
        "name = \"small\"\nformat = \"darknet\"\nconfig = \"small.cfg\"\nnames = \"names\"\n\
         [weights]\nfile = \"small.weights\"\n\
         size_bytes = {}\nsha256 = \"{sha256}\"\n{url}",
        BYTES.len()
    );
    std::fs::write(dir.path().join("small.toml"), text).unwrap();
    Description::load(dir.path(), "small").unwrap()
}

fn copy_of(dir: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("copy");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "part")).collect()
}

/// Answers one request with `response`, byte for byte, and closes.
fn serve_once(response: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/small.weights", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // a request of ours fits into one read
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(&response).unwrap();
    });
    url
}

fn response(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn a_local_copy_is_verified_and_put_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let description = description(&dir, SHA256, None);
    fetch(&description, &Source::File(copy_of(&dir, BYTES))).unwrap();
    assert_eq!(std::fs::read(&description.weights().path).unwrap(), BYTES);
    assert!(leftovers(dir.path()).is_empty());
}

#[test]
fn what_is_not_the_promised_file_never_replaces_what_is_there() {
    let mut flipped = BYTES.to_vec();
    flipped[0] ^= 1;
    for (wrong, says) in [
        (&BYTES[1..], "20 bytes where 21"),
        (&[BYTES, b"!"].concat(), "goes on after 21"),
        (&flipped, "sha256"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let description = description(&dir, SHA256, None);
        std::fs::write(&description.weights().path, "what was there").unwrap();
        let error = fetch(&description, &Source::File(copy_of(&dir, wrong))).unwrap_err();
        assert!(
            matches!(error, FetchError::Mismatch { .. }) && error.to_string().contains(says),
            "{error}"
        );
        assert_eq!(std::fs::read(&description.weights().path).unwrap(), b"what was there");
        assert!(leftovers(dir.path()).is_empty());
    }
}

#[test]
fn a_download_is_put_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let url = serve_once(response("200 OK", BYTES.len(), BYTES));
    let description = description(&dir, SHA256, Some(&url));
    fetch(&description, &Source::Network).unwrap();
    assert_eq!(std::fs::read(&description.weights().path).unwrap(), BYTES);
}

#[test]
fn a_bad_server_leaves_no_file_and_the_error_advises() {
    for (answer, says) in [
        (response("404 Not Found", 0, b""), "404"),
        (response("200 OK", BYTES.len(), &BYTES[..10]), "broke off after 10 bytes"),
        (response("200 OK", 3, b"abc"), "3 bytes where 21"),
        (b"what?".to_vec(), ""),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let url = serve_once(answer);
        let description = description(&dir, SHA256, Some(&url));
        let error = fetch(&description, &Source::Network).unwrap_err().to_string();
        for part in [says, &url, SHA256, "mlvi models fetch small --from small.weights"] {
            assert!(error.contains(part), "'{part}' is not in: {error}");
        }
        assert!(!description.weights().path.exists());
        assert!(leftovers(dir.path()).is_empty());
    }
}

#[test]
fn a_model_without_a_source_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = fetch(&description(&dir, SHA256, None), &Source::Network).unwrap_err().to_string();
    assert!(error.contains("names no source") && error.contains("--from"), "{error}");
}

#[test]
fn a_volume_is_filled_once_with_verified_models() {
    let (dir, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    description(&dir, SHA256, None);
    std::fs::write(dir.path().join("small.cfg"), "[net]\n").unwrap();
    std::fs::write(dir.path().join(".small.part"), "half").unwrap();
    let copy = copy_of(&volume, BYTES);
    let into = volume.path().join("models");
    let fill = |from: Option<PathBuf>| {
        run(
            ModelsCommand::Fetch { name: "small".into(), from, into: Some(into.clone()) },
            dir.path(),
        )
        .map_err(|e| e.to_string())
    };
    assert!(fill(None).unwrap_err().contains("names no source"));
    fill(Some(copy.clone())).unwrap();
    assert_eq!(std::fs::read(into.join("small.weights")).unwrap(), BYTES);
    Description::load(&into, "small").unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(&into).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["names", "small.cfg", "small.toml", "small.weights"]);
    assert!(!dir.path().join("small.weights").exists(), "the source folder may be read-only");
    // neither source is asked when all is well: there is none
    fill(None).unwrap();
    // and a damaged file is not taken for a good one
    std::fs::write(into.join("small.weights"), [&BYTES[1..], b"!"].concat()).unwrap();
    assert!(fill(None).unwrap_err().contains("names no source"));
    fill(Some(copy)).unwrap();
    assert_eq!(std::fs::read(into.join("small.weights")).unwrap(), BYTES);
}

#[test]
fn what_is_there_and_right_is_not_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    // an address that nobody answers at: whoever asks it fails
    let port = ports::ReservedPort::loopback().unwrap();
    let description = description(&dir, SHA256, Some(&format!("http://{}/x", port.address())));
    let fetch = |from: Option<PathBuf>| {
        let command = ModelsCommand::Fetch { name: "small".into(), from, into: None };
        run(command, dir.path()).map_err(|error| error.to_string())
    };
    std::fs::write(&description.weights().path, BYTES).unwrap();
    fetch(None).unwrap();
    // a file that is named is looked at
    let wrong = copy_of(&dir, &BYTES[1..]);
    assert!(fetch(Some(wrong)).unwrap_err().contains("20 bytes where 21"));
    // what is there and wrong is not left
    std::fs::write(&description.weights().path, [&BYTES[1..], b"!"].concat()).unwrap();
    assert!(fetch(None).unwrap_err().contains("cannot be fetched"));
}

#[test]
fn a_folder_can_be_filled_from_itself() {
    let dir = tempfile::tempdir().unwrap();
    description(&dir, SHA256, None);
    place(dir.path(), dir.path()).unwrap();
    Description::load(dir.path(), "small").unwrap();
}

/// What identifies a file and when it was last written.
fn stamps(dir: &Path) -> Vec<(std::ffi::OsString, u64, std::time::SystemTime)> {
    let stamp = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        (
            entry.file_name(),
            std::os::unix::fs::MetadataExt::ino(&metadata),
            metadata.modified().unwrap(),
        )
    };
    let mut stamps: Vec<_> = std::fs::read_dir(dir).unwrap().map(stamp).collect();
    stamps.sort();
    stamps
}

#[test]
fn a_volume_that_is_right_is_not_written_to() {
    let (dir, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    description(&dir, SHA256, None);
    std::fs::write(dir.path().join("small.cfg"), "[net]\n").unwrap();
    let into = volume.path().join("models");
    let fill = |from: Option<PathBuf>| {
        run(
            ModelsCommand::Fetch { name: "small".into(), from, into: Some(into.clone()) },
            dir.path(),
        )
        .map_err(|e| e.to_string())
    };
    fill(Some(copy_of(&volume, BYTES))).unwrap();
    // as somebody else's files, whom only reading is allowed; root may write all the same, so the
    // stamps tell
    for entry in std::fs::read_dir(&into).unwrap() {
        set_mode(&entry.unwrap().path(), 0o444);
    }
    set_mode(&into, 0o555);
    let before = stamps(&into);
    let again = fill(None);
    let after = stamps(&into);
    set_mode(&into, 0o755);
    again.unwrap();
    assert_eq!(before, after);
    // what is not equal is replaced, by a file that others can read, and by nothing else
    std::fs::write(dir.path().join("small.cfg"), "[net]\nbatch=1\n").unwrap();
    fill(None).unwrap();
    let config = into.join("small.cfg");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "[net]\nbatch=1\n");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&config.metadata().unwrap()) & 0o777, 0o644);
    let changed: Vec<_> = stamps(&into)
        .into_iter()
        .filter(|stamp| !before.contains(stamp))
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(changed, ["small.cfg"]);
    assert!(leftovers(&into).is_empty());
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// A protobuf field of bytes: its number below 16, its length below 128.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let head = [(number << 3) | 2, u8::try_from(bytes.len()).unwrap()];
    [&head[..], bytes].concat()
}

/// An ONNX file with nothing but an initializer in another file.
fn onnx_with_data(place: &str) -> Vec<u8> {
    let location = [field(1, b"location"), field(2, place.as_bytes())].concat();
    // data_location: external
    let number = [field(8, b"number"), vec![14 << 3, 1], field(13, &location)].concat();
    field(7, &field(5, &number))
}

/// The model `apart` in a folder, its numbers in `place`; with `listed`, the description has the
/// sha256 of [`BYTES`] for it.
fn apart(dir: &Path, place: &str, listed: bool) -> Description {
    std::fs::write(dir.join("names"), "thing\n").unwrap();
    let data = if listed {
        format!("[[weights.data]]\nfile = \"{place}\"\nsha256 = \"{SHA256}\"\n")
    } else {
        String::new()
    };
    let text = format!(
        "name = \"apart\"\nformat = \"onnx\"\nnames = \"names\"\n[input]\nwidth = 32\n\
         height = 32\n[onnx]\noutput = \"yolov8\"\n\
         [weights]\nfile = \"apart.onnx\"\n{data}"
    );
    std::fs::write(dir.join("apart.toml"), text).unwrap();
    Description::load(dir, "apart").unwrap()
}

#[test]
fn numbers_in_a_file_of_their_own_come_with_their_network() {
    for (place, listed) in
        [("apart.onnx.data", false), ("apart.onnx.data", true), ("parts/numbers", true)]
    {
        let (dir, other, volume) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        apart(dir.path(), place, listed);
        let fill = |from: &Path, into: &Path| {
            let (name, from) =
                ("apart".into(), (from != dir.path()).then(|| from.join("apart.onnx")));
            run(ModelsCommand::Fetch { name, from, into: Some(into.into()) }, dir.path())
                .map_err(|error| format!("{error:#}"))
        };
        // out of a download folder, and out of the models' own
        for (step, from) in [other.path(), dir.path()].into_iter().enumerate() {
            let into = volume.path().join(step.to_string());
            std::fs::write(from.join("apart.onnx"), onnx_with_data(place)).unwrap();
            let error = fill(from, &into).unwrap_err();
            assert!(error.contains(place), "{error}");
            let copy = from.join(place);
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(&copy, BYTES).unwrap();
            fill(from, &into).unwrap();
            assert_eq!(std::fs::read(into.join(place)).unwrap(), BYTES, "{place}");
            assert_eq!(std::fs::read(into.join("apart.onnx")).unwrap(), onnx_with_data(place));
            // what is verified there is not asked for again, and what is damaged is never taken for
            // it
            std::fs::write(&copy, b"something else").unwrap();
            assert!(fill(from, &into).is_ok());
            if listed {
                std::fs::write(into.join(place), b"damaged").unwrap();
                assert!(fill(from, &into).unwrap_err().contains("sha256"));
            }
        }
    }
}

#[test]
fn numbers_outside_of_the_folder_are_never_fetched() {
    let (dir, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    apart(dir.path(), "x", false);
    std::fs::write(dir.path().join("apart.onnx"), onnx_with_data("../secret")).unwrap();
    let command = ModelsCommand::Fetch {
        name: "apart".into(),
        from: None,
        into: Some(volume.path().join("models")),
    };
    let error = run(command, dir.path()).unwrap_err().to_string();
    assert!(error.contains("'../secret'") && !volume.path().join("secret").exists(), "{error}");
}
